"""Runs the tasks of a unit one after the other; an end of the process counts as a failure of the one that it was at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from headwater.engine.commands import Start, StartItems
from headwater.engine.events import Event, Failed, Failure
from headwater.engine.graph import ErrorClass
from headwater.errors import WorkerDied
from headwater.runtime.exits import describe_exit
from headwater.runtime.inline import InlineExecutor
from headwater.runtime.pod.deaths import AtWork, Death

T = TypeVar("T")


class Watched(InlineExecutor):
    """An executor whose process is replaced when a task ends it. `resumes`: whether another would go on from here."""

    def __init__(
        self, at_work: AtWork, resumes: Callable[[], bool], *args: object, **options: object
    ) -> None:
        super().__init__(*args, **options)
        self._at_work = at_work
        self._resumes = resumes
        self._deaths = list(at_work.deaths)

    def _start(self, command: Start) -> Sequence[Event]:
        path, attempt = command.path, command.attempt
        died = self.died_at(path, attempt, None)
        if died is not None:
            failure = Failure("WorkerDied", str(died), ErrorClass.ERROR, self.prefix + path, "", died)
            return [Failed(path, attempt, failure, self.clock())]
        return self.watched(path, attempt, None, lambda: super(Watched, self)._start(command))

    def runner_of(self, command: StartItems) -> Callable[[int, object], Any]:
        """What runs the items of a map."""
        from headwater.runtime.caching import retries_below  # much to load, and only for maps

        runner = super().runner_of(command)
        # Tasks in the body of a map are tried again where they run; a process that dies takes that with it.
        retries = retries_below(self.graph, command.node)

        def run(index: int, item: object) -> Any:
            died = self.died_at(command.path, command.attempt, index, retries)
            if died is not None:
                raise died
            return self.watched(command.path, command.attempt, index, lambda: runner(index, item))

        return run

    def died_at(self, path: str, attempt: int, index: int | None, retries: int = 0) -> WorkerDied | None:
        """What ended an earlier process at this attempt, or at a later one: then this one had failed before."""
        found = [each for each in self._deaths if (each.path, each.index) == (path, index)]
        here = [each for each in found if each.attempt == attempt]
        later = [each for each in found if each.attempt > attempt]
        if not later and len(here) <= retries:
            return None
        for each in here:  # the same attempt can come again, where a loop around it is tried again
            self._deaths.remove(each)
        return _error((here or later)[-1])

    def watched(self, path: str, attempt: int, index: int | None, work: Callable[[], T]) -> T:
        """Do something that may end this process."""
        if self._resumes():
            self._at_work.begins(path, attempt, index)
        try:
            return work()
        finally:
            self._at_work.ends()


def _error(death: Death) -> WorkerDied:
    return WorkerDied(f"the worker process {describe_exit(death.code)}")
