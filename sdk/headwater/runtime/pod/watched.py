"""Runs the tasks of a unit one after the other; an end of the process counts as a failure of what it was at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from headwater.blocks.signals import ExitPipeline
from headwater.engine.commands import Command, Decide, Measure, Start, StartItems
from headwater.engine.events import Event, Failed, Failure
from headwater.engine.graph import Task
from headwater.runtime.failures import failure_of
from headwater.runtime.inline import InlineExecutor
from headwater.runtime.interrupts import TaskInterrupted
from headwater.runtime.items import Cached
from headwater.runtime.pod.deaths import AtWork, Described, Ended, Key
from headwater.runtime.unit import UnitFailed


class Watched(InlineExecutor):
    """An executor whose process is replaced when a task ends it. `resumes`: whether another would go on from here.

    What failed in an earlier process is told again at the time when it did, in its order, and not done again.
    """

    def __init__(
        self, at_work: AtWork, resumes: Callable[[], bool], *args: object, **options: object
    ) -> None:
        super().__init__(*args, **options)
        self._at_work = at_work
        self._resumes = resumes
        self._earlier: dict[Key, deque[Ended]] = at_work.attempts()

    def _start(self, command: Start) -> Sequence[Event]:
        key: Key = (command.path, None)
        return self._again(key, command.attempt) or self._watched(
            key, lambda: super(Watched, self)._start(command)
        )

    def answer(self, command: Command) -> Sequence[Event]:
        """Do a command that needs no worker; some run the user's code."""
        if isinstance(command, Measure) or (
            isinstance(command, Decide) and isinstance(command.question, Task)
        ):
            key: Key = (command.path, getattr(command, "stage", "measure"))
            return self._again(key, 1) or self._watched(key, lambda: super(Watched, self).answer(command))
        return super().answer(command)

    def _again(self, key: Key, attempt: int) -> Sequence[Event]:
        entries = self._earlier.get(key)
        if not entries:
            return []
        ended = entries.popleft()
        return [Failed(key[0], attempt, self._failure(ended.failure, key), ended.at)]

    def _watched(self, key: Key, work: Callable[[], Sequence[Event]]) -> Sequence[Event]:
        self._begins(key)
        try:
            events = work()
        finally:
            self._at_work.ends()
        for event in events:
            if isinstance(event, Failed):
                self._fails(key, event.failure, event.at)
        return events

    def runner_of(self, command: StartItems) -> Callable[[int, object], Any]:
        """What runs the items of a map."""
        from headwater.runtime.caching import retries_below  # much to load, and only for maps

        runner = super().runner_of(command)
        path = command.path
        # Tasks in the body of a map are tried again where they run; a process that dies takes that with it.
        retries = retries_below(self.graph, command.node)

        def run(index: int, item: object) -> Any:
            key: Key = (path, index)
            ended = _that_counts(self._earlier.get(key), retries)
            if ended is not None:
                failure = self._failure(ended.failure, key)
                raise UnitFailed(failure.message, failure=failure)
            self._begins(key)
            try:
                outputs = runner(index, item)
            except (TaskInterrupted, ExitPipeline, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._fails(key, failure_of(error, f"{self.prefix}{path}[{index}]"), self.clock())
                raise
            finally:
                self._at_work.ends()
            if self._resumes():
                self._at_work.keeps(path, index, outputs.outputs if type(outputs) is Cached else outputs)
            return outputs

        return run

    def _begins(self, key: Key) -> None:
        if self._resumes():
            self._at_work.begins(key)

    def _fails(self, key: Key, failure: Failure, at: float) -> None:
        from headwater.runtime.pod.failures import as_data

        if self._resumes():
            self._at_work.fails(key, as_data(failure), at)

    def _failure(self, data: Described, key: Key) -> Failure:
        from headwater.runtime.pod.failures import failure_from

        where = f"{key[0]}[{key[1]}]" if isinstance(key[1], int) else key[0]
        return failure_from(data, self.prefix + where)


def _that_counts(entries: deque[Ended] | None, retries: int) -> Ended | None:
    """The next failure of an item: as many deaths as its tasks have retries are none."""
    deaths = 0
    while entries:
        ended = entries.popleft()
        deaths += ended.died
        if not ended.died or deaths > retries:
            return ended
    return None
