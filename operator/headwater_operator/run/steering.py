"""Jobs that are under way: how many pods (or tasks of a Slurm array) at once, and how one starts no more of them."""

from __future__ import annotations

from collections.abc import Mapping

from headwater.engine.graph import Map

from headwater_operator.builders import RunContext
from headwater_operator.builders.maps import DEFAULT_PARALLELISM
from headwater_operator.builders.names import LIMIT, owner_reference
from headwater_operator.run.cluster import Cluster
from headwater_operator.run.memory import Run, Wave
from headwater_operator.run.views import JobView


async def steer(cluster: Cluster, run: Run, name: str, wave: Wave) -> None:
    """Bring a Job in line with what the run may do now."""
    job = cluster.job(run.key[0], name)
    if job is None or job.over or job.deleting:
        return
    if wave.detached:
        await _let_go(cluster, run.context, job)
        return
    if wave.bridged:
        await _steer_bridge(cluster, run, name, wave)
        return
    wanted = _at_once(run, name)
    if wanted is None:  # a limit of the run may have been lifted
        wanted = max(_without_limit(run, name), job.parallelism)
    if wanted != job.parallelism:
        await cluster.patch("Job", run.key[0], name, {"spec": {"parallelism": wanted}})


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


async def _steer_bridge(cluster: Cluster, run: Run, name: str, wave: Wave) -> None:
    """Tell a bridge how many tasks of its array may run: its pod has that annotation as a file."""
    pods = cluster.pods_of_job(run.key[0], name)
    bridge = next((pod for pod in pods if not pod.ended and not pod.deleting), None)
    kind = _kind(run, wave)
    if bridge is None or not isinstance(kind, Map):
        return
    wanted = _at_once(run, name) or kind.parallelism or 0
    if wanted != bridge.limit:
        change = {"metadata": {"annotations": {LIMIT: str(wanted) if wanted else None}}}
        await cluster.patch("Pod", run.key[0], bridge.name, change)


def _at_once(run: Run, name: str) -> int | None:
    """How many units of a Job may run now; None where the run has no limit."""
    engine = run.engine
    if engine.parallelism is None or not isinstance(_kind(run, run.jobs[name]), Map):
        return None
    units = sum(not expected.stage for expected in run.expected.values())
    most = {each: _most(run, wave) for each, wave in run.jobs.items() if each == name or each in run.created}
    return shared_out(engine.parallelism - units, most)[name]


def _without_limit(run: Run, name: str) -> int:
    """How many pods of a Job may run where only its map limits them, whose limit its Jobs share."""
    wave = run.jobs[name]
    kind = _kind(run, wave)
    if not isinstance(kind, Map):
        return 0
    if kind.parallelism is None:
        return min(_most(run, wave), DEFAULT_PARALLELISM)
    jobs = {each: _most(run, other) for each, other in run.jobs.items() if other.path == wave.path}
    return shared_out(kind.parallelism, jobs)[name]


def shared_out(room: int, most: Mapping[str, int]) -> dict[str, int]:
    """Room for Jobs, each of which has use for so much: even shares, what one leaves to the others, one at least.

    >>> shared_out(9, {"a": 10, "b": 1, "c": 10}), shared_out(0, {"a": 2})
    ({'b': 1, 'a': 4, 'c': 4}, {'a': 1})
    """
    found = {}
    for done, (name, use) in enumerate(sorted(most.items(), key=lambda each: (each[1], each[0]))):
        found[name] = min(use, max(room // (len(most) - done), 1))
        room -= found[name]
    return found


def _kind(run: Run, wave: Wave) -> object:
    state = run.engine.states.get(wave.path)
    return state.node.kind if state is not None else None


def _most(run: Run, wave: Wave) -> int:
    """How many units of a Job can run at once, whatever else does."""
    kind = _kind(run, wave)
    tasks = max(-(-len(wave.items) // wave.per_pod), 1)
    return min(tasks, kind.parallelism or tasks) if isinstance(kind, Map) else tasks
