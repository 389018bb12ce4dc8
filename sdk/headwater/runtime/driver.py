"""Between the engine and an executor: carries commands one way, events the other, and keeps the timers."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from headwater.engine import Engine, NodeState
from headwater.engine.commands import (
    AskApproval,
    ClearTimer,
    Command,
    Finish,
    SetTimer,
)
from headwater.engine.events import Event, TimerFired


class Executor(Protocol):
    """Carries commands out. `wait` returns what has happened, at once or after at most so many seconds."""

    def submit(self, command: Command) -> None:
        """Take a command; never blocks for long."""

    def wait(self, seconds: float | None) -> Sequence[Event]:
        """Do or await some work and say what happened; an empty answer means nothing did."""

    @property
    def interruptible(self) -> bool:
        """Whether a task runs in the main thread right now, so that raising there ends it."""


class Watcher(Protocol):
    """Sees a run as it goes on: the recorder, the live view."""

    def nodes_changed(self, states: Iterable[NodeState]) -> None:
        """These nodes have a new phase, or new counts of items."""

    def happened(self, event: Event) -> None:
        """An event that the engine was told of."""

    def approval_asked(self, path: str, message: str) -> None:
        """A node waits for a person."""


class Driver:
    """Runs an engine to its end on an executor."""

    def __init__(
        self,
        engine: Engine,
        executor: Executor,
        *,
        clock: Callable[[], float],
        watchers: Sequence[Watcher] = (),
        mailbox: Callable[[], Sequence[Event]] | None = None,
        poll: float = 0.2,
    ) -> None:
        self.engine = engine
        self.executor = executor
        self.clock = clock
        self.watchers = watchers
        self.mailbox = mailbox
        self.poll = poll
        self._timers: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}
        self._posted: deque[Event] = deque()
        self._next_look = 0.0

    def run(self, began: float | None = None) -> None:
        """Start the run, or go on with one that `began` before, and stay until the engine says that it is over."""
        engine = self.engine
        at = self.clock() if began is None else began
        self._carry_out(engine.start(at), at)
        while not engine.ended:
            happened = self.executor.wait(self._patience())
            # What a person has said meanwhile comes first: after a `stop` nothing more is started.
            self._listen()
            for event in happened:
                self.tell(event)
            if self._timers:
                self._fire_timers()

    def _listen(self) -> None:
        while self._posted:
            self.tell(self._posted.popleft())
        if self.mailbox is not None:
            now = self.clock()
            if now >= self._next_look:
                self._next_look = now + self.poll
                for event in self.mailbox():
                    self.tell(event)

    def post(self, event: Event) -> None:
        """Leave an event from a signal handler or another thread; it is told at the next turn."""
        self._posted.append(event)

    def tell(self, event: Event) -> None:
        """Give the engine an event and do what it answers."""
        commands = self.engine.handle(event)
        if self.watchers:
            for watcher in self.watchers:
                watcher.happened(event)
        self._carry_out(commands, event.at)

    def seconds_to_next_timer(self) -> float | None:
        """How long until the earliest timer is due."""
        while self._timers and self._due.get(self._timers[0][1]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        return max(self._timers[0][0] - self.clock(), 0.0) if self._timers else None

    def _patience(self) -> float | None:
        patience = self.seconds_to_next_timer() if self._timers else None
        if self.mailbox is not None:
            return self.poll if patience is None else min(patience, self.poll)
        return patience

    def _carry_out(self, commands: list[Command], at: float) -> None:
        if self.watchers:
            changes = self.engine.take_changes()
            for watcher in self.watchers:
                watcher.nodes_changed(changes)
        else:
            self.engine.changes.clear()
        submit = self.executor.submit
        for command in commands:
            kind = type(command)
            if kind is SetTimer:
                assert isinstance(command, SetTimer)
                due = at + command.seconds
                self._due[command.key] = due
                heapq.heappush(self._timers, (due, command.key))
            elif kind is ClearTimer:
                assert isinstance(command, ClearTimer)
                self._due.pop(command.key, None)
            elif kind is AskApproval:
                assert isinstance(command, AskApproval)
                for watcher in self.watchers:
                    watcher.approval_asked(command.path, command.message)
            elif kind is not Finish:
                submit(command)

    def _fire_timers(self) -> None:
        while True:
            left = self.seconds_to_next_timer()
            if left is None or left > 0:
                return
            _, key = heapq.heappop(self._timers)
            del self._due[key]
            self.tell(TimerFired(key, self.clock()))
