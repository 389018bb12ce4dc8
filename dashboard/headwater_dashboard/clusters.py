"""Runs that a cluster carries out: where they are, and the resource that they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.records.model import Run

if TYPE_CHECKING:
    from headwater.backends.kubernetes.api import Cluster

KUBERNETES = "kubernetes"


def is_remote(run: Run) -> bool:
    """Whether a cluster carries the run out."""
    return run.backend == KUBERNETES


def place(run: Run) -> tuple[Cluster, str]:
    """The cluster of a run, as this process reaches it, and the run's name there."""
    from headwater.backends.kubernetes.api import Cluster
    from headwater.backends.kubernetes.recording import place_of

    where, name = place_of(run)
    return Cluster(where), name


def workflow_of(run: Run) -> tuple[Cluster, dict[str, Any]]:
    """The cluster and the resource of a run.

    Raises:
        ClusterError: the cluster is out of reach, or has no such run any more.
    """
    from headwater.backends.kubernetes.control import get_run
    from headwater.backends.kubernetes.errors import ClusterNotFound

    cluster, name = place(run)
    workflow = get_run(cluster, name)
    if run.namespace and workflow["metadata"]["uid"] != run.run_id:  # recorded by the operator
        raise ClusterNotFound(
            f"the run has been deleted; {name!r} in {run.namespace!r} is another of the same name"
        )
    return cluster, workflow
