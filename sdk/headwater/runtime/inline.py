"""Carry commands out in this process, one after the other."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headwater.blocks.signals import ExitPipeline, Skipped
from headwater.engine.commands import (
    Cancel,
    Collect,
    Command,
    Decide,
    Lookup,
    Measure,
    Start,
    StartItems,
    StoreCached,
)
from headwater.engine.events import (
    CacheMissed,
    Collected,
    Decided,
    Event,
    Failed,
    Failure,
    ItemFailed,
    ItemsSucceeded,
    Sized,
    Started,
    Stopped,
    Succeeded,
    TaskSkipped,
)
from headwater.engine.graph import Call, Container, ErrorClass, Graph, Map, Task, Test
from headwater.errors import TargetError, TaskTimeout
from headwater.runtime import capture, scope
from headwater.runtime.code import Code, live, live_inputs
from headwater.runtime.failures import failure_of
from headwater.runtime.interrupts import TaskInterrupted, deadline
from headwater.runtime.items import Cached, ItemRunner, MapJob, collect, sequences_of

if TYPE_CHECKING:
    from headwater.runtime.caching import CacheAccess, ClaimedEntry
    from headwater.runtime.facts import RunFacts

ITEM_SLICE_SECONDS = 0.05
BUSY_CACHE_POLL_SECONDS = 0.02


def _passes_signal_on(error: BaseException) -> bool:
    """Whether a signal ended a run that the task itself had started: then it is meant for this run too."""
    signum = getattr(error, "signum", None)
    if not isinstance(error, KeyboardInterrupt):
        return False
    signal.raise_signal(signum if isinstance(signum, int) else signal.SIGINT)
    return True


class LocalExecutor:
    """What every executor on this machine shares: questions, measuring, collecting and the cache."""

    def __init__(
        self,
        graph: Graph,
        code: Code,
        *,
        cache: CacheAccess | None = None,
        prefix: str = "",
        known_items: Mapping[str, Mapping[int, Mapping[str, object]]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.graph = graph
        self.code = code
        self.cache = cache
        self.prefix = prefix
        self.known_items = known_items or {}
        self.clock = clock
        self.maps: dict[str, MapJob] = {}
        self.claims: dict[str, ClaimedEntry] = {}
        self.parked: list[Lookup] = []
        self.early: list[Event] = []

    def answer(self, command: Command) -> Sequence[Event]:
        """Do a command that needs no worker."""
        try:
            if isinstance(command, Decide):
                return self._decide(command)
            if isinstance(command, Measure):
                return [self._measure(command)]
            if isinstance(command, Collect):
                return [self._collect(command)]
            if isinstance(command, Lookup):
                return self._lookup(command)
        except ExitPipeline as leave:
            return [Stopped(self.clock(), kill=True, reason="exit_pipeline()", code=leave.code)]
        except Exception as error:
            path = getattr(command, "path", "")
            return [
                Failed(
                    path, getattr(command, "attempt", 1), failure_of(error, self.prefix + path), self.clock()
                )
            ]
        return []

    def _decide(self, command: Decide) -> Sequence[Event]:
        question = command.question
        if isinstance(question, Task):
            answer = self.code.decide(question.ref, live_inputs(command.inputs))
        else:
            answer = tested(question, live(command.value))
        return [Decided(command.path, command.stage, answer, self.clock())]

    def _measure(self, command: Measure) -> Event:
        kind = command.node.kind
        assert isinstance(kind, Map)
        sequences = sequences_of(command.over)
        total = len(next(iter(sequences.values()))) if sequences else 0
        broadcast = {name: live(value) for name, value in command.inputs.items()}
        job = MapJob(command.node, kind, sequences, broadcast, total)
        known = self.known_items.get(command.path, {})
        job.results.update({index: outputs for index, outputs in known.items() if index < total})
        self.maps[command.path] = job
        done = tuple((index, index + 1) for index in sorted(job.results))
        return Sized(command.path, total, self.clock(), done)

    def _collect(self, command: Collect) -> Event:
        job = self.maps.pop(command.path, None)
        results = command.items if command.items is not None else job.results if job else {}
        outputs = collect(
            self.graph, command.map, command.total, results, command.failed, self.output_names(command.map)
        )
        return Collected(command.path, outputs, self.clock())

    def output_names(self, mapped: Map) -> list[str]:
        """The names that an item's outputs have, known even when there is no item."""
        body = mapped.body
        if isinstance(body, Call):
            return list(self.graph.blocks[body.block].outputs)
        if isinstance(body, Container):
            return []
        return list(self.code.task(body.ref).outputs)

    def _lookup(self, command: Lookup) -> Sequence[Event]:
        if self.cache is None:
            return [CacheMissed(command.path, self.clock())]
        entry = self.cache.try_claim(command.node, command.inputs, self.graph, self.code)
        if entry is None:
            self.parked.append(command)
            return []
        if entry.hit is not None:
            return [Succeeded(command.path, command.attempt, entry.hit, self.clock(), cached=True)]
        self.claims[command.path] = entry
        return [CacheMissed(command.path, self.clock())]

    def store(self, command: StoreCached) -> None:
        """Keep outputs at once: the run may end with the very next event."""
        entry = self.claims.pop(command.path, None)
        if entry is not None:
            try:
                if command.outputs is not None:
                    entry.store(command.outputs)
            finally:
                entry.release()
        if self.parked:
            self.early += self.look_again()

    def look_again(self) -> Sequence[Event]:
        """Ask once more for entries that somebody else was computing."""
        parked, self.parked = self.parked, []
        return [event for command in parked for event in self.answer(command)]

    def item_runner(self, path: str, job: MapJob) -> ItemRunner:
        """What runs the items of a map."""
        return ItemRunner(
            self.prefix + path,
            job.node,
            self.graph,
            self.code,
            list(job.sequences),
            job.broadcast,
            self.cache,
        )

    def begin(self, facts: RunFacts) -> None:
        """Get ready for a run; what the executor cannot do is refused here, before anything is written."""

    def close(self) -> None:
        """End what still runs."""

    def discard_values(self) -> None:
        """Take away what was kept only while the run went on."""

    def release_claims(self) -> None:
        """Let go of every cache entry in hand: the run is over."""
        for entry in self.claims.values():
            entry.release()
        self.claims.clear()
        self.parked.clear()


def tested(test: Test, value: object) -> bool:
    """The answer to a test of a value."""
    if test.operator == "exists":
        return value is not None
    return (value in test.values) == (test.operator == "in")


class InlineExecutor(LocalExecutor):
    """Runs everything in the calling thread, in the order in which it was asked for."""

    seconds_to_next_timer: Callable[[], float | None] | None = None

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]  # the same arguments
        self._queue: deque[Command] = deque()
        self._items: deque[tuple[StartItems, Callable[[int, object], Any], deque[tuple[int, int]]]] = deque()
        self._announced: Start | StartItems | None = None
        self.interruptible = False

    def submit(self, command: Command) -> None:
        """Put a command into the queue."""
        if type(command) is Cancel:
            self._cancel(command.path)
        elif type(command) is StoreCached:
            self.store(command)
        elif type(command) is StartItems:
            self._items.append((command, self.runner_of(command), deque(command.ranges)))
        else:
            self._queue.append(command)

    def runner_of(self, command: StartItems) -> Callable[[int, object], Any]:
        """What runs the items of a map."""
        return self.item_runner(command.path, self.maps[command.path])

    @property
    def idle(self) -> bool:
        """Whether nothing is queued."""
        return not self._queue and not self._items and not self.parked

    def wait(self, seconds: float | None) -> Sequence[Event]:
        """Do the next thing in the queue; with an empty queue, sleep for at most `seconds`."""
        if self.early:
            early, self.early = self.early, []
            return early
        if self._queue:
            command = self._queue[0]
            if type(command) is Start and self._must_announce(command):
                return self._announce(command)
            self._queue.popleft()
            return self._start(command) if type(command) is Start else self.answer(command)
        if self._items:
            items = self._items[0][0]
            return self._announce(items) if self._must_announce(items) else self._some_items()
        if self.parked:
            time.sleep(BUSY_CACHE_POLL_SECONDS)
            return self.look_again()
        time.sleep(0.2 if seconds is None else min(seconds, 0.2))
        return []

    def _must_announce(self, command: Start | StartItems) -> bool:
        """Whether it has a time to start in: then it must be seen to start."""
        return command.node.policy.queue_timeout is not None and command is not self._announced

    def _announce(self, command: Start | StartItems) -> Sequence[Event]:
        self._announced = command
        return [Started(command.path, command.attempt, self.clock())]

    def _cancel(self, path: str) -> None:
        self._queue = deque(c for c in self._queue if getattr(c, "path", None) != path)
        self._items = deque(entry for entry in self._items if entry[0].path != path)
        self.maps.pop(path, None)
        self.parked = [command for command in self.parked if command.path != path]

    def _start(self, command: Start) -> Sequence[Event]:
        path, attempt = command.path, command.attempt
        limit = command.node.policy.timeout
        patience = self._patience(limit)
        began = time.monotonic()
        capture.enter(self.prefix + path, attempt, None)
        try:
            self.interruptible = True
            if patience is None:
                outputs = self._call(command)
            else:
                with deadline(patience):
                    outputs = self._call(command)
            self.interruptible = False
        except TaskInterrupted:
            if limit is None or time.monotonic() - began < limit * 0.999:
                return self._interrupted()
            late = TaskTimeout(f"ran longer than its timeout of {limit:g} s")
            failure = Failure("Timeout", str(late), ErrorClass.TIMEOUT, self.prefix + path, "", late)
            return [Failed(path, attempt, failure, self.clock())]
        except ExitPipeline as leave:
            return [Stopped(self.clock(), kill=True, reason="exit_pipeline()", code=leave.code)]
        except BaseException as error:
            if _passes_signal_on(error):
                return []
            return [Failed(path, attempt, failure_of(error, self.prefix + path), self.clock())]
        finally:
            self.interruptible = False
            scope.end()
            capture.leave()
        if type(outputs) is Skipped:
            return [TaskSkipped(path, attempt, self.clock())]
        assert not isinstance(outputs, Skipped)
        return [Succeeded(path, attempt, outputs, self.clock())]

    def _interrupted(self) -> Sequence[Event]:
        """A timer of this run is due, or it was told to end: that event follows. In a unit, it is the outer run's."""
        timer = self.seconds_to_next_timer() if self.seconds_to_next_timer is not None else None
        if self.prefix and (timer is None or timer > 0):
            raise TaskInterrupted
        return []

    def _patience(self, limit: float | None) -> float | None:
        timer = self.seconds_to_next_timer() if self.seconds_to_next_timer is not None else None
        if limit is None or timer is None:
            return limit if timer is None else timer
        return min(limit, timer)

    def _call(self, command: Start) -> Mapping[str, object] | Skipped:
        body = command.body
        inputs = live_inputs(command.inputs)
        if type(body) is Task:
            return self.code.run_task(body.ref, inputs)
        if isinstance(body, Call):
            from headwater.runtime.unit import run_unit

            outputs = run_unit(
                self.graph, body.block, inputs, self.code, self.prefix + command.path, self.cache
            )
            return Skipped() if outputs is None else outputs
        raise TargetError("container nodes run on Kubernetes only", fix="Submit the workflow to a cluster.")

    def _some_items(self) -> Sequence[Event]:
        command, runner, ranges = self._items[0]
        start, stop = ranges.popleft()
        job = self.maps[command.path]
        where = self.prefix + command.path
        until = time.monotonic() + ITEM_SLICE_SECONDS
        events: list[Event] = []
        index = first = start
        cached = 0
        while index < stop:
            capture.enter(where, command.attempt, index)
            try:
                self.interruptible = True
                with deadline(self._patience(None)):
                    outputs = runner(index, job.item(index))
                self.interruptible = False
            except TaskInterrupted:
                self._interrupted()
                ranges.appendleft((index, stop))
                break
            except ExitPipeline as leave:
                events.append(Stopped(self.clock(), kill=True, reason="exit_pipeline()", code=leave.code))
                break
            except BaseException as error:
                if _passes_signal_on(error):
                    ranges.appendleft((index, stop))
                    break
                if index > first:
                    events.append(ItemsSucceeded(command.path, ((first, index),), self.clock(), cached))
                failure = failure_of(error, f"{where}[{index}]")
                events.append(ItemFailed(command.path, index, command.attempt, failure, self.clock()))
                first, cached = index + 1, 0
            else:
                if type(outputs) is Cached:
                    cached += 1
                    outputs = outputs.outputs
                job.results[index] = outputs
            finally:
                self.interruptible = False
                scope.end()
                capture.leave()
            index += 1
            if time.monotonic() >= until:
                if index < stop:
                    ranges.appendleft((index, stop))
                break
        if index > first:
            events.append(ItemsSucceeded(command.path, ((first, index),), self.clock(), cached))
        if not ranges:
            self._items.popleft()
        return events
