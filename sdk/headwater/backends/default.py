"""The `default` backend: everything in this process, one task after the other, objects passed as they are."""

from __future__ import annotations

from collections.abc import Mapping

from headwater.engine import Graph
from headwater.runtime.caching import CacheAccess
from headwater.runtime.code import Code
from headwater.runtime.inline import InlineExecutor

SLOTS = 1
MAP_SLOTS = True
QUEUED = False


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
) -> InlineExecutor:
    """An executor that runs in the calling thread; `workers`, `log` and `echo` are for backends with processes."""
    return InlineExecutor(graph, code, cache=cache, known_items=known_items)
