"""Run a whole block in this process, with an engine of its own, and give back its outputs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from headwater.engine import Engine, Graph, Phase
from headwater.engine.composite import every_end_skipped
from headwater.engine.events import Failure
from headwater.errors import TaskFailed
from headwater.runtime.code import Code
from headwater.runtime.driver import Driver
from headwater.runtime.inline import InlineExecutor

if TYPE_CHECKING:
    from headwater.runtime.caching import CacheAccess


class UnitFailed(TaskFailed):
    """A task inside a unit failed; `failure` says which, and holds its exception."""

    code = "HW015"

    def __init__(self, message: str, *, fix: str = "", failure: Failure | None = None) -> None:
        super().__init__(message, fix=fix)
        self.failure = failure


def run_unit(
    graph: Graph,
    block: str,
    inputs: Mapping[str, object],
    code: Code,
    path: str,
    cache: CacheAccess | None,
) -> Mapping[str, object] | None:
    """Run `block` to its end; None when everything at its end was skipped.

    Raises:
        UnitFailed: a task in it failed.
    """
    inner = replace(graph, entrypoint=block, policy=replace(graph.policy, on_exit=None, timeout=None))
    engine = Engine(inner, inputs, slots=1)
    executor = InlineExecutor(inner, code, cache=cache, prefix=f"{path}/")
    Driver(engine, executor, clock=time.time).run()
    if engine.phase is Phase.SUCCEEDED:
        assert engine.root is not None
        return None if every_end_skipped(engine.root) else engine.outputs
    failure = engine.error or Failure("Cancelled", "the unit was cancelled")
    where = failure.node or path
    if not where.startswith(path):  # the engine inside said it, and it knows only the block
        where = f"{path}/{where}"
    raise UnitFailed(failure.message, failure=replace(failure, node=where))
