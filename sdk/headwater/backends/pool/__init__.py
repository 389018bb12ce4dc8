"""Worker processes that stay alive and call what they are given; knows nothing of workflows.

`pool` schedules, `process` is one worker as its parent sees it, `worker` is what runs inside of it,
`protocol` is what they say to each other, `shared` keeps pools warm between runs. Names load on first use: a Slurm
job needs `protocol` alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.backends.pool.pool import WorkerPool, cpu_count
    from headwater.backends.pool.reports import (
        Died,
        ItemDied,
        ItemRaised,
        ItemsReturned,
        JobStarted,
        Raised,
        Report,
        Returned,
    )
    from headwater.backends.pool.shared import shared_pool

__all__ = [
    "Died",
    "ItemDied",
    "ItemRaised",
    "ItemsReturned",
    "JobStarted",
    "Raised",
    "Report",
    "Returned",
    "WorkerPool",
    "cpu_count",
    "shared_pool",
]

_HOMES = {"WorkerPool": "pool", "cpu_count": "pool", "shared_pool": "shared"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "reports")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
