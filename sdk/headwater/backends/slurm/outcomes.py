"""From what a task of a job has left to events of the engine; and who was at fault when it ended too soon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headwater.backends.pool.protocol import Problem
from headwater.backends.slurm.frames import results_in
from headwater.backends.slurm.spool import Share, Spool, Submission
from headwater.blocks.signals import Skipped
from headwater.engine.events import (
    Event,
    Failed,
    Failure,
    ItemFailed,
    ItemsSucceeded,
    Stopped,
    Succeeded,
    TaskSkipped,
)
from headwater.engine.graph import ErrorClass
from headwater.errors import TaskFailed, TaskTimeout, WorkerDied
from headwater.runtime.failures import failure_of
from headwater.runtime.items import Cached, MapJob
from headwater.runtime.remote import Left
from headwater.slurm.follow import Ended
from headwater.slurm.script import DONE, PART, marker
from headwater.slurm.states import Cause

OUTPUT_BYTES = 2000
_NOBODY = (ErrorClass.INFRASTRUCTURE, ErrorClass.PREEMPTED)
_PERHAPS_ALL = (ErrorClass.TIMEOUT, ErrorClass.OOM)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the engine is told, and which shares of a map are to run again without its being told."""

    events: Sequence[Event]
    again: Sequence[Share] = ()


class Outcomes:
    """Reads the results of one run's jobs."""

    def __init__(self, out: str, spool: Spool, clock: Callable[[], float]) -> None:
        self._out = Path(out)
        self._spool = spool
        self._clock = clock
        self._deaths: dict[tuple[str, int], int] = {}

    def done(self, submission: Submission, index: int, mapped: MapJob | None) -> Sequence[Event]:
        """A task has left its whole result."""
        results = self._read(submission, index, DONE)
        events, missing = self._told(submission, index, results, mapped)
        if missing:
            cause = Cause(ErrorClass.ERROR, "WorkerDied", "the job has left a result that cannot be read")
            events += [self._failed(submission, item, cause, "") for item in missing]
        return events

    def ended(self, submission: Submission, seen: Ended, mapped: MapJob | None, retries: int) -> Verdict:
        """A task has ended before its time: what it had done counts, then somebody is at fault or nobody."""
        results = self._read(submission, seen.index, PART)
        events, rest = self._told(submission, seen.index, results, mapped)
        if not rest:
            return Verdict(events)
        cause = seen.cause
        output = self._output(submission, seen.index)
        share = submission.shares[seen.index]
        if not submission.is_map or cause.error_class in _NOBODY or seen.state == "CANCELLED":
            return Verdict(events + [self._failed(submission, item, cause, output) for item in rest])
        first, others = rest[0], rest[1:]
        # Time and memory are shared by all items of a task: an item is at fault only when it had them to itself.
        if cause.error_class in _PERHAPS_ALL and (first != share[0] or not seen.alone):
            return Verdict(events, [rest])
        again = [others] if others else []
        died = self._deaths.get((submission.path, first), 0)
        if cause.type == "WorkerDied" and died < retries:
            # Tasks in the body of a map are retried where they run; a dead worker takes that with it.
            self._deaths[submission.path, first] = died + 1
            return Verdict(events, [(first,), *again])
        return Verdict([*events, self._failed(submission, first, cause, output)], again)

    # ---------------------------------------------------------------- results

    def _read(self, submission: Submission, index: int, what: str) -> list[tuple[int, str, Any]]:
        try:
            content = (self._out / marker(submission.name, index, what)).read_bytes()
        except OSError:
            return []
        return [(item, outcome, value) for item, outcome, value in results_in(content)]

    def _told(
        self,
        submission: Submission,
        index: int,
        results: Sequence[tuple[int, str, Any]],
        mapped: MapJob | None,
    ) -> tuple[list[Event], Share]:
        """The events that results come to, and the items of the share that have none."""
        wanted = submission.shares[index]
        events: list[Event] = []
        seen: set[int] = set()
        good: list[int] = []
        cached = 0
        for item, outcome, value in results:
            if outcome == "unloadable":
                failure = _raised(value, submission.path)
                return [Failed(submission.path, submission.attempt, failure, self._clock())], ()
            if item not in wanted or item in seen:
                continue
            seen.add(item)
            if isinstance(value, Left):
                now = self._clock()
                return [*events, Stopped(now, kill=True, reason="exit_pipeline()", code=value.code)], ()
            if outcome == "raised":
                events.append(self._raised_event(submission, item, value))
            elif not submission.is_map:
                events.append(self._returned(submission, value))
            elif mapped is not None:
                if type(value) is Cached:
                    cached += 1
                    value = value.outputs
                mapped.results[item] = value
                good.append(item)
        if good:
            events.insert(0, ItemsSucceeded(submission.path, _ranges(good), self._clock(), cached))
        return events, tuple(item for item in wanted if item not in seen)

    def _returned(self, submission: Submission, value: Any) -> Event:
        if isinstance(value, Skipped):
            return TaskSkipped(submission.path, submission.attempt, self._clock())
        return Succeeded(submission.path, submission.attempt, value, self._clock())

    def _raised_event(self, submission: Submission, item: int, problem: Problem) -> Event:
        self._spool.note_failed(submission, item)
        where = f"{submission.path}[{item}]" if submission.is_map else submission.path
        return self._event(submission, item, _raised(problem, where))

    def _failed(self, submission: Submission, item: int, cause: Cause, output: str) -> Event:
        self._spool.note_failed(submission, item)
        where = f"{submission.path}[{item}]" if submission.is_map else submission.path
        late = cause.error_class is ErrorClass.TIMEOUT
        error = TaskTimeout(cause.message) if late else WorkerDied(cause.message)
        return self._event(
            submission, item, Failure(cause.type, cause.message, cause.error_class, where, output, error)
        )

    def _event(self, submission: Submission, item: int, failure: Failure) -> Event:
        now = self._clock()
        if submission.is_map:
            return ItemFailed(submission.path, item, submission.attempt, failure, now)
        return Failed(submission.path, submission.attempt, failure, now)

    def _output(self, submission: Submission, index: int) -> str:
        """The end of what the job has printed past Python: what killed it often says so there."""
        file = self._spool.folder / "log" / f"{submission.name}.{index}.out"
        try:
            content = file.read_bytes()[-OUTPUT_BYTES:]
        except OSError:
            return ""
        return content.decode(errors="replace")


def _raised(problem: Problem, where: str) -> Failure:
    error = problem.exception()
    if problem.traceback:
        error.__dict__["__headwater_traceback__"] = problem.traceback
    failure = failure_of(error, where)
    if type(error) is TaskFailed:  # it stands in for an exception that could not travel
        failure = replace(failure, type=problem.type, message=problem.message)
    return failure


def _ranges(items: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Items as half-open ranges.

    >>> _ranges([0, 1, 2, 5])
    ((0, 3), (5, 6))
    """
    found: list[tuple[int, int]] = []
    for item in sorted(items):
        if found and found[-1][1] == item:
            found[-1] = (found[-1][0], item + 1)
        else:
            found.append((item, item + 1))
    return tuple(found)
