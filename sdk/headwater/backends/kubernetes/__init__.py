"""The backend `kubernetes`: the operator of a cluster runs the whole document; here it is submitted and followed.

The module of the backend is this one: `run_document`. Everything else loads when it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.backends.result import RunResult
    from headwater.blocks.compile import Compiled

OPTIONS = ("kubeconfig", "context", "namespace", "image", "store")


def run_document(
    compiled: Compiled,
    inputs: Mapping[str, object],
    *,
    name: str | None = None,
    observers: Sequence[object] = (),
    record: bool = True,
    overwrite_cache: bool = False,
    resumed_from: str | None = None,
    options: Mapping[str, str | None] | None = None,
) -> RunResult:
    """Run a compiled workflow in a cluster and wait for its end. SIGINT and SIGTERM cancel it.

    `options` are those of `OPTIONS`; what is not given comes from the config's section `kubernetes`.

    Raises:
        ClusterError: the cluster refuses it, or is out of reach.
        RunInterrupted: a signal ended it.
    """
    from headwater.backends.kubernetes.running import run_in_cluster

    return run_in_cluster(
        compiled,
        inputs,
        name=name,
        observers=observers,
        record=record,
        overwrite_cache=overwrite_cache,
        resumed_from=resumed_from,
        options=options or {},
    )
