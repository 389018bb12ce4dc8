"""Runs the tasks of a unit one after the other; an end of the process counts as a failure of the one that it was at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headwater.engine.commands import Start, StartItems
from headwater.engine.events import Event, Failed, Failure
from headwater.engine.graph import ErrorClass
from headwater.errors import WorkerDied
from headwater.runtime.failures import failure_of
from headwater.runtime.inline import InlineExecutor
from headwater.runtime.pod.deaths import AtWork
from headwater.runtime.unit import UnitFailed


class Watched(InlineExecutor):
    """An executor whose process is replaced when a task ends it. `resumes`: whether another would go on from here."""

    def __init__(
        self, at_work: AtWork, resumes: Callable[[], bool], *args: object, **options: object
    ) -> None:
        super().__init__(*args, **options)
        self._at_work = at_work
        self._resumes = resumes
        self._earlier = at_work.failed

    def _start(self, command: Start) -> Sequence[Event]:
        path, attempt = command.path, command.attempt
        failure = self._failed_before(path, attempt, None)
        if failure is not None:
            return [Failed(path, attempt, failure, self.clock())]
        self._begins(path, attempt, None)
        try:
            events = super()._start(command)
        finally:
            self._at_work.ends()
        for event in events:
            if isinstance(event, Failed):
                self._fails(path, attempt, None, event.failure)
        return events

    def runner_of(self, command: StartItems) -> Callable[[int, object], Any]:
        """What runs the items of a map."""
        from headwater.runtime.caching import retries_below  # much to load, and only for maps

        runner = super().runner_of(command)
        path, attempt = command.path, command.attempt
        # Tasks in the body of a map are tried again where they run; a process that dies takes that with it.
        retries = retries_below(self.graph, command.node)

        def run(index: int, item: object) -> Any:
            failure = self._failed_before(path, attempt, index, retries)
            if failure is not None:
                raise UnitFailed(failure.message, failure=failure)
            self._begins(path, attempt, index)
            try:
                return runner(index, item)
            except Exception as error:
                self._fails(path, attempt, index, failure_of(error, f"{self.prefix}{path}[{index}]"))
                raise
            finally:
                self._at_work.ends()

        return run

    def _begins(self, path: str, attempt: int, index: int | None) -> None:
        if self._resumes():
            self._at_work.begins(path, attempt, index)

    def _fails(self, path: str, attempt: int, index: int | None, failure: Failure) -> None:
        from headwater.runtime.pod.failures import as_data

        self._at_work.fails(path, attempt, index, as_data(failure))

    def _failed_before(self, path: str, attempt: int, index: int | None, retries: int = 0) -> Failure | None:
        """How this attempt ended in an earlier process; `retries` are deaths that do not count."""
        found = [each for each in self._earlier if (each.path, each.index) == (path, index)]
        here = [each for each in found if each.attempt == attempt]
        goes_on_later = any(each.attempt > attempt for each in found)
        if not here or (not goes_on_later and here[-1].died and len(here) <= retries):
            return None
        for each in here:  # the same attempt can come again, where a loop around it is tried again
            self._earlier.remove(each)
        where = path if index is None else f"{path}[{index}]"
        return _failure(here[-1].failure, self.prefix + where)


def _failure(data: Mapping[str, Any], where: str) -> Failure:
    from headwater.runtime.pod.failures import exception_of

    error = WorkerDied(data["message"]) if data["type"] == "WorkerDied" else exception_of(data)
    return Failure(
        data["type"],
        data["message"],
        ErrorClass(data["class"]),
        data.get("node") or where,
        data.get("traceback", ""),
        error,
    )
