"""Going on with an earlier run: what of it is kept, what runs again, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from headwater.blocks.compile import Compiled
from headwater.configuration import database_url, state_dir
from headwater.document.graph import to_graph
from headwater.engine import LIVE, Graph, IntervalSet, Known, Phase
from headwater.engine.graph import Call, Map, Node
from headwater.engine.plan import plan_of
from headwater.errors import UsageError
from headwater.records import queries
from headwater.records.model import KnownNode, Run
from headwater.runtime.caching import refs_below
from headwater.runtime.carry import store_at
from headwater.runtime.code import live
from headwater.values.codec import decode

RETURNED_SKIPPED = "the task returned Skipped()"


@dataclass(frozen=True, slots=True)
class Row:
    """What happens to one node, and why. `action` is `reuse` or `rerun`."""

    path: str
    action: str
    why: str


@dataclass(frozen=True)
class ResumePlan:
    """What a resumed run starts from; the arguments of `headwater.backends.run`."""

    run: Run
    inputs: Mapping[str, object]
    known: Mapping[str, Known] = field(default_factory=dict)
    known_items: Mapping[str, Mapping[int, Mapping[str, object]]] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """A node to run again, or only some items of a map."""

    path: str
    items: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Read `NODE` or `NODE[3,7-9]`.

        >>> Selection.parse("process_data[3,7-9]")
        Selection(path='process-data', items=(3, 7, 8, 9))
        """
        match = re.fullmatch(r"(.*?)\[([\d,\s-]+)\]", text)
        if match is None:
            return cls(text.replace("_", "-").strip("/"))
        items = tuple(IntervalSet.parse(match[2].replace(" ", "")))
        return cls(match[1].replace("_", "-").strip("/"), items)


def plan_resume(
    compiled: Compiled,
    run: Run,
    *,
    from_: str | None = None,
    changed: Mapping[str, str] | None = None,
) -> ResumePlan:
    """Work out what of `run` is kept when `compiled` runs in its place.

    `from_` names a node (or items of a map) that shall run again, with all that comes after it. `changed`
    maps references whose code is not what it was to what shall be said about it; their nodes run again.

    Raises:
        UsageError: there is no such node.
    """
    graph = to_graph(compiled.spec)
    url = database_url()
    recorded = queries.known(url, run.run_id)
    messages = {path: node.message for path, node in queries.nodes(url, run.run_id).items()}
    selection = Selection.parse(from_) if from_ else None
    if selection is not None and selection.path not in dict(walk(graph)):
        listed = ", ".join(path for path, _ in walk(graph))
        raise UsageError(f"there is no node {selection.path!r} in {run.name!r}", fix=f"Nodes: {listed}.")
    again = _Again(graph, selection, changed or {})
    store = str(state_dir() / "artifacts")
    known: dict[str, Known] = {}
    known_items: dict[str, dict[int, Mapping[str, object]]] = {}
    for path, node in recorded.items():
        if again.why(_static(path)) or not _is_kept(node, messages.get(path, "")):
            if node.total is not None:
                known_items[path] = _kept_items(path, node, selection, again, store)
            continue
        outputs = _decoded(node.outputs, store)
        if outputs is not None:
            known[path] = Known(Phase(node.phase), outputs, node.answer)
    known_items = {path: items for path, items in known_items.items() if items}
    rows = tuple(_rows(graph, known, known_items, again, recorded))
    return ResumePlan(run, _decoded(run.inputs, store) or {}, known, known_items, rows)


def walk(graph: Graph, block: str | None = None, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Every node of a graph with its path, calls opened, the bodies of maps and loops left closed."""
    for node in graph.blocks[block or graph.entrypoint].nodes:
        yield prefix + node.name, node
        if isinstance(node.kind, Call):
            yield from walk(graph, node.kind.block, f"{prefix}{node.name}/")


def _static(path: str) -> str:
    """The path in the document of a node instance: up to the first pass or item.

    >>> _static("train[2]/fit")
    'train'
    """
    return path.partition("[")[0]


class _Again:
    """Which nodes run again although they succeeded: those asked for, those with new code, and all after them."""

    def __init__(self, graph: Graph, selection: Selection | None, changed: Mapping[str, str]) -> None:
        self._why: dict[str, str] = {}
        self._after: set[str] = set()
        for path, node in walk(graph):
            if selection is not None and path == selection.path:
                said = (
                    f"items {', '.join(map(str, selection.items))} asked for"
                    if selection.items
                    else "asked for"
                )
                self._add(graph, path, said)
            for ref in refs_below(graph, node):
                if ref in changed and not isinstance(node.kind, Call):
                    self._add(graph, path, changed[ref])

    def _add(self, graph: Graph, path: str, why: str) -> None:
        self._why.setdefault(path, why)
        parts = path.split("/")
        block = graph.entrypoint
        places = []
        for depth, name in enumerate(parts):
            places.append((block, "/".join(parts[:depth]), name))
            kind = graph.blocks[block].by_name[name].kind
            if isinstance(kind, Call):
                block = kind.block
        for block_name, prefix, name in reversed(places):
            here = f"{prefix}/{name}" if prefix else name
            if here != path:
                self._why.setdefault(here, f"{path!r} in it runs again")
            for after in _downstream(graph, block_name, name):
                self._after.add(f"{prefix}/{after}" if prefix else after)
                self._why.setdefault(f"{prefix}/{after}" if prefix else after, f"comes after {here!r}")

    def why(self, path: str) -> str:
        """Why a node runs again, or nothing."""
        if path in self._why:
            return self._why[path]
        parts = path.split("/")
        for depth in range(len(parts) - 1, 0, -1):
            above = "/".join(parts[:depth])
            if above in self._after or (above in self._why and not self._why[above].endswith("runs again")):
                return f"{above!r} runs again"
        return ""

    def is_after(self, path: str) -> bool:
        """Whether a node comes after one that runs again, so that its own items are no longer right."""
        return path in self._after


def _downstream(graph: Graph, block: str, name: str) -> list[str]:
    plan = plan_of(graph.blocks[block])
    found: dict[int, None] = {}
    pending = [plan.index[name]]
    for index in pending:
        for after in plan.nodes[index].downstream:
            if after not in found:
                found[after] = None
                pending.append(after)
    return [plan.nodes[index].node.name for index in found]


def _is_kept(node: KnownNode, message: str) -> bool:
    phase = Phase(node.phase)
    if phase is Phase.SKIPPED:
        return message == RETURNED_SKIPPED
    return phase in LIVE


def _kept_items(
    path: str, node: KnownNode, selection: Selection | None, again: _Again, store: str
) -> dict[int, Mapping[str, object]]:
    """The outputs of the items of a map that need not run again."""
    chosen = selection is not None and selection.path == path
    if again.is_after(path) or (chosen and selection is not None and not selection.items):
        return {}
    if again.why(path) and not chosen:
        return {}
    wanted = set(selection.items) if chosen and selection is not None else set()
    kept: dict[int, Mapping[str, object]] = {}
    for part in node.slices:
        if part.outputs is None:
            continue
        outputs = _decode(part.outputs, store)
        assert isinstance(outputs, list)
        indices = [index for start, stop in part.ranges for index in range(start, stop)]
        kept.update({i: found for i, found in zip(indices, outputs, strict=True) if i not in wanted})
    return kept


def _decode(encoded: Mapping[str, Any], store: str) -> object:
    return live(decode(dict(encoded), store_at(store)))


def _decoded(encoded: Mapping[str, Any] | None, store: str) -> dict[str, object] | None:
    if encoded is None:
        return None
    return {name: _decode(value, store) for name, value in encoded.items()}


def _rows(
    graph: Graph,
    known: Mapping[str, Known],
    known_items: Mapping[str, Mapping[int, object]],
    again: _Again,
    recorded: Mapping[str, KnownNode],
) -> Iterator[Row]:
    for path, node in walk(graph):
        if path in known:
            failed = len(recorded[path].failed)
            items = f", {failed} of its items failed" if failed else ""
            yield Row(path, "reuse", f"{recorded[path].phase} in the earlier run{items}")
        elif isinstance(node.kind, Map) and path in known_items:
            kept = len(known_items[path])
            total = recorded[path].total or kept
            yield Row(path, "rerun", f"{total - kept} of {total} items; {kept} are reused")
        elif path in recorded:
            phase = recorded[path].phase
            why = again.why(path)
            lost = "its outputs were not kept" if Phase(phase) in LIVE else f"it was {phase}"
            yield Row(path, "rerun", why or lost)
        else:
            yield Row(path, "rerun", again.why(path) or "it had not ended")
