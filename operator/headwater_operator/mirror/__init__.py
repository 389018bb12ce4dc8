"""The mirror: what happens in runs goes to the run database, in batches, never on the critical path.

The reconciler says what one pass changed (`change_of`) and offers it (`Mirror.offer`); everything else happens
by itself. No decision about a run ever reads what is written here.
"""

from headwater_operator.mirror.changes import Progress, change_of, progress_of
from headwater_operator.mirror.mirror import Limits, Metrics, Mirror
from headwater_operator.mirror.rows import (
    AttemptRow,
    ExceptionRow,
    ItemRow,
    NodeRow,
    RunChange,
    RunMeta,
    SliceRow,
)

__all__ = [
    "AttemptRow",
    "ExceptionRow",
    "ItemRow",
    "Limits",
    "Metrics",
    "Mirror",
    "NodeRow",
    "Progress",
    "RunChange",
    "RunMeta",
    "SliceRow",
    "change_of",
    "progress_of",
]
