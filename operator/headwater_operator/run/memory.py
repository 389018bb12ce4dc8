"""What the operator remembers of an active run: the engine, and what ties it to objects in the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from headwater.document.unit import Encoded
from headwater.engine import Engine
from headwater.engine.events import Event
from headwater.engine.intervals import IntervalSet, Range
from headwater.engine.state import NodeState

from headwater_operator.builders import MapStep, RunContext, UnitStep, cluster_of, slurm_job
from headwater_operator.run.packing import pack

Object = dict[str, Any]


@dataclass(slots=True)
class Wave:
    """One Job of a map: these items, `per_pod` of them to each index; one that is `bridged` to a SlurmCluster is one
    Slurm job, and one pod has all its items.

    `given` is how many pods of it may run at once. `seen`: it has been there. `detached`: its pods may end, and it
    starts no further ones. `cancelled`: nothing of it counts any more.
    """

    path: str
    attempt: int
    chunk: int
    items: IntervalSet
    per_pod: int
    oom_retries: int = 0
    seen: bool = False
    detached: bool = False
    cancelled: bool = False
    lineage: str = ""
    bridged: str = ""
    given: int = 0

    @property
    def of_a_pod(self) -> int:
        """How many items each pod of the Job has."""
        return max(len(self.items), 1) if self.bridged else self.per_pod

    def share(self, index: int) -> list[Range]:
        """The items of one index of the Job.

        >>> Wave("p", 1, 0, IntervalSet.parse("0-2,7-9"), 2).share(1)
        [(2, 3), (7, 8)]
        """
        return self.shares(index, index + 1)

    def shares(self, first_index: int, last_index: int) -> list[Range]:
        """The items of the indexes from the first up to, but without, the last."""
        first, last = first_index * self.of_a_pod, last_index * self.of_a_pod
        found: list[Range] = []
        at = 0
        for start, stop in self.items.ranges():
            low, high = max(first - at, 0), min(last - at, stop - start)
            if low < high:
                found.append((start + low, start + high))
            at += stop - start
            if at >= last:
                break
        return found

    def to_json(self) -> list[Any]:
        """As plain data."""
        return [
            self.path, self.attempt, self.chunk, str(self.items), self.per_pod, self.oom_retries, self.seen,
            self.detached, self.cancelled, self.lineage, self.bridged,
        ]  # fmt: skip

    @classmethod
    def from_json(cls, data: list[Any]) -> Wave:
        """Read what `to_json` wrote."""
        return cls(data[0], data[1], data[2], IntervalSet.parse(data[3]), *data[4:])


@dataclass(slots=True)
class Creation:
    """Objects to create for a step, and what came of the tries so far."""

    objects: tuple[Object, ...]
    path: str
    attempt: int
    tries: int = 0
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Expected:
    """A pod that belongs to a node: which attempt it is, or which question it answers."""

    path: str
    attempt: int
    stage: str
    step: UnitStep


@dataclass(slots=True)
class Run:
    """An active run. `spec` is the Workflow's with templates put in place (then it is not its `own_spec`)."""

    key: tuple[str, str]
    uid: str
    spec: Mapping[str, Any]
    context: RunContext
    engine: Engine
    version: int = 0
    known: dict[str, Any] = field(default_factory=dict)
    timers: dict[str, float] = field(default_factory=dict)
    waves: dict[str, list[Wave]] = field(default_factory=dict)
    ooms: dict[str, int] = field(default_factory=dict)
    own_spec: bool = True
    cancels: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """Slurm jobs that are to be cancelled, by name: the path of their node, their cluster, how many tasks they have."""
    asks: dict[str, UnitStep] = field(default_factory=dict)

    # What follows can be found again, or is of no use to another process.
    expected: dict[str, Expected] = field(default_factory=dict)
    jobs: dict[str, Wave] = field(default_factory=dict)
    dirty_pods: set[str] = field(default_factory=set)
    dirty_jobs: set[str] = field(default_factory=set)
    started_pods: set[str] = field(default_factory=set)
    begun: dict[str, float] = field(default_factory=dict)
    """Nodes whose pod was seen to run, and when: `status` says so where they run for a while."""
    uncreated: dict[str, Creation] = field(default_factory=dict)
    created: set[str] = field(default_factory=set)
    told_all: set[str] = field(default_factory=set)
    """Bridges that have reported how their job ended: there is nothing left to cancel."""
    replaced: dict[str, int] = field(default_factory=dict)
    """How often each bridge was lost: the next one comes the later."""
    doomed: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    records: dict[str, Object] = field(default_factory=dict)
    results: dict[str, dict[int, Mapping[str, Encoded] | None]] = field(default_factory=dict)
    pickles: dict[str, dict[int, str]] = field(default_factory=dict)
    launched: dict[str, tuple[float, float]] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    unsettled: dict[str, float] = field(default_factory=dict)
    held: dict[str, list[Event]] = field(default_factory=dict)
    release_at: dict[str, float] = field(default_factory=dict)
    inbox: list[Event] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    heard: list[Event] = field(default_factory=list)
    changed: dict[str, NodeState] = field(default_factory=dict)
    written: dict[str, Object] = field(default_factory=dict)
    written_text: str = ""
    sent_text: str = ""
    written_phase: str = ""
    written_at: float = float("-inf")
    write_seconds: float = 0.0
    looked_at: float = 0.0
    started_at: float = 0.0
    told: set[tuple[str, str]] = field(default_factory=set)
    explained: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By path: what a pod says of its wait, and what a closer look has made of that."""

    def cancel(self, path: str) -> None:
        """Nothing that runs for the node at a path counts any more: it is to be deleted."""
        for name in [name for name, expected in self.expected.items() if expected.path == path]:
            self.drop_pod(name)
        for name in [name for name, wave in self.jobs.items() if wave.path == path]:
            self.jobs[name].cancelled = True
            self.drop_job(name)

    def drop_pod(self, name: str) -> None:
        """The engine does not wait for this pod any more; one that still runs is to be deleted."""
        expected = self.expected.pop(name)
        step = expected.step
        if cluster := cluster_of(self.context, step):
            job = slurm_job(self.context, step.path, step.attempt, step.lineage)
            self._cancel_job(name, job, (step.path, cluster, 1))
        self._doom(name, "Pod")
        self.started_pods.discard(name)
        if expected.stage:
            self.asks.pop(f"{expected.path}:{expected.stage}:{expected.attempt}", None)

    def drop_job(self, name: str) -> None:
        """The engine does not wait for this Job any more; one that still runs is to be deleted."""
        wave = self.jobs.pop(name)
        if wave.bridged:
            job = slurm_job(self.context, wave.path, wave.attempt, wave.lineage, wave.chunk)
            tasks = -(-len(wave.items) // wave.per_pod)
            self._cancel_job(name, job, (wave.path, wave.bridged, tasks))
        self._doom(name, "Job")
        self.unsettled.pop(name, None)

    def _cancel_job(self, name: str, job: str, what: tuple[str, str, int]) -> None:
        """Have the Slurm job of a bridge cancelled, unless it has ended or cannot have been submitted."""
        never = name in self.uncreated and name not in self.created and name not in self.replaced
        if name not in self.told_all and not never:
            self.cancels[job] = what

    def _doom(self, name: str, kind: str) -> None:
        if self.uncreated.pop(name, None) is None or name in self.created:
            self.doomed[name] = kind

    def pack(self) -> str:
        """The text for `status.engine`."""
        beside = {
            "version": self.version,
            "startedAt": self.started_at,
            "timers": {key: round(due, 2) for key, due in self.timers.items()},
            "waves": [wave.to_json() for waves in self.waves.values() for wave in waves],
            "ooms": self.ooms,
            "results": {path: _by_text(found) for path, found in self.results.items() if found},
            "pickles": {path: _by_text(found) for path, found in self.pickles.items() if found},
            "known": self.known,
            "spec": None if self.own_spec else self.spec,
            "asks": {path: asdict(step) for path, step in self.asks.items()},
            "slurm": dict(self.context.slurm),
            "cancels": {name: list(found) for name, found in self.cancels.items()},
        }
        return pack(self.engine, {name: value for name, value in beside.items() if value})

    def take_beside(self, beside: Mapping[str, Any]) -> None:
        """Remember again what `pack` wrote beside the engine."""
        self.version = beside.get("version", 0)
        self.started_at = beside.get("startedAt", 0.0)
        self.timers = dict(beside.get("timers", {}))
        for data in beside.get("waves", ()):
            wave = Wave.from_json(data)
            self.waves.setdefault(wave.path, []).append(wave)
        self.ooms = dict(beside.get("ooms", {}))
        self.results = {path: _by_index(found) for path, found in beside.get("results", {}).items()}
        self.pickles = {path: _by_index(found) for path, found in beside.get("pickles", {}).items()}
        self.known = dict(beside.get("known", {}))
        self.asks = {path: UnitStep(**step) for path, step in beside.get("asks", {}).items()}
        self.cancels = {name: (each[0], each[1], each[2]) for name, each in beside.get("cancels", {}).items()}


@dataclass(slots=True)
class Effects:
    """What the engine's commands come to: pods and Jobs to create."""

    units: list[UnitStep] = field(default_factory=list)
    maps: list[tuple[MapStep, Wave]] = field(default_factory=list)


def _by_text(found: Mapping[int, Any]) -> dict[str, Any]:
    return {str(index): value for index, value in found.items()}


def _by_index(found: Mapping[str, Any]) -> dict[int, Any]:
    return {int(index): value for index, value in found.items()}
