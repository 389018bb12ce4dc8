"""Jobs that are under way: how many pods at once, and how one is kept from starting more of them."""

from __future__ import annotations

from headwater.engine.graph import Map

from headwater_operator.builders import RunContext
from headwater_operator.builders.names import owner_reference
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
    wanted = _pods_at_once(run, wave, job)
    if wanted is not None and wanted != job.parallelism:
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


def _pods_at_once(run: Run, wave: Wave, job: JobView) -> int | None:
    """How many pods of a Job may run now; None where nothing limits them."""
    engine = run.engine
    state = engine.states.get(wave.path)
    if engine.parallelism is None or state is None or not isinstance(state.node.kind, Map):
        return None
    units = sum(not expected.stage for expected in run.expected.values())
    others = sum(
        min(-(-len(each.items) // each.of_a_pod), job.parallelism)
        for name, each in run.jobs.items()
        if each is not wave and name in run.created
    )
    room = max(engine.parallelism - units - others, 1)
    own = state.node.kind.parallelism
    return min(room, own or room, job.completions)
