"""A unit that is one Python task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from headwater.blocks.signals import Skipped
from headwater.document.unit import TaskRecord, UnitReport
from headwater.errors import TaskTimeout
from headwater.runtime import scope
from headwater.runtime.code import Code
from headwater.runtime.interrupts import TaskInterrupted, deadline
from headwater.runtime.pod.lines import prefixed_lines
from headwater.runtime.pod.outputs import fit
from headwater.runtime.pod.report import fits
from headwater.runtime.pod.work import Work


def run(work: Work) -> UnitReport:
    """Call the task, or find its outputs in the cache."""
    ref = work.written["task"]
    code = work.code([ref])
    work.resolved(code, ref)
    inputs = work.inputs
    cache = work.cache if (work.policy("cache") or "off") != "off" else None
    if cache is None:
        return reported(work, _called(work, code, ref, inputs))
    with cache.claimed(work.node, inputs, work.graph, code) as entry:
        if entry.hit is not None:
            return reported(work, entry.hit, cached=1)
        outputs = _called(work, code, ref, inputs)
        if not isinstance(outputs, Skipped):
            entry.store(outputs)
        return reported(work, outputs)


def reported(
    work: Work,
    outputs: Mapping[str, object] | Skipped,
    *,
    cached: int = 0,
    tasks: tuple[TaskRecord, ...] = (),
) -> UnitReport:
    """The report of a unit that ended well. Where the records of its tasks have room, its outputs leave it."""
    if isinstance(outputs, Skipped):
        return UnitReport(skipped=True, tasks=tasks)
    beside = UnitReport(outputs={}, cached=cached, tasks=tasks, at=(1e9, 1e9))
    if not work.values.url or not fits(beside):
        beside = replace(beside, tasks=())
    found = fit(outputs, work.values, lambda them: fits(replace(beside, outputs=them)))
    return UnitReport(outputs=found, cached=cached, tasks=tasks)


def _called(work: Work, code: Code, ref: str, inputs: Mapping[str, object]) -> Mapping[str, object] | Skipped:
    with prefixed_lines(False), within(work.timeout), work.termination.task():
        try:
            return code.run_task(ref, inputs)
        finally:
            scope.end()


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Raise `TaskTimeout` when what is inside takes longer; its traceback shows where it was."""
    try:
        with deadline(seconds):
            yield
    except TaskInterrupted as interrupted:
        if seconds is None:
            raise
        late = TaskTimeout(f"ran longer than its timeout of {seconds:g} s")
        raise late.with_traceback(interrupted.__traceback__) from None
