"""The run database: what happened in every run, written in batches off the hot path.

Records are a mirror: no decision of a running run reads them. `Recorder` writes, the functions read;
`connection.py` says why SQLite is spoken to without SQLAlchemy.
"""

from headwater.records.lost import mark_lost
from headwater.records.model import (
    Attempt,
    Error,
    ExceptionRecord,
    Item,
    KnownNode,
    Node,
    Run,
    RunInfo,
    Slice,
)
from headwater.records.queries import (
    attempts,
    configuration,
    document,
    edges,
    exceptions,
    get_run,
    items,
    known,
    list_runs,
    nodes,
)
from headwater.records.recorder import Recorder
from headwater.records.run_ids import new_run_id
from headwater.records.schema import upgrade

__all__ = [
    "Attempt",
    "Error",
    "ExceptionRecord",
    "Item",
    "KnownNode",
    "Node",
    "Recorder",
    "Run",
    "RunInfo",
    "Slice",
    "attempts",
    "configuration",
    "document",
    "edges",
    "exceptions",
    "get_run",
    "items",
    "known",
    "list_runs",
    "mark_lost",
    "new_run_id",
    "nodes",
    "upgrade",
]
