"""A node and the cache: which key it has, whether its outputs are there, and keeping them when they are new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from headwater.blocks.hook import RunHook
from headwater.blocks.task import Task as BlockTask
from headwater.engine.graph import Call, Condition, Graph, Iterate, Loop, Map, Node, Race, Task
from headwater.runtime.code import Code, live_inputs
from headwater.values.cache import Cache, CacheKey, Claim, Hit

Outputs = Mapping[str, object]


def _kinds_below(graph: Graph, node: Node) -> Iterator[object]:
    """The kinds of a node and of all that running it may run, blocks' nodes included; each block once."""
    seen: set[str] = set()
    pending: list[object] = [node.kind]
    while pending:
        kind = pending.pop(0)
        yield kind
        if isinstance(kind, Map):
            pending.append(kind.body)
        elif isinstance(kind, Condition):
            pending.append(kind.decide)
        for block in _blocks_of(kind):
            if block not in seen:
                seen.add(block)
                pending += [inner.kind for inner in graph.blocks[block].nodes]


def _blocks_of(kind: object) -> Iterable[str]:
    if isinstance(kind, Race):
        return kind.blocks
    return (kind.block,) if isinstance(kind, Call | Loop | Iterate) else ()


def blocks_below(graph: Graph, node: Node) -> list[str]:
    """The names of all blocks that running a node may run."""
    return list(dict.fromkeys(block for kind in _kinds_below(graph, node) for block in _blocks_of(kind)))


def refs_below(graph: Graph, node: Node) -> list[str]:
    """Every code reference that running a node may call, its blocks' included, in order."""
    refs: dict[str, None] = {}
    for kind in _kinds_below(graph, node):
        if isinstance(kind, Task):
            refs[kind.ref] = None
        elif isinstance(kind, Iterate) and kind.until is not None:
            refs[kind.until] = None
    return list(refs)


def retries_below(graph: Graph, node: Node) -> int:
    """How often the most patient task in the blocks below a node is retried."""
    limits = [
        inner.policy.retry.limit for block in blocks_below(graph, node) for inner in graph.blocks[block].nodes
    ]
    return max(limits, default=0)


def source_of(found: object) -> object:
    """What of an object is its code: the function that a task was made of, else its class."""
    if isinstance(found, RunHook):
        return type(found.workflow)
    cls = found if isinstance(found, type) else type(found) if isinstance(found, BlockTask) else None
    if cls is None or not issubclass(cls, BlockTask):
        return found
    return cls.function or cls


class ClaimedEntry:
    """A cache entry in hand: `hit` holds its outputs, or it is ours to fill."""

    def __init__(self, hit: Outputs | None, claim: Claim | None, run_id: str = "") -> None:
        self.hit = hit
        self._claim = claim
        self._run_id = run_id

    def store(self, outputs: Outputs) -> None:
        """Keep the outputs under the claimed key."""
        if self._claim is not None:
            self._claim.store(outputs, run=self._run_id)

    def release(self) -> None:
        """Let others have the key."""
        if self._claim is not None:
            self._claim.release()


@dataclass(frozen=True)
class _KeyParts:
    """What of a node's key is the same for each call of it; `node` is held so that its id stays taken."""

    node: Node
    name: str
    parameters: Mapping[str, object]
    code: list[object]


def _parts_of(node: Node, graph: Graph, code: Code) -> _KeyParts:
    objects = {ref: code.resolve(ref) for ref in refs_below(graph, node)}
    parameters: dict[str, object] = {}
    for found in objects.values():
        name = getattr(found, "name", "")
        if name in code.parameters:
            parameters[name] = code.parameters[name]
    # Two nodes that call one task share its entries; with blocks, how they are put together counts too.
    kind = node.kind.body if isinstance(node.kind, Map) else node.kind
    name = node.name
    if isinstance(kind, Task):
        name = getattr(objects[kind.ref], "name", name)
    else:
        for block in blocks_below(graph, node):
            parameters[f"graph of {block}"] = [
                (each.name, each.kind, each.inputs, each.after, each.branch, each.when)
                for each in graph.blocks[block].nodes
            ]
    return _KeyParts(node, name, parameters, [source_of(found) for found in objects.values()])


@dataclass(frozen=True)
class CacheAccess:
    """The cache as a run uses it. `overwrite` recomputes everything and keeps the new outputs."""

    directory: Path | str
    overwrite: bool = False
    run_id: str = ""
    _parts: dict[int, _KeyParts] = field(default_factory=dict, compare=False, repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        return CacheAccess, (self.directory, self.overwrite, self.run_id)

    @property
    def cache(self) -> Cache:
        """The cache itself, opened once in each process."""
        opened = _opened.get(self.directory)
        if opened is None:
            opened = _opened[self.directory] = Cache(self.directory)
        return opened

    def key(self, node: Node, inputs: Outputs, graph: Graph, code: Code) -> CacheKey:
        """The key of a node: its inputs' contents, all parameters, all code and the graph below it."""
        known = self._parts.get(id(node))
        if known is None:
            known = self._parts[id(node)] = _parts_of(node, graph, code)
        mode: Literal["inputs", "code"] = "inputs" if node.policy.cache == "inputs" else "code"
        return self.cache.key(known.name, live_inputs(inputs), known.parameters, known.code, mode)

    def try_claim(self, node: Node, inputs: Outputs, graph: Graph, code: Code) -> ClaimedEntry | None:
        """Claim a node's entry without waiting; None while somebody else computes it."""
        key = self.key(node, inputs, graph, code)
        return self._entry(self.cache.try_claim(key, overwrite=self.overwrite))

    @contextmanager
    def claimed(self, node: Node, inputs: Outputs, graph: Graph, code: Code) -> Iterator[ClaimedEntry]:
        """Claim a node's entry, waiting for whoever computes it, and release it at the end."""
        key = self.key(node, inputs, graph, code)
        entry = self._entry(self.cache.claim(key, overwrite=self.overwrite))
        assert entry is not None
        try:
            yield entry
        finally:
            entry.release()

    def _entry(self, found: Hit | Claim | None) -> ClaimedEntry | None:
        if found is None:
            return None
        if isinstance(found, Hit):
            return ClaimedEntry(found.outputs, None)
        return ClaimedEntry(None, found, self.run_id)


_opened: dict[Path | str, Cache] = {}
