"""Carry a compiled workflow out: `run` with a backend, follow it, control it from another process."""

from headwater.backends.documents import compiled_document
from headwater.backends.result import ItemCounts, NodeRecord, RunError, RunResult
from headwater.backends.session import run

__all__ = ["ItemCounts", "NodeRecord", "RunError", "RunResult", "compiled_document", "run"]
