"""One past task again, here and now, with the exact inputs that it had."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from headwater.backends.resume import plan_resume, walk
from headwater.blocks.compile import Compiled
from headwater.document.graph import to_graph
from headwater.engine import Engine
from headwater.engine.commands import Start, StartItems
from headwater.engine.graph import Map
from headwater.errors import UsageError
from headwater.records.model import Run
from headwater.runtime.code import Code, live_inputs
from headwater.runtime.driver import Driver
from headwater.runtime.inline import InlineExecutor


@dataclass(frozen=True, slots=True)
class Replay:
    """A task that can be called again."""

    path: str
    inputs: Mapping[str, object]
    call: object

    def __call__(self) -> object:
        """Run it; what it raises is raised."""
        assert callable(self.call)
        return self.call()


class _Found(BaseException):
    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self.replay = replay


class _Catching(InlineExecutor):
    """Runs nothing: it stops when the wanted node is about to start."""

    wanted = ""
    index: int | None = None

    def submit(self, command: object) -> None:
        path = getattr(command, "path", "")
        if isinstance(command, Start) and path == self.wanted:
            inputs = live_inputs(command.inputs)
            raise _Found(Replay(path, inputs, lambda: self._call(command)))
        if isinstance(command, StartItems) and path == self.wanted and self.index is not None:
            job = self.maps[path]
            if not 0 <= self.index < job.total:
                raise UsageError(f"{path!r} has {job.total} items; there is no [{self.index}]")
            runner = self.item_runner(path, job)
            item = job.item(self.index)
            index = self.index
            raise _Found(Replay(f"{path}[{index}]", runner.inputs(item), lambda: runner(index, item)))
        if isinstance(command, Start | StartItems):
            raise UsageError(
                f"{self.wanted!r} cannot be replayed: {path!r} before it did not end in that run",
                fix=f"Replay {path!r}, or resume the run first.",
            )
        super().submit(command)  # type: ignore[arg-type]  # a command of another kind


def find_replay(compiled: Compiled, run: Run, node: str) -> Replay:
    """The task of a recorded run, ready to be called with the inputs that it had.

    `node` is a path, with the index of an item at its end for a map: `process[17]`.

    Raises:
        UsageError: there is no such node, or what it took was not kept.
    """
    match = re.fullmatch(r"(.*?)(?:\[(\d+)\])?", node.replace("_", "-"))
    assert match is not None
    path, index = match[1], match[2]
    graph = to_graph(compiled.spec)
    nodes = dict(walk(graph))
    if path not in nodes:
        raise UsageError(f"there is no node {path!r} in {run.name!r}", fix=f"Nodes: {', '.join(nodes)}.")
    if isinstance(nodes[path].kind, Map) and index is None:
        raise UsageError(f"{path!r} is a map", fix=f"Say which item: {path}[0].")
    selected = f"{path}[{index}]" if index is not None else path
    plan = plan_resume(compiled, run, from_=selected)
    code = Code(compiled.objects, compiled.spec.get("parameters") or {})
    executor = _Catching(graph, code)
    executor.wanted, executor.index = path, None if index is None else int(index)
    engine = Engine(graph, plan.inputs, known=plan.known, slots=1)
    try:
        Driver(engine, executor, clock=lambda: 0.0).run()
    except _Found as found:
        return found.replay
    raise UsageError(f"{path!r} starts no task of its own", fix="Name a task, or an item of a map.")
