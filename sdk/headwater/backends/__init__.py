"""Carry a compiled workflow out: `run` with a backend, follow it, control it from another process.

Names load on first use: a worker process imports `headwater.backends.pool` and needs none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.backends.documents import compiled_document
    from headwater.backends.result import ItemCounts, NodeRecord, RunError, RunResult
    from headwater.backends.session import run

__all__ = ["ItemCounts", "NodeRecord", "RunError", "RunResult", "compiled_document", "run"]

_HOMES = {
    "compiled_document": "documents",
    "ItemCounts": "result",
    "NodeRecord": "result",
    "RunError": "result",
    "RunResult": "result",
    "run": "session",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
