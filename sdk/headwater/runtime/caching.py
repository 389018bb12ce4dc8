"""A node and the cache: which key it has, whether its outputs are there, and keeping them when they are new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headwater.blocks.hook import RunHook
from headwater.blocks.task import Task as BlockTask
from headwater.engine.graph import Call, Condition, Graph, Iterate, Loop, Map, Node, Race, Task
from headwater.runtime.code import Code, live_inputs
from headwater.values.cache import Cache, CacheKey, Claim, Hit

Outputs = Mapping[str, object]


def refs_below(graph: Graph, node: Node) -> list[str]:
    """Every code reference that running a node may call, its blocks' included, in order."""
    refs: dict[str, None] = {}
    seen: set[str] = set()

    def visit_block(name: str) -> None:
        if name not in seen:
            seen.add(name)
            for inner in graph.blocks[name].nodes:
                visit(inner.kind)

    def visit(kind: object) -> None:
        match kind:
            case Task(ref):
                refs[ref] = None
            case Map():
                visit(kind.body)
            case Call(block) | Loop(block):
                visit_block(block)
            case Iterate():
                visit_block(kind.block)
                if kind.until is not None:
                    refs[kind.until] = None
            case Condition():
                visit(kind.decide)
            case Race(blocks):
                for block in blocks:
                    visit_block(block)
            case _:
                pass

    visit(node.kind)
    return list(refs)


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

    def __init__(self, hit: Outputs | None, claim: Claim | None) -> None:
        self.hit = hit
        self._claim = claim

    def store(self, outputs: Outputs) -> None:
        """Keep the outputs under the claimed key."""
        if self._claim is not None:
            self._claim.store(outputs)

    def release(self) -> None:
        """Let others have the key."""
        if self._claim is not None:
            self._claim.release()


@dataclass(frozen=True)
class CacheAccess:
    """The cache as a run uses it. `overwrite` recomputes everything and keeps the new outputs."""

    directory: Path
    overwrite: bool = False
    run_id: str = ""

    @property
    def cache(self) -> Cache:
        """The cache itself, opened once in each process."""
        opened = _opened.get(self.directory)
        if opened is None:
            opened = _opened[self.directory] = Cache(self.directory)
        return opened

    def key(self, node: Node, inputs: Outputs, graph: Graph, code: Code) -> CacheKey:
        """The key of a node: its inputs' contents, all parameters and all code below it."""
        refs = refs_below(graph, node)
        objects = {ref: code.resolve(ref) for ref in refs}
        names = sorted({getattr(found, "name", "") for found in objects.values()})
        parameters = {name: code.parameters[name] for name in names if name in code.parameters}
        mode: Literal["inputs", "code"] = "inputs" if node.policy.cache == "inputs" else "code"
        return self.cache.key(
            node.name, live_inputs(inputs), parameters, [source_of(found) for found in objects.values()], mode
        )

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

    @staticmethod
    def _entry(found: Hit | Claim | None) -> ClaimedEntry | None:
        if found is None:
            return None
        if isinstance(found, Hit):
            return ClaimedEntry(found.outputs, None)
        return ClaimedEntry(None, found)


_opened: dict[Path, Cache] = {}
