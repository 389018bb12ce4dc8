"""What a run in a cluster gives back: the same result as a run on this machine."""

from __future__ import annotations

import time

from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.outcome import (
    epoch,
    exit_code_of,
    nodes_of,
    outputs_of,
    phase_of,
    run_error_of,
    started_at,
)
from headwater.backends.kubernetes.values import decoded
from headwater.backends.result import RunResult


def result_of(workflow: Json, cluster: Cluster, run_id: str = "") -> RunResult:
    """The result of a run that has ended; its values are fetched from where they lie.

    Raises:
        ClusterError: a value cannot be had.
    """
    nodes = nodes_of(workflow)
    status = workflow.get("status") or {}
    return RunResult(
        run_id or workflow["metadata"]["name"],
        phase_of(workflow),
        decoded(outputs_of(workflow), cluster, workflow),
        nodes,
        run_error_of(workflow, nodes),
        started_at(workflow),
        epoch(status.get("finishedAt")) or time.time(),
        exit_code_of(workflow),
    )
