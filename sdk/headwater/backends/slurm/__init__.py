"""The `slurm` backend: the engine in this process, on a login node; units and arrays of items as Slurm jobs.

Loads when a run starts: jobs run `headwater.backends.slurm.worker`, which needs next to nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.backends.slurm.submitter import SlurmExecutor
    from headwater.engine import Graph
    from headwater.runtime.caching import CacheAccess
    from headwater.runtime.code import Code

MAP_SLOTS = False
QUEUED = True


def SLOTS(workers: int | None) -> int | None:  # noqa: N802  # a backend offers SLOTS, here it depends on the config
    """How many units may be under way at once: as many as Slurm takes, unless somebody has set a limit."""
    from headwater.backends.slurm.configured import cluster

    return workers or cluster().max_jobs


def executor(
    graph: Graph,
    code: Code,
    *,
    cache: CacheAccess | None,
    known_items: Mapping[str, Mapping[int, Mapping[str, object]]],
    workers: int | None,
    log: str | None,
    echo: bool,
    store: str | None,
) -> SlurmExecutor:
    """An executor that submits to the cluster of the config."""
    from headwater.backends.slurm.configured import cluster
    from headwater.backends.slurm.submitter import SlurmExecutor

    return SlurmExecutor(
        graph,
        code,
        cluster=cluster(),
        workers=workers,
        log=log,
        echo=echo,
        store=store,
        cache=cache,
        known_items=known_items,
    )
