"""A unit that is a whole block: an engine of its own inside, one task after the other in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from headwater.blocks.signals import ExitPipeline, Skipped
from headwater.document.unit import TaskRecord, UnitReport
from headwater.engine import Engine, Known, Phase
from headwater.engine.composite import every_end_skipped
from headwater.engine.events import Failure
from headwater.engine.graph import Block, ErrorClass, Graph, Task
from headwater.errors import DocumentError, StoreError, TaskTimeout
from headwater.runtime.code import Code
from headwater.runtime.driver import Driver
from headwater.runtime.inline import InlineExecutor
from headwater.runtime.pod.deaths import AtWork
from headwater.runtime.pod.journal import Journal
from headwater.runtime.pod.ledger import Ledger
from headwater.runtime.pod.lines import prefixed_lines
from headwater.runtime.pod.task import reported
from headwater.runtime.pod.watched import Watched
from headwater.runtime.pod.work import Work


def run(work: Work) -> UnitReport:
    """Run the block, or find its outputs in the cache; the report says how each of its tasks ended."""
    code = work.code()
    work.match(code, _block_of(work))
    unit = _Unit(work, code)
    cache = work.cache if unit.caches else None
    if cache is None or not unit.cached_as_a_whole:
        return unit.run(work.inputs)
    inputs = work.inputs
    with cache.claimed(work.node, inputs, work.graph, code) as entry:
        if entry.hit is not None:
            return reported(work, entry.hit, cached=1)
        report = unit.run(inputs)
        if unit.outputs is not None:
            entry.store(unit.outputs)
        return report


class _Unit:
    def __init__(self, work: Work, code: Code) -> None:
        spec = work.spec
        self.work = work
        self.code = code
        self.prefix = f"{spec.path}/" if spec.path else ""
        self.outputs: Mapping[str, object] | None = None
        self.graph = self._inner()

    def _inner(self) -> Graph:
        graph = self.work.graph
        policy = replace(graph.policy, on_exit=None, timeout=self._timeout, parallelism=None)
        return replace(graph, entrypoint=_block_of(self.work), policy=policy)

    @property
    def _timeout(self) -> float | None:
        return self.work.node.policy.timeout if self.work.spec.node else None

    @property
    def cached_as_a_whole(self) -> bool:
        return bool(self.work.spec.node) and self.work.node.policy.cache != "off"

    @property
    def caches(self) -> bool:
        inner = (node for block in self.graph.blocks.values() for node in block.nodes)
        return self.cached_as_a_whole or any(node.policy.cache != "off" for node in inner)

    def run(self, inputs: Mapping[str, object]) -> UnitReport:
        work = self.work
        journal = Journal(work.values, work.spec.run, work.spec.path)
        at_work = work.at_work
        if at_work is not None:
            self._adopt(journal, at_work)
        engine = Engine(self.graph, inputs, name=work.spec.name, known=journal.known, slots=1)
        executor = self._executor(journal)
        ledger = Ledger(self.prefix, journal, executor, at_work)
        driver = Driver(engine, executor, clock=time.time, watchers=[ledger])
        executor.seconds_to_next_timer = driver.seconds_to_next_timer
        work.termination.driver = driver
        try:
            with prefixed_lines(not _is_single(self.graph.blocks[self.graph.entrypoint])):
                work.termination.check()
                driver.run(None if at_work is None else at_work.began)
        finally:
            work.termination.driver = None
            executor.release_claims()
            ledger.close()
        work.termination.check()
        return self._ended(engine, ledger.records)

    def _adopt(self, journal: Journal, at_work: AtWork) -> None:
        """Know what an earlier process of this pod has left: what failed for good, and items that had ended well."""
        from headwater.runtime.pod.failures import failure_from

        for path, final in at_work.finals().items():
            failure = failure_from(final.failure, self.prefix + path)
            journal.known[path] = Known(Phase.FAILED, failure=failure)
            (journal.records[path],) = UnitReport.from_json({"tasks": [final.record]}).tasks
        for path, results in at_work.kept().items():
            journal.items_ended(path, results)
            journal.known_items.setdefault(path, {}).update(results)
        at_work.flushed()

    def _executor(self, journal: Journal) -> InlineExecutor:
        cache = self.work.cache if self.caches else None
        options = {"cache": cache, "prefix": self.prefix, "known_items": journal.known_items}
        at_work = self.work.at_work
        if at_work is None:
            return InlineExecutor(self.graph, self.code, **options)
        return Watched(at_work, lambda: journal.is_open, self.graph, self.code, **options)

    def _ended(self, engine: Engine, tasks: tuple[TaskRecord, ...]) -> UnitReport:
        if engine.stopping is not None and engine.stopping.code is not None:
            raise ExitPipeline(engine.stopping.code)
        if engine.phase is not Phase.SUCCEEDED:
            return UnitReport(failure=self._failure(engine), tasks=tasks)
        assert engine.root is not None
        if every_end_skipped(engine.root):
            return reported(self.work, Skipped(), tasks=tasks)
        self.outputs = engine.outputs
        try:
            return reported(self.work, engine.outputs, tasks=tasks)
        except StoreError as error:  # beside it, the report says how the tasks ended
            return UnitReport(failure=self.work.described(error), tasks=tasks)

    def _failure(self, engine: Engine) -> Mapping[str, object]:
        from headwater.runtime.pod.failures import as_data

        failure = engine.error or Failure("Cancelled", "the unit was cancelled")
        if failure.error_class is ErrorClass.TIMEOUT and not failure.node:
            late = TaskTimeout(f"ran longer than its timeout of {self._timeout:g} s")
            return as_data(replace(failure, message=late.message, node=self.work.spec.path, exception=late))
        where = failure.node
        if not where.startswith(self.prefix):  # the engine inside said it, and it knows only the block
            where = self.prefix + where
        return as_data(replace(failure, node=where))


def _block_of(work: Work) -> str:
    if not work.spec.node:
        return work.spec.block
    called = (work.written.get("call") or {}).get("block")
    if called is None:
        raise DocumentError(f"{work.spec.path!r} calls no block, and cannot be run as one")
    return str(called)


def _is_single(block: Block) -> bool:
    return len(block.nodes) == 1 and isinstance(block.nodes[0].kind, Task)
