"""A pod that does not start although it has a node: the reason is in the cluster's events only."""

from __future__ import annotations

from headwater_operator.diagnosis import waiting
from headwater_operator.kube.api import ApiError
from headwater_operator.run.cluster import Cluster
from headwater_operator.run.memory import Run
from headwater_operator.run.passes import note_waiting

LOOK_AFTER = 3.0
LOOK_EVERY = 10.0
MOST_LOOKED_AT = 3


async def look_closer(run: Run, cluster: Cluster, now: float) -> None:
    """Ask for the events of a few pods that have been waiting for a while and do not say why."""
    if now - run.looked_at < LOOK_EVERY:
        return
    silent = [
        (name, expected)
        for name, expected in run.expected.items()
        if name not in run.uncreated
        and name not in run.started_pods
        and now - run.launched.get(expected.path, (now, 0.0))[0] > LOOK_AFTER
    ]
    if not silent:
        return
    run.looked_at = now
    for name, expected in silent[:MOST_LOOKED_AT]:
        pod = cluster.pod(run.key[0], name)
        if pod is None or pod.ended:
            continue
        try:
            found = await cluster.api.get(
                f"/api/v1/namespaces/{run.key[0]}/events",
                {"fieldSelector": f"involvedObject.name={name}", "limit": "20"},
            )
        except ApiError:
            return  # it is only for the message
        said = waiting(pod.raw, found.get("items") or ())
        if said is not None:
            note_waiting(run, expected.path, said.text)
