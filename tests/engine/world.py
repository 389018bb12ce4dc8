"""A small world for the engine: it carries commands out by a table of behaviours, in any order."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headwater.engine import Engine, Graph
from headwater.engine.commands import (
    Cancel,
    ClearTimer,
    Collect,
    Command,
    Decide,
    Lookup,
    Measure,
    SetTimer,
    Start,
    StartItems,
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
    Succeeded,
    TaskSkipped,
    TimerFired,
)
from headwater.engine.graph import ErrorClass

SKIP = object()


@dataclass
class World:
    """`behave(path, attempt, inputs)` gives outputs, raises, or answers SKIP; `decide` a bool."""

    behave: Callable[[str, int, Mapping[str, object]], object] = lambda path, attempt, inputs: {}
    decide: Callable[[str, Mapping[str, object]], bool] = lambda path, inputs: True
    chooser: random.Random | None = None
    repeat: bool = False
    reboot: Callable[[Engine], Engine] | None = None
    started: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    history: list[Event] = field(default_factory=list)
    now: float = 0.0

    def run(self, graph: Graph, inputs: Mapping[str, object] | None = None, **options: object) -> Engine:
        engine = Engine(graph, inputs or {}, **options)  # type: ignore[arg-type]
        self.pending: list[tuple[str, Event]] = []
        self.maps: dict[str, int] = {}
        for command in engine.start(0.0):
            self.take(command)
        while not engine.ended and self.pending:
            engine = self.step(engine)
        return engine

    def step(self, engine: Engine) -> Engine:
        place = self.chooser.randrange(len(self.pending)) if self.chooser else 0
        _, event = self.pending.pop(place)
        self.now += 1.0
        if self.reboot is not None:
            engine = self.reboot(engine)
        for command in engine.handle(event):
            self.take(command)
        self.history.append(event)
        if self.repeat and self.chooser is not None:
            again = self.chooser.choice(self.history)
            for command in engine.handle(again):
                self.take(command)
        return engine

    def will(self, path: str, event: Event) -> None:
        self.pending.append((path, event))

    def take(self, command: Command) -> None:
        match command:
            case Start(path, attempt, _, _, inputs):
                self.started.append(f"{path}#{attempt}")
                if self.chooser and self.chooser.random() < 0.5:
                    self.will(path, Started(path, attempt, self.now))
                self.will(path, self.outcome(path, attempt, inputs))
            case Measure(path, _, over, _):
                self.will(path, Sized(path, len(next(iter(over.values()))), self.now))  # type: ignore[arg-type]
            case StartItems(path, _, _, ranges, attempt):
                for start, stop in ranges:
                    for index in range(start, stop):
                        self.started.append(f"{path}[{index}]#{attempt}")
                        self.will(path, self.item(path, index, attempt))
            case Collect(path, _, _, total, failed, items):
                outputs = {"n": total, "failed": sorted(failed), "items": items}
                self.will(path, Collected(path, outputs, self.now))
            case Decide(path, stage, _, inputs, _):
                self.will(path, Decided(path, stage, self.decide(path, inputs), self.now))
            case Lookup(path):
                self.will(path, CacheMissed(path, self.now))
            case SetTimer(key, _) if not key.startswith(("timeout", "run")):
                self.will(key, TimerFired(key, self.now))
            case ClearTimer(key):
                self.pending = [entry for entry in self.pending if entry[0] != key]
            case Cancel(path):
                self.cancelled.append(path)
                self.pending = [entry for entry in self.pending if entry[0] != path]
            case _:
                pass

    def outcome(self, path: str, attempt: int, inputs: Mapping[str, object]) -> Event:
        try:
            outputs = self.behave(path, attempt, inputs)
        except Exception as error:
            return Failed(path, attempt, self.failure(error), self.now)
        if outputs is SKIP:
            return TaskSkipped(path, attempt, self.now)
        return Succeeded(path, attempt, outputs, self.now)  # type: ignore[arg-type]

    def item(self, path: str, index: int, attempt: int) -> Event:
        try:
            self.behave(f"{path}[{index}]", attempt, {})
        except Exception as error:
            return ItemFailed(path, index, attempt, self.failure(error), self.now)
        return ItemsSucceeded(path, ((index, index + 1),), self.now)

    @staticmethod
    def failure(error: Exception) -> Failure:
        known = {"MemoryError": ErrorClass.OOM, "ConnectionError": ErrorClass.INFRASTRUCTURE}
        return Failure(type(error).__name__, str(error), known.get(type(error).__name__, ErrorClass.ERROR))


def phases(engine: Engine) -> dict[str, str]:
    return {path: str(state.phase) for path, state in sorted(engine.states.items())}
