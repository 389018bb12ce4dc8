"""Worker processes that stay alive and call what they are given; knows nothing of workflows.

`pool` schedules, `process` is one worker as its parent sees it, `worker` is what runs inside of it,
`protocol` is what they say to each other, `shared` keeps pools warm between runs.
"""

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
