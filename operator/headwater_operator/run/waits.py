"""Pods that do not start, and Jobs that make none: the reason is in the cluster's events and nodes only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headwater_operator.diagnosis import Waiting, job_trouble, waiting
from headwater_operator.kube.api import ApiError
from headwater_operator.run.cluster import Cluster
from headwater_operator.run.memory import Run
from headwater_operator.run.passes import note_waiting

LOOK_AFTER = 3.0
LOOK_EVERY = 10.0
MOST_LOOKED_AT = 3


async def look_closer(run: Run, cluster: Cluster, now: float) -> None:
    """Ask for the events of a few things that have been waiting for a while and do not say why."""
    if now - run.looked_at < LOOK_EVERY:
        return
    pods = [
        (name, expected.path)
        for name, expected in run.expected.items()
        if name not in run.uncreated and name not in run.started_pods and _late(run, expected.path, now)
    ]
    jobs = []
    for name, wave in run.jobs.items():
        if name not in run.uncreated and _late(run, wave.path, now):
            made = list(cluster.pods_of_job(run.key[0], name))
            pods += [(pod.name, wave.path) for pod in made if pod.phase == "Pending"][:1]
            jobs += [(name, wave.path)] if not made else []
    if not pods and not jobs:
        return
    run.looked_at = now
    try:
        for name, path in pods[:MOST_LOOKED_AT]:
            await _look_at_pod(run, cluster, name, path, now)
        for name, path in jobs[:MOST_LOOKED_AT]:
            await _look_at_job(run, cluster, name, path)
    except ApiError:
        return  # it is only for the message


def _late(run: Run, path: str, now: float) -> bool:
    return now - run.launched.get(path, (now, 0.0))[0] > LOOK_AFTER


async def _look_at_pod(run: Run, cluster: Cluster, name: str, path: str, now: float) -> None:
    pod = cluster.pod(run.key[0], name)
    if pod is None or pod.phase != "Pending":
        return
    short = waiting(pod.raw)
    whole = await cluster.api.get(f"/api/v1/namespaces/{run.key[0]}/pods/{name}")
    nodes = await cluster.nodes(now) if short is not None and short.reason == "Unschedulable" else ()
    said = waiting(whole, await _events(run, cluster, name), nodes)
    if said is not None:
        run.explained[path] = (short.text if short is not None else "", said.text)
        note_waiting(run, path, said.text)


async def _look_at_job(run: Run, cluster: Cluster, name: str, path: str) -> None:
    job = await cluster.api.get(f"/apis/batch/v1/namespaces/{run.key[0]}/jobs/{name}")
    said = job_trouble(job, await _events(run, cluster, name))
    if isinstance(said, Waiting):
        note_waiting(run, path, said.text)


async def _events(run: Run, cluster: Cluster, name: str) -> Sequence[Any]:
    found = await cluster.api.get(
        f"/api/v1/namespaces/{run.key[0]}/events",
        {"fieldSelector": f"involvedObject.name={name}", "limit": "20"},
    )
    return found.get("items") or ()
