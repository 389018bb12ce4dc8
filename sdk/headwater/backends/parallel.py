"""The `parallel` backend: worker processes that stay alive; branches side by side, maps in chunks."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from headwater.backends.pool import (
    Died,
    ItemDied,
    ItemRaised,
    ItemsReturned,
    JobStarted,
    Raised,
    Returned,
    shared_pool,
)
from headwater.blocks.signals import Skipped
from headwater.engine import Graph
from headwater.engine.commands import Cancel, Command, Start, StartItems, StoreCached
from headwater.engine.events import (
    Event,
    Failed,
    Failure,
    ItemFailed,
    ItemsSucceeded,
    Started,
    Stopped,
    Succeeded,
    TaskSkipped,
)
from headwater.engine.graph import ErrorClass
from headwater.errors import TaskFailed, WorkerDied
from headwater.runtime.caching import CacheAccess, retries_below
from headwater.runtime.carry import kept
from headwater.runtime.code import Code, live_inputs
from headwater.runtime.failures import failure_of
from headwater.runtime.inline import LocalExecutor
from headwater.runtime.items import Cached
from headwater.runtime.remote import ItemCall, Left, Place, TaskCall

MAP_SLOTS = False
QUEUED = False
CACHE_POLL_SECONDS = 0.02
_runs = itertools.count()


def SLOTS(workers: int | None) -> int:  # noqa: N802  # a backend offers SLOTS, here it depends on the workers
    """How many tasks run at once: one for each worker."""
    return workers or len(os.sched_getaffinity(0))


@dataclass(slots=True)
class _Job:
    """A command that a worker carries out."""

    path: str
    attempt: int


class ParallelExecutor(LocalExecutor):
    """Gives tasks and items to worker processes; questions are answered in this process."""

    interruptible = False

    def __init__(
        self,
        graph: Graph,
        code: Code,
        *,
        workers: int | None = None,
        log: str | None = None,
        echo: bool = True,
        store: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(graph, code, **options)
        self._pool = shared_pool(workers)
        self._temporary = None if store is not None else tempfile.mkdtemp(prefix="headwater-")
        self._place = Place.here(log, echo, store or self._temporary)
        self._run = next(_runs)
        self._ids = itertools.count()
        self._jobs: dict[str, _Job] = {}
        self._local: list[Command] = []
        self._calls: dict[str, str] = {}
        self._retries: dict[str, int] = {}
        self._deaths: dict[tuple[str, int], int] = {}
        self._task_call = self._share("tasks", TaskCall(graph, code, self.cache, self._place))

    def _share(self, name: str, value: Callable[..., object]) -> str:
        key = f"{self._run}/{name}"
        self._pool.share(key, value)
        return key

    def submit(self, command: Command) -> None:
        """Hand a command to a worker, or keep it for the next `wait`."""
        if isinstance(command, Start):
            job = self._new_job(command.path, command.attempt)
            inputs = kept(live_inputs(command.inputs), self._place.store)
            self._pool.call(job, self._task_call, (command.path, command.attempt, command.body, inputs))
        elif isinstance(command, StartItems):
            self._start_items(command)
        elif isinstance(command, Cancel):
            self._cancel(command.path)
        elif isinstance(command, StoreCached):
            self.store(command)
        else:
            self._local.append(command)

    def _new_job(self, path: str, attempt: int) -> str:
        key = f"{self._run}/{next(self._ids)}"
        self._jobs[key] = _Job(path, attempt)
        return key

    def _start_items(self, command: StartItems) -> None:
        mapped = self.maps[command.path]
        runner = self.item_runner(command.path, mapped)
        runner.broadcast = dict(kept(runner.broadcast, self._place.store))
        shared = self._share(
            f"{command.path}#{next(self._ids)}", ItemCall(runner, command.attempt, self._place)
        )
        job = self._new_job(command.path, command.attempt)
        self._calls[job] = shared
        self._retries[command.path] = retries_below(self.graph, mapped.node)
        self._pool.items(job, shared, command.ranges, mapped.slice, limit=command.map.parallelism)

    def _cancel(self, path: str) -> None:
        for key, job in list(self._jobs.items()):
            if job.path == path:
                del self._jobs[key]
                self._pool.cancel(key)
        self.maps.pop(path, None)
        self.parked = [command for command in self.parked if command.path != path]

    def wait(self, seconds: float | None) -> Sequence[Event]:
        """Answer what can be answered here, else wait for the workers."""
        if self.early:
            early, self.early = self.early, []
            return early
        if self._local:
            local, self._local = self._local, []
            return [event for command in local for event in self.answer(command)]
        patience = 0.5 if seconds is None else min(seconds, 0.5)
        if self.parked:
            patience = min(patience, CACHE_POLL_SECONDS)
        events: list[Event] = []
        for report in self._pool.poll(patience):
            events += self._events_of(report)
        if self.parked and not events:
            events += self.look_again()
        return events

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._jobs and not self._local and not self.parked

    def _events_of(self, report: object) -> Sequence[Event]:
        key: str = report.job_id  # type: ignore[attr-defined]  # every report of the pool has one
        job = self._jobs.get(key)
        if job is None:
            return []
        now = self.clock()
        match report:
            case JobStarted():
                return [Started(job.path, job.attempt, now)]
            case Returned(_, value):
                del self._jobs[key]
                return [self._returned(job, value, now)]
            case Raised():
                del self._jobs[key]
                failure = _failure(report, job.path)
                return [Failed(job.path, job.attempt, failure, now)]
            case Died():
                del self._jobs[key]
                return [Failed(job.path, job.attempt, _death(job.path, report.message), now)]
            case ItemsReturned(_, start, values):
                return self._items_returned(job, start, values, now)
            case ItemRaised():
                where = f"{job.path}[{report.index}]"
                failure = _failure(report, where)
                return [ItemFailed(job.path, report.index, job.attempt, failure, now)]
            case ItemDied():
                if self._tries_again(key, job, report.index):
                    return []
                where = f"{job.path}[{report.index}]"
                return [ItemFailed(job.path, report.index, job.attempt, _death(where, report.message), now)]
        return []

    def _tries_again(self, key: str, job: _Job, index: int) -> bool:
        """Send an item again whose worker died in a task that is to be retried.

        Tasks in the body of a map are retried where they run; a dead worker takes that with it.
        """
        limit = self._retries.get(job.path, 0)
        mapped = self.maps.get(job.path)
        deaths = self._deaths.get((job.path, index), 0)
        if mapped is None or deaths >= limit:
            return False
        self._deaths[job.path, index] = deaths + 1
        self._pool.items(
            key, self._calls[key], [(index, index + 1)], mapped.slice, limit=mapped.map.parallelism
        )
        return True

    def _returned(self, job: _Job, value: object, now: float) -> Event:
        if isinstance(value, Left):
            return Stopped(now, kill=True, reason="exit_pipeline()", code=value.code)
        if isinstance(value, Skipped):
            return TaskSkipped(job.path, job.attempt, now)
        assert isinstance(value, Mapping)
        return Succeeded(job.path, job.attempt, value, now)

    def _items_returned(self, job: _Job, start: int, values: Sequence[object], now: float) -> Sequence[Event]:
        mapped = self.maps.get(job.path)
        if mapped is None:
            return []
        cached = 0
        for index, value in enumerate(values, start):
            if type(value) is Cached:
                cached += 1
                value = value.outputs
            elif type(value) is Left:
                return [Stopped(now, kill=True, reason="exit_pipeline()", code=value.code)]
            mapped.results[index] = value
        return [ItemsSucceeded(job.path, ((start, start + len(values)),), now, cached)]

    def close(self) -> None:
        """End what still runs for this run and let the next one have the workers."""
        self._jobs.clear()
        self._pool.close()

    def discard_values(self) -> None:
        """Take away the folder of large values; what the run gave back has been read by then."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def _failure(report: Raised | ItemRaised, where: str) -> Failure:
    error = report.exception
    if report.traceback:
        error.__dict__["__headwater_traceback__"] = report.traceback
    failure = failure_of(error, where)
    if type(error) is TaskFailed:  # it stands in for an exception that could not travel
        failure = replace(failure, type=report.type, message=report.message)
    return failure


def _death(path: str, message: str) -> Failure:
    died = WorkerDied(f"the worker process {message}")
    return Failure("WorkerDied", str(died), ErrorClass.ERROR, path, "", died)


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
) -> ParallelExecutor:
    """An executor on worker processes; by default one for each core, shared by all runs of this process."""
    return ParallelExecutor(
        graph,
        code,
        workers=workers,
        log=log,
        echo=echo,
        store=store,
        cache=cache,
        known_items=known_items,
    )
