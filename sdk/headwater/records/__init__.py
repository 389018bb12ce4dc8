"""The run database: what happened in every run, written in batches off the hot path.

Records are a mirror: no decision of a running run reads them. `Recorder` writes, the functions read;
`connection.py` says why SQLite is spoken to without SQLAlchemy.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.records.lost import mark_lost
    from headwater.records.model import Attempt, Error, ExceptionRecord, Item, KnownNode, Node, Run, Slice
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
    from headwater.records.run_info import RunInfo
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

_HOMES = {
    "lost": ("mark_lost",),
    "model": ("Attempt", "Error", "ExceptionRecord", "Item", "KnownNode", "Node", "Run", "Slice"),
    "queries": (
        *("attempts", "configuration", "document", "edges", "exceptions"),
        *("get_run", "items", "known", "list_runs", "nodes"),
    ),
    "recorder": ("Recorder",),
    "run_ids": ("new_run_id",),
    "run_info": ("RunInfo",),
    "schema": ("upgrade",),
}


def __getattr__(name: str) -> object:
    # A run that is recorded does not load what only questions need.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"headwater.records.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
