"""What a run would do, found out without running anything: the engine is asked, the cache is looked into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from headwater.backends.result import nodes_of
from headwater.backends.resume import plan_resume, walk
from headwater.blocks.compile import Compiled
from headwater.configuration import cache_dir, database_url
from headwater.document.graph import to_graph
from headwater.engine import Engine, Known, Phase
from headwater.engine.commands import Collect, Command, Decide, Lookup, Measure, Start, StartItems
from headwater.engine.events import Event, Succeeded
from headwater.engine.graph import Map
from headwater.errors import RecordsError
from headwater.records import queries
from headwater.runtime.caching import CacheAccess
from headwater.runtime.code import Code
from headwater.runtime.driver import Driver
from headwater.runtime.inline import InlineExecutor


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What would happen to one node: `run`, `cached`, `decide` or `wait`, and why."""

    path: str
    action: str
    why: str
    is_cached_node: bool = False


class _Enough(BaseException):
    """Nothing more can be said without running something."""


class _Asking(InlineExecutor):
    """Answers from the cache and from what is known; notes what would have to run."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.rows: dict[str, PlanRow] = {}

    def submit(self, command: Command) -> None:
        """Note what would be started; keep what can be answered."""
        path = getattr(command, "path", "")
        if isinstance(command, Start):
            self.rows.setdefault(path, PlanRow(path, "run", "it is not cached"))
        elif isinstance(command, StartItems):
            self._note_items(command)
        elif isinstance(command, Decide):
            self.rows[path] = PlanRow(path, "decide", "its inputs are known")
        elif isinstance(command, Measure | Collect | Lookup):
            self._queue.append(command)

    def wait(self, seconds: float | None) -> Sequence[Event]:
        """Answer the next question; stop when there is none."""
        if not self._queue:
            raise _Enough
        command = self._queue.popleft()
        return self._look(command) if isinstance(command, Lookup) else self.answer(command)

    def _look(self, command: Lookup) -> Sequence[Event]:
        assert self.cache is not None
        key = self.cache.key(command.node, command.inputs, self.graph, self.code)
        hit = self.cache.cache.read(key)
        if hit is not None:
            self.rows[command.path] = PlanRow(command.path, "cached", "its outputs are in the cache", True)
            return [Succeeded(command.path, command.attempt, hit.outputs, self.clock(), cached=True)]
        why = self.cache.cache.explain(key).message.partition(": ")[2]
        self.rows[command.path] = PlanRow(command.path, "run", why, True)
        return []

    def _note_items(self, command: StartItems) -> None:
        job = self.maps[command.path]
        runner = self.item_runner(command.path, job)
        cached, why = 0, ""
        uses_cache = self.cache is not None and job.node.policy.cache != "off"
        if uses_cache:
            assert self.cache is not None
            for index in range(job.total):
                key = self.cache.key(job.node, runner.inputs(job.item(index)), self.graph, self.code)
                if self.cache.cache.peek(key) is not None:
                    cached += 1
                elif not why:
                    why = f"; [{index}]: {self.cache.cache.explain(key).message.partition(': ')[2]}"
        action = "cached" if uses_cache and cached == job.total else "run"
        said = f"{job.total} items" + (f", {cached} of them cached{why}" if uses_cache else "")
        self.rows[command.path] = PlanRow(command.path, action, said, uses_cache)


def plan_run(
    compiled: Compiled,
    inputs: Mapping[str, object],
    known: Mapping[str, Known] | None = None,
    *,
    supposing: str | None = None,
) -> list[PlanRow]:
    """What would run, what is cached and why, node by node. Runs nothing and writes nothing.

    `known` are outcomes of an earlier run; a node that uses the cache is looked up all the same. When they
    are only supposed (`supposing` names the run that they are of), the nodes themselves would run again.
    """
    from headwater.backends.session import inputs_of, refuse_wrong_inputs

    graph = to_graph(compiled.spec)
    given = inputs_of(compiled.spec, inputs)
    refuse_wrong_inputs(graph, given)
    code = Code(compiled.objects, compiled.spec.get("parameters") or {})
    executor = _Asking(graph, code, cache=CacheAccess(cache_dir()))
    uncached = {path for path, node in walk(graph) if node.policy.cache == "off"}
    earlier = {path: outcome for path, outcome in (known or {}).items() if path in uncached}
    engine = Engine(graph, given, known=earlier, slots=None)
    with suppress(_Enough):
        Driver(engine, executor, clock=lambda: 0.0).run()
    phases = {path: node.phase for path, node in nodes_of(engine).items()}
    rows = dict(executor.rows)
    for path, node in walk(graph):
        if path not in rows:
            if path in earlier:
                again = PlanRow(path, "run", "it is not cached")
                kept = PlanRow(path, "reuse", "it ended in the earlier run")
                rows[path] = again if supposing else kept
                continue
            skipped = phases.get(path) == Phase.SKIPPED
            uses_cache = node.policy.cache != "off"
            said = "what comes before it has to run first"
            if isinstance(node.kind, Map):
                said = "how many items it has is known when what comes before it has run"
            rows[path] = PlanRow(path, "skip" if skipped else "wait", said, uses_cache)
    if supposing and any(path in earlier for path in rows):
        condition = f", if all before it gives what it gave in {supposing}"
        rows = {
            path: replace(row, why=row.why + condition) if row.action == "cached" else row
            for path, row in rows.items()
        }
    order = {path: number for number, (path, _) in enumerate(walk(graph))}
    return sorted(rows.values(), key=lambda row: order.get(row.path, len(order)))


def outcomes_to_suppose(
    compiled: Compiled, inputs: Mapping[str, object]
) -> tuple[str | None, Mapping[str, Known]]:
    """The latest run that succeeded with these very inputs, and what its nodes gave; (None, {}) without one."""
    wanted = {name: {"json": value} for name, value in inputs.items()}
    try:
        runs = queries.list_runs(database_url(), name=compiled.name, phase="Succeeded", limit=20)
    except RecordsError:
        return None, {}  # without records there is nothing to suppose; the plan says less
    for run in runs:
        if dict(run.inputs) == wanted:
            return run.run_id, plan_resume(compiled, run).known
    return None, {}
