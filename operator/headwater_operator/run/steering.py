"""Jobs that are under way: how many pods (or tasks of a Slurm array) at once, and how one starts no more of them."""

from __future__ import annotations

from headwater.engine.graph import Map
from headwater.engine.intervals import IntervalSet

from headwater_operator.builders import RunContext
from headwater_operator.builders.maps import DEFAULT_PARALLELISM
from headwater_operator.builders.names import LIMIT, owner_reference
from headwater_operator.run.cluster import Cluster
from headwater_operator.run.memory import Run, Wave
from headwater_operator.run.views import JobView


async def steer(cluster: Cluster, run: Run, name: str, wave: Wave, allowed: int) -> None:
    """Bring a Job in line with what the run may do now; `allowed` is its part of `allowances`."""
    job = cluster.job(run.key[0], name)
    if job is None or job.over or job.deleting:
        return
    if wave.detached:
        await _let_go(cluster, run.context, job)
    elif wave.bridged:
        await _steer_bridge(cluster, run, name, wave, allowed)
    elif allowed != job.parallelism:
        wave.given = allowed
        await cluster.patch("Job", run.key[0], name, {"spec": {"parallelism": allowed}})


def allowances(cluster: Cluster, run: Run) -> dict[str, int]:
    """How many pods (or tasks of a Slurm array) of each Job of a run may run now: 0 for one that has to wait.

    A Job that is under way keeps its places, for fewer would kill pods; what it has no use for any more goes to the
    next. Only where a person has lowered the run's `parallelism` there are fewer than were given.
    """
    engine = run.engine
    if not run.jobs:
        return {}
    units = sum(not expected.stage for expected in run.expected.values())
    taken = {name: min(_given(cluster, run, name, wave), _left(run, wave)) for name, wave in run.jobs.items()}
    of_maps: dict[str, int] = {}
    for name, wave in run.jobs.items():
        of_maps[wave.path] = of_maps.get(wave.path, 0) + taken[name]
    of_all = sum(taken.values())
    found = {}
    for name, wave in run.jobs.items():
        limit = _limit_of_map(run, wave)
        room = min(_pods(wave), limit or engine.parallelism or DEFAULT_PARALLELISM)
        if limit is not None:
            room = min(room, limit - (of_maps[wave.path] - taken[name]))
        if engine.parallelism is not None:
            room = min(room, engine.parallelism - units - (of_all - taken[name]))
        found[name] = max(room, 0)
        more = min(found[name], _left(run, wave)) - taken[name]
        of_maps[wave.path] += more
        of_all += more
    return found


def _given(cluster: Cluster, run: Run, name: str, wave: Wave) -> int:
    job = cluster.job(run.key[0], name)
    return wave.given if job is None or wave.bridged else job.parallelism


def _left(run: Run, wave: Wave) -> int:
    """How many pods of a Job have something left to do, at most."""
    state = run.engine.states.get(wave.path)
    if state is None or state.items is None:
        return 0
    running, waves = state.items.running, run.waves.get(wave.path, [])
    if len(waves) < 2:
        return min(len(running), _pods(wave))
    items = IntervalSet(both for part in wave.items.ranges() for both in running.intersection(*part))
    for later in reversed(waves):
        if later is wave:
            break
        for (
            part
        ) in later.items.ranges():  # what is tried again, or was let go of, is not in this Job any more
            items.discard(*part)
    return min(len(items), _pods(wave))


def _pods(wave: Wave) -> int:
    return max(-(-len(wave.items) // wave.per_pod), 1)


def _limit_of_map(run: Run, wave: Wave) -> int | None:
    state = run.engine.states.get(wave.path)
    kind = state.node.kind if state is not None else None
    return kind.parallelism if isinstance(kind, Map) else None


async def _let_go(cluster: Cluster, context: RunContext, job: JobView) -> None:
    """Delete a Job and leave its pods, which belong to the run itself from now on.

    Nothing else keeps a Job from replacing a pod that has ended: fewer `parallelism` and `suspend` kill pods.
    """
    by_job = {
        "apiVersion": "batch/v1", "kind": "Job", "name": job.name, "uid": job.uid, "controller": True,
        "blockOwnerDeletion": True,
    }  # fmt: skip
    by_run = {**owner_reference(context), "controller": False}
    for pod in cluster.pods_of_job(context.namespace, job.name):
        await cluster.patch(
            "Pod", context.namespace, pod.name, {"metadata": {"ownerReferences": [by_job, by_run]}}
        )
    await cluster.delete("Job", context.namespace, job.name, propagation="Orphan")


async def _steer_bridge(cluster: Cluster, run: Run, name: str, wave: Wave, allowed: int) -> None:
    """Tell a bridge how many tasks of its array may run: its pod has that annotation as a file."""
    pods = cluster.pods_of_job(run.key[0], name)
    bridge = next((pod for pod in pods if not pod.ended and not pod.deleting), None)
    if bridge is None:
        return
    has_limit = run.engine.parallelism is not None or _limit_of_map(run, wave) is not None
    wave.given = wanted = max(allowed, 1) if has_limit else 0
    if wanted != bridge.limit:
        change = {"metadata": {"annotations": {LIMIT: str(wanted) if wanted else None}}}
        await cluster.patch("Pod", run.key[0], bridge.name, change)
