"""Make the memory of a run: a new engine for one that starts, the old one again for one that was under way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.engine import Engine
from headwater.engine.graph import Call, Container, Map, Task
from headwater.engine.state import Known, NodeState, Phase

from headwater_operator.builders import RunContext, cluster_of, job_name, pod_name
from headwater_operator.run.feed import unit_step
from headwater_operator.run.graph import cluster_graph, encoded_arguments
from headwater_operator.run.memory import Expected, Run
from headwater_operator.run.packing import beside_of, unpack
from headwater_operator.run.values import encoded_inputs
from headwater_operator.run.views import WorkflowView

MOST_NODES = 10_000
"""Nodes of a run at once: they are in the memory of the operator beside those of other runs, and in the status."""

OVERWRITE_CACHE = "headwater.dev/overwrite-cache"
"""Annotation of a Workflow whose pods take nothing from the cache."""


def new_run(
    view: WorkflowView,
    spec: Mapping[str, Any],
    *,
    known: Mapping[str, Any],
    slurm: Mapping[str, Mapping[str, Any]] | None = None,
) -> Run:
    """A run that has not started; `slurm` are the SlurmClusters that its nodes name."""
    graph = cluster_graph(spec)
    engine = Engine(
        graph,
        encoded_arguments(spec),
        name=view.name,
        known=known_states(known),
        map_slots=False,
        whole_waves=True,
        queued=True,
        most_nodes=MOST_NODES,
        suspended=bool(view.spec.get("suspend")),
    )
    return Run(
        (view.namespace, view.name),
        view.uid,
        spec,
        _context(view, spec, slurm or {}),
        engine,
        own_spec=spec is view.spec,
        known=dict(known),
    )


def _context(view: WorkflowView, spec: Mapping[str, Any], slurm: Mapping[str, Any]) -> RunContext:
    anew = view.annotations.get(OVERWRITE_CACHE) == "true"
    return RunContext(view.name, view.namespace, view.uid, spec, slurm, anew)


def restored_run(view: WorkflowView) -> Run:
    """A run as its status describes it; what it waits for in the cluster is `expected` and in `jobs` again.

    Raises:
        ValueError: the status is not ours.
    """
    text = view.status["engine"]
    beside = beside_of(text)
    spec = beside.get("spec") or view.spec
    graph = cluster_graph(spec)
    engine, beside = unpack(text, graph, known_states(beside.get("known", {})))
    key = (view.namespace, view.name)
    context = _context(view, spec, beside.get("slurm") or {})
    run = Run(key, view.uid, spec, context, engine)
    run.own_spec = "spec" not in beside
    run.take_beside(beside)
    run.written = dict(view.status.get("nodes") or {})
    run.written_text = text
    run.written_phase = view.status.get("phase", "")
    run.records = {path: found for path, found in run.written.items() if path not in engine.states}
    _recall_times(run)
    _expect_pods(run)
    _expect_jobs(run)
    return run


def known_states(known: Mapping[str, Any]) -> dict[str, Known]:
    """What had ended in the run that is resumed: path to phase, outputs and answer."""
    return {path: Known(Phase(each[0]), each[1] or {}, each[2]) for path, each in known.items()}


def known_of(run: Run, without: str | None) -> dict[str, Any]:
    """What another run can take over of this one: all that ended well, except a node and what follows it."""
    engine = run.engine
    left_out = _downstream(run, without.replace("_", "-")) if without else set()
    found: dict[str, Any] = {}
    for path, state in engine.states.items():
        if state.phase not in (Phase.SUCCEEDED, Phase.CACHED) or _under(path, left_out):
            continue
        if isinstance(state.node.kind, Map | Task | Container | Call) or state.answer is not None:
            outputs = dict(encoded_inputs(state.outputs or {}))
            found[path] = [str(state.phase), outputs, state.answer]
    return found


def _downstream(run: Run, path: str) -> set[str]:
    """A node, the nodes around it, and all that follow any of them."""
    states = run.engine.states
    left: set[str] = set()
    state = states.get(path) or next((s for p, s in states.items() if p.replace("_", "-") == path), None)
    while state is not None:
        frame = state.frame
        waiting = [state.index]
        while waiting:
            index = waiting.pop()
            found = frame.nodes[index].path
            if found not in left:
                left.add(found)
                waiting += frame.plan.nodes[index].downstream
        state = frame.owner
    return left


def _under(path: str, roots: set[str]) -> bool:
    return any(path == root or path.startswith((f"{root}/", f"{root}[")) for root in roots)


def _recall_times(run: Run) -> None:
    for path, found in run.written.items():
        times = found.get("at") if isinstance(found, dict) else None
        if times:
            run.launched[path] = (times[0], times[1] if len(times) > 1 else -1.0)
            if len(times) > 2:
                run.durations[path] = times[2]


def _expect_pods(run: Run) -> None:
    for state in run.engine.states.values():
        if state.stage in ("run", "running") and _is_unit(state):
            step = unit_step(run, state, state.attempt, encoded_inputs(state.inputs or {}))
            name = pod_name(run.context, step.path, step.attempt, "", step.lineage)
            run.expected[name] = Expected(state.path, state.attempt, "", step)
            if cluster_of(run.context, step):
                run.replaced[name] = 0  # it may have been there, whatever is there now
            if state.stage == "running":
                run.started_pods.add(name)
    for step in run.asks.values():
        name = pod_name(run.context, step.path, step.attempt, step.stage, step.lineage)
        run.expected[name] = Expected(step.path, step.attempt, step.stage, step)
    run.dirty_pods.update(run.expected)


def _is_unit(state: NodeState) -> bool:
    return isinstance(state.node.kind, Task | Container | Call)


def _expect_jobs(run: Run) -> None:
    for waves in run.waves.values():
        for wave in waves:
            state = run.engine.states.get(wave.path)
            if state is not None and state.stage == "items" and not wave.cancelled:
                name = job_name(run.context, wave.path, wave.attempt, wave.chunk, wave.lineage)
                run.jobs[name] = wave
    run.dirty_jobs.update(run.jobs)
