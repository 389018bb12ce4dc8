"""The run database: what happened in every run, written in batches off the hot path.

Records are a mirror: no decision of a running run reads them. `Recorder` writes, the functions read;
`connection.py` says why SQLite is spoken to without SQLAlchemy.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.records.lost import mark_lost as mark_lost
    from headwater.records.model import Attempt as Attempt
    from headwater.records.model import Error as Error
    from headwater.records.model import ExceptionRecord as ExceptionRecord
    from headwater.records.model import Item as Item
    from headwater.records.model import KnownNode as KnownNode
    from headwater.records.model import Node as Node
    from headwater.records.model import Run as Run
    from headwater.records.model import Slice as Slice
    from headwater.records.queries import attempts as attempts
    from headwater.records.queries import configuration as configuration
    from headwater.records.queries import document as document
    from headwater.records.queries import edges as edges
    from headwater.records.queries import exceptions as exceptions
    from headwater.records.queries import get_run as get_run
    from headwater.records.queries import items as items
    from headwater.records.queries import known as known
    from headwater.records.queries import list_runs as list_runs
    from headwater.records.queries import nodes as nodes
    from headwater.records.recorder import Recorder as Recorder
    from headwater.records.run_ids import new_run_id as new_run_id
    from headwater.records.run_info import RunInfo as RunInfo
    from headwater.records.schema import upgrade as upgrade

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
