"""The second half of lint: do the parts fit together? Names that exist, no cycles, inputs that are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from headwater.document.models import Block, Input, TemplateSpec, WorkflowSpec
from headwater.document.nodes import Call, Node, Output, Source, upstream_of
from headwater.document.problems import Found, Path, nearest, path_text, wrong_type

_NO_LISTS = frozenset({"int", "float", "bool"})
MOST_NESTED = 50
_RUN_FIELDS = ("name", "phase", "failures")


def semantic_problems(spec: TemplateSpec, root: Path = ("spec",)) -> Iterator[Found]:
    """What is wrong with a spec although its shape is right; `root` is where it stands in its resource."""
    yield from _Checks(spec, root).all()


class _Checks:
    def __init__(self, spec: TemplateSpec, root: Path) -> None:
        self.spec = spec
        self.root = root
        self.blocks = {block.name: block for block in spec.blocks or ()}

    def all(self) -> Iterator[Found]:
        if self.spec.blocks is None:
            return
        yield from _twice(((*self.root, "blocks", i), b.name) for i, b in enumerate(self.spec.blocks))
        yield from self._entry()
        if self.spec.on_exit is not None:
            yield from self._block_exists((*self.root, "onExit"), self.spec.on_exit)
            yield from self._exit_inputs(self.spec.on_exit)
        for index, block in enumerate(self.spec.blocks):
            yield from self._block((*self.root, "blocks", index), block)
        yield from self._recursion()

    # ------------------------------------------------------------------ the run

    def _entry(self) -> Iterator[Found]:
        entrypoint = self.spec.entrypoint
        if entrypoint is None:
            if len(self.blocks) > 1:
                yield (
                    (*self.root, "entrypoint"),
                    "is missing: there are several blocks",
                    f"Name one: {_list(self.blocks)}.",
                )
                return
            entrypoint = next(iter(self.blocks))
        elif entrypoint not in self.blocks:
            yield from self._block_exists((*self.root, "entrypoint"), entrypoint)
            return
        if not isinstance(self.spec, WorkflowSpec):
            return
        declared = self.blocks[entrypoint].inputs or {}
        for name, value in (self.spec.arguments or {}).items():
            path: Path = (*self.root, "arguments", name)
            if name not in declared:
                yield path, f"block {entrypoint!r} has no input {name!r}", nearest(name, declared)
            elif wrong := wrong_type(declared[name].type, value):
                yield path, wrong, ""

    def _block_exists(self, path: Path, name: str) -> Iterator[Found]:
        if name not in self.blocks:
            yield path, f"there is no block {name!r}", nearest(name, self.blocks)

    def _exit_inputs(self, name: str) -> Iterator[Found]:
        block = self.blocks.get(name)
        for needed in block.needed() if block is not None else ():
            yield (
                (*self.root, "onExit"),
                f"input {needed!r} of block {name!r} is not given",
                "Read run.phase, run.name or run.failures in its nodes, or give the input a default.",
            )

    # ------------------------------------------------------------------ a block

    def _block(self, path: Path, block: Block) -> Iterator[Found]:
        nodes = {node.name: node for node in block.nodes}
        yield from _twice(((*path, "nodes", i), node.name) for i, node in enumerate(block.nodes))
        for name, declared in (block.inputs or {}).items():
            if declared.default is not None and (wrong := wrong_type(declared.type, declared.default)):
                yield (*path, "inputs", name, "default"), wrong, ""
        for name, source in (block.outputs or {}).items():
            yield from self._source((*path, "outputs", name), source, block, nodes, None)
        for index, node in enumerate(block.nodes):
            yield from self._node((*path, "nodes", index), node, block, nodes)
        yield from _cycle((*path, "nodes"), block)
        if block.placement == "unit":
            yield from self._one_place((*path, "placement"), block)

    def _one_place(self, path: Path, block: Block) -> Iterator[Found]:
        """What keeps one pod from running a block from start to end, although that is asked for."""
        waiting, seen = [block.name], {block.name}
        while waiting:
            name = waiting.pop()
            if name not in self.blocks:
                continue
            for node in self.blocks[name].nodes:
                if node.suspend is not None or (node.map or node).container is not None:
                    kind = "waits for somebody" if node.suspend is not None else "is a container"
                    where = f"node {node.name!r}" + (f" of block {name!r}" if name != block.name else "")
                    yield path, f"one pod cannot run it: {where} {kind}", "Leave `placement` out."
                    return
            called = set(_called(self.blocks[name])) - seen
            seen |= called
            waiting += sorted(called)

    def _node(self, path: Path, node: Node, block: Block, nodes: Mapping[str, Node]) -> Iterator[Found]:
        for name, source in (node.inputs or {}).items():
            yield from self._source((*path, "inputs", name), source, block, nodes, node)
        for index, dependency in enumerate(node.depends_on or ()):
            upstream = upstream_of(dependency)
            if upstream not in nodes:
                message = f"there is no node {upstream!r} in block {block.name!r}"
                yield (*path, "dependsOn", index), message, nearest(upstream, set(nodes) - {node.name})
            elif upstream == node.name:
                yield (*path, "dependsOn", index), f"node {node.name!r} waits for itself", "Leave it out."
        if node.branch is not None:
            of = nodes.get(node.branch.of)
            if of is None or of.condition is None:
                conditions = [each.name for each in block.nodes if each.condition is not None]
                said = "there is no node" if of is None else "not a condition:"
                yield (
                    (*path, "branch", "of"),
                    f"{said} {node.branch.of!r}",
                    nearest(node.branch.of, conditions),
                )
        for name, test in (("when", node.when), ("condition", node.condition)):
            if test is not None and test.input is not None:
                yield from self._source((*path, name, "input"), test.input, block, nodes, node)
        if node.map is not None:
            for name, source in node.map.over.items():
                at: Path = (*path, "map", "over", name)
                yield from self._source(at, source, block, nodes, node)
                if "value" in source.model_fields_set and not isinstance(source.value, list):
                    yield (*at, "value"), "must be a list to map over", "Write it in brackets: [1, 2, 3]."
                yield from _not_a_list(at, source, block, nodes)
                if name in (node.inputs or {}):
                    yield (*path, "inputs", name), f"{name!r} is mapped over too", "Keep one of the two."
            if node.map.call is not None:
                yield from self._call((*path, "map", "call"), node.map.call, node, set(node.map.over))
        if node.call is not None:
            yield from self._call((*path, "call"), node.call, node, set())
        for kind, called in (("loop", node.loop), ("iterate", node.iterate)):
            if called is not None:
                initial = set(node.iterate.initial or {}) if node.iterate is not None else set()
                yield from self._runs((*path, kind), called.block, node, initial)
        for index, name in enumerate(node.race.blocks if node.race else ()):
            yield from self._block_exists((*path, "race", "blocks", index), name)

    def _call(self, path: Path, call: Call, node: Node, mapped: set[str]) -> Iterator[Found]:
        if call.block is not None:
            yield from self._runs(path, call.block, node, mapped)

    def _runs(self, path: Path, name: str, node: Node, also: set[str]) -> Iterator[Found]:
        """Whether a block that a node runs gets its inputs: those of the node, and those that are given `also`."""
        if name not in self.blocks:
            yield from self._block_exists((*path, "block"), name)
            return
        declared = self.blocks[name].inputs or {}
        given = set(node.inputs or {}) | also
        for each in sorted(given - set(declared)):
            yield path, f"block {name!r} has no input {each!r}", nearest(each, declared)
        for each, source in (node.inputs or {}).items():
            kind = declared[each].type if each in declared else None
            if "value" in source.model_fields_set and (wrong := wrong_type(kind, source.value)):
                where: Path = (*path[: -2 if "map" in path[-2:] else -1], "inputs", each, "value")
                yield where, f"{wrong}, as block {name!r} declares it", ""
        if node.inputs is None and not also and node.depends_on:
            return  # they are matched by name
        for each in self.blocks[name].needed():
            if each not in given:
                yield (
                    path,
                    f"input {each!r} of block {name!r} is not given",
                    f"Add it to `inputs`, or give it a default in block {name!r}.",
                )

    # ------------------------------------------------------------------ references

    def _source(
        self, path: Path, source: Source, block: Block, nodes: Mapping[str, Node], reader: Node | None
    ) -> Iterator[Found]:
        written = source.from_
        for text in [written] if isinstance(written, str) else written or ():
            where, _, name = text.partition(".")
            at: Path = (*path, "from")
            if where == "inputs" and "inputs" not in nodes:
                declared = block.inputs or {}
                if name not in declared:
                    yield at, f"block {block.name!r} has no input {name!r}", nearest(name, declared)
            elif where == "run" and "run" not in nodes:
                if name not in _RUN_FIELDS:
                    yield at, f"a run has no {name!r}", nearest(name, _RUN_FIELDS)
            elif where not in nodes:
                yield at, f"there is no node {where!r} in block {block.name!r}", nearest(where, nodes)
            elif reader is not None and where == reader.name:
                yield at, f"node {where!r} reads its own output", "Use `iterate` to feed outputs back."
            else:
                yield from self._output(at, nodes[where], name)

    def _output(self, path: Path, node: Node, name: str) -> Iterator[Found]:
        if name == "error" or name in (node.artifacts or {}):
            return
        known = node.outputs
        called = node.call or (node.map.call if node.map and node.map.collect == "flat" else None)
        if known is None and called is not None and called.block in self.blocks:
            outputs = self.blocks[called.block].outputs
            if outputs is not None and name not in outputs:
                yield path, f"node {node.name!r} has no output {name!r}", nearest(name, outputs)
        elif node.container is not None and name not in (known or {}):
            fix = (
                f"Declare it there: `outputs: {{{name}: {{type: str}}}}`."
                if not known
                else nearest(name, known)
            )
            yield path, f"container {node.name!r} declares no output {name!r}", fix
        elif known is not None and node.task is None and node.merge is None and name not in known:
            yield path, f"node {node.name!r} has no output {name!r}", nearest(name, known)
        elif known is not None and node.task is not None and name not in known:
            yield path, f"task {node.name!r} declares no output {name!r}", nearest(name, known)

    # ------------------------------------------------------------------ blocks that run themselves

    def _place(self, name: str) -> Path:
        index = next(i for i, block in enumerate(self.spec.blocks or ()) if block.name == name)
        return (*self.root, "blocks", index)

    def _recursion(self) -> Iterator[Found]:
        calls = {name: list(_called(block)) for name, block in self.blocks.items()}
        circle = _circle(calls)
        if circle:
            yield (
                self._place(circle[0]),
                f"blocks run each other without end: {' -> '.join(circle)}",
                "Use `loop` or `iterate` to repeat a block.",
            )
            return
        deepest = _deepest(calls)
        if len(deepest) > MOST_NESTED:
            yield (
                self._place(deepest[0]),
                f"blocks run each other {len(deepest)} deep, from {deepest[0]!r} to {deepest[-1]!r}; "
                f"at most {MOST_NESTED} may",
                "Put what they do side by side into one block.",
            )


def _not_a_list(path: Path, source: Source, block: Block, nodes: Mapping[str, Node]) -> Iterator[Found]:
    if not isinstance(source.from_, str):
        return
    where, _, name = source.from_.partition(".")
    declared: Output | Input | None = None
    if where == "inputs" and "inputs" not in nodes:
        declared = (block.inputs or {}).get(name)
    elif where in nodes and nodes[where].map is None:
        declared = (nodes[where].outputs or {}).get(name)
    if declared is not None and declared.type in _NO_LISTS:
        message = f"{source.from_} is declared as {declared.type}: a map needs a list"
        yield (*path, "from"), message, "Correct its type, or map over something else."


def _called(block: Block) -> Iterator[str]:
    for node in block.nodes:
        for call in (node.call, node.map.call if node.map else None):
            if call is not None and call.block is not None:
                yield call.block
        for repeated in (node.loop, node.iterate):
            if repeated is not None:
                yield repeated.block
        yield from node.race.blocks if node.race else ()


def _cycle(path: Path, block: Block) -> Iterator[Found]:
    needs: dict[str, list[str]] = {}
    for node in block.nodes:
        sources = [*(node.inputs or {}).values(), *(node.map.over.values() if node.map else ())]
        sources += [test.input for test in (node.when, node.condition) if test is not None and test.input]
        upstream = [upstream_of(dependency) for dependency in node.depends_on or ()]
        upstream += [node.branch.of] if node.branch else []
        for source in sources:
            written = [source.from_] if isinstance(source.from_, str) else source.from_ or []
            upstream += [text.partition(".")[0] for text in written]
        needs[node.name] = [name for name in upstream if name != node.name]
    circle = _circle(needs)
    if circle:
        index = next(i for i, node in enumerate(block.nodes) if node.name == circle[0])
        yield (
            (*path, index),
            f"nodes wait for each other: {' -> '.join(circle)}",
            "Remove one of these dependencies.",
        )


def _circle(edges: Mapping[str, list[str]]) -> list[str]:
    """A circle in a graph, its first name repeated at its end; empty when there is none."""
    done: set[str] = set()
    for start in edges:
        path: dict[str, Iterator[str]] = {} if start in done else {start: iter(edges[start])}
        while path:
            name, rest = next(reversed(path.items()))
            following = next((each for each in rest if each not in done), None)
            if following is None:
                del path[name]
                done.add(name)
            elif following in path:
                names = list(path)
                return [*names[names.index(following) :], following]
            else:
                path[following] = iter(edges.get(following, ()))
    return []


def _deepest(edges: Mapping[str, list[str]]) -> list[str]:
    """The longest path in a graph without circles.

    >>> _deepest({"a": ["b", "c"], "b": [], "c": ["b"]})
    ['a', 'c', 'b']
    """
    following: dict[str, str] = {}
    depth: dict[str, int] = {}
    for start in edges:
        waiting = [start]
        while waiting:
            name = waiting[-1]
            below = [each for each in edges.get(name, ()) if each not in depth]
            if below and name not in depth:
                waiting += below
                continue
            waiting.pop()
            best = max(edges.get(name, ()), key=lambda each: depth[each], default=None)
            depth[name] = 1 + (depth[best] if best is not None else 0)
            if best is not None:
                following[name] = best
    path = [max(depth, key=lambda name: depth[name])] if depth else []
    while path and path[-1] in following:
        path.append(following[path[-1]])
    return path


def _twice(named: Iterable[tuple[Path, str]]) -> Iterator[Found]:
    seen: dict[str, Path] = {}
    for path, name in named:
        if name in seen:
            yield (
                (*path, "name"),
                f"the name {name!r} is taken by {path_text(seen[name])}",
                "Rename one of the two.",
            )
        seen.setdefault(name, path)


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
