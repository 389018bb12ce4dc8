"""What a run gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headwater.engine import Engine, NodeState
from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass
from headwater.engine.state import Frame, MapState
from headwater.runtime.tracebacks import CAUSE


@dataclass(frozen=True, slots=True)
class RunError:
    """The first cause of a failed run: node, exception type, message and failure class."""

    node: str
    type: str
    message: str
    error_class: str = "Error"
    traceback: str = ""
    exception: object = field(default=None, compare=False, repr=False)

    def place(self) -> list[str]:
        """The line of the user's code that raised: where it is, and what it says; nothing when it is not known."""
        trace = self.traceback.rstrip().splitlines()
        places = [at for at, line in enumerate(trace) if line.startswith('  File "')]
        if not places:
            return []
        source = [line for line in trace[places[-1] + 1 : -1] if set(line.strip()) - set("^~ ")]
        return [trace[places[-1]].strip().replace("File ", "in ", 1), *source[:1]]

    def cause(self) -> str:
        """The exception that it was raised from, at the very beginning; nothing when there is none."""
        first, caused, _ = self.traceback.partition(f"\n{CAUSE}\n")
        ends = first.rstrip().splitlines()
        return ends[-1] if caused and ends else ""

    def as_dict(self) -> dict[str, str]:
        """The form that `--output json` prints."""
        return {"node": self.node, "type": self.type, "message": self.message, "class": self.error_class}

    def as_failure(self) -> Failure:
        """The engine's form of it."""
        return Failure(
            self.type,
            self.message,
            ErrorClass(self.error_class),
            self.node,
            self.traceback,
            self.exception,
        )

    def __str__(self) -> str:
        where = f"{self.node}: " if self.node else ""
        return f"{where}{self.type}: {self.message}"


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """How the items of a map ended; `failures` maps the index of a failed item to its error."""

    total: int
    succeeded: int = 0
    failed: int = 0
    running: int = 0
    cached: int = 0
    failures: Mapping[int, RunError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """How one node ended."""

    phase: str
    attempts: int = 0
    items: ItemCounts | None = None
    error: RunError | None = None
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None


class Nodes(dict[str, NodeRecord]):
    """Records by path. A path may be written with `_` for `-`, and without the passes of loops (the last is meant).

    >>> Nodes({"train[1]/fit-model": NodeRecord("Succeeded")})["train/fit_model"].phase
    'Succeeded'
    """

    def __missing__(self, path: str) -> NodeRecord:
        wanted = _plain(path)
        for known in reversed(self):
            if _plain(known) == wanted or _without_passes(_plain(known)) == wanted:
                return self[known]
        raise KeyError(path)

    def __contains__(self, path: object) -> bool:
        if dict.__contains__(self, path):
            return True
        try:
            self.__missing__(str(path))
        except KeyError:
            return False
        return True

    def get(self, path: str, default: Any = None) -> Any:
        """As `[path]`, or `default`."""
        try:
            return self[path]
        except KeyError:
            return default


def _plain(path: str) -> str:
    return path.replace("_", "-")


def _without_passes(path: str) -> str:
    return "/".join(part.partition("[")[0] for part in path.split("/"))


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that has ended.

    `outputs` by name, `phase` (`Succeeded`, `Failed`, `Cancelled`), `nodes` by path, `error` or None.
    """

    run_id: str
    phase: str
    outputs: Mapping[str, object]
    nodes: Nodes
    error: RunError | None
    started_at: float
    finished_at: float
    exit_code: int | None = None


def run_error(failure: Failure | None) -> RunError | None:
    """The public form of a failure."""
    if failure is None:
        return None
    return RunError(
        failure.node,
        failure.type,
        failure.message,
        str(failure.error_class),
        failure.traceback,
        failure.exception,
    )


def item_counts(items: MapState) -> ItemCounts:
    """The public form of a map's items."""
    failures = {index: error for index, f in sorted(items.failed.items()) if (error := run_error(f))}
    return ItemCounts(
        items.total, len(items.done), len(items.failed), len(items.running), items.cached, failures
    )


def node_record(state: NodeState) -> NodeRecord:
    """The public form of a node's state."""
    return NodeRecord(
        str(state.phase),
        state.attempt,
        item_counts(state.items) if state.items is not None else None,
        run_error(state.failure),
        state.message,
        state.started_at,
        state.ended_at,
    )


def nodes_of(engine: Engine) -> Nodes:
    """Every node of a run, outer before inner, in the order of the document."""
    nodes = Nodes()

    def visit(frame: Frame) -> None:
        for state in frame.nodes:
            nodes[state.path] = node_record(state)
            for child in (state.children or {}).values():
                visit(child)

    for frame in (engine.root, engine.exit_frame):
        if frame is not None:
            visit(frame)
    return nodes
