"""The status of SlurmClusters: a short-lived pod asks each, when it is new or changed, and now and then while
runs use it or it is not ready. The operator itself never speaks to Slurm, and reads no Secret."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headwater_operator.builders import BuildSettings
from headwater_operator.builders.probe import CLUSTER, CLUSTER_LABEL, GENERATION, probe_pod
from headwater_operator.diagnosis import waiting
from headwater_operator.kube.api import Api, ApiError
from headwater_operator.kube.informer import Informer, Key
from headwater_operator.kube.queue import WorkQueue
from headwater_operator.run.cluster import GROUP
from headwater_operator.run.status import iso

logger = logging.getLogger("headwater.operator.slurm")
Object = dict[str, Any]

EVERY_SECONDS = 600.0
"""How often a cluster that runs use is asked."""
PATIENCE_SECONDS = 180.0
"""How long a probe may take; its own deadline, which does not count before it is placed on a node, is shorter."""
AGAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A SlurmCluster, or the pod that asks it."""

    version: int
    raw: Object


class SlurmClusters:
    """Keeps the status of all SlurmClusters. `in_use` gives those that runs which have not ended name."""

    def __init__(
        self,
        api: Api,
        settings: BuildSettings,
        *,
        namespace: str | None,
        clock: Callable[[], float],
        in_use: Callable[[], set[Key]],
    ) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._in_use = in_use
        self._asked: dict[Key, float] = {}
        self._pods: dict[Key, Key] = {}
        self._queue: WorkQueue[Key] = WorkQueue()
        scope = f"/namespaces/{namespace}" if namespace else ""
        self.clusters: Informer[Seen] = Informer(
            api, f"{GROUP}{scope}/slurmclusters", _seen, lambda key, old, new: self._queue.add(key)
        )
        self.probes: Informer[Seen] = Informer(
            api, f"/api/v1{scope}/pods", _probe, self._on_probe, params={"labelSelector": CLUSTER_LABEL}
        )

    async def run(self) -> None:
        """Keep them up to date until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.clusters.run())
            tasks.create_task(self.probes.run())
            for informer in (self.clusters, self.probes):
                await informer.synced.wait()
            while True:
                key = await self._queue.get()
                try:
                    await self._look(key)
                except ApiError as error:
                    logger.warning("SlurmCluster %s/%s: %s", *key, error.message)
                    self._queue.add_after(key, AGAIN_SECONDS)
                finally:
                    self._queue.done(key)

    def _on_probe(self, key: Key, old: Seen | None, new: Seen | None) -> None:
        pod = new or old
        assert pod is not None
        cluster = (key[0], pod.raw["metadata"]["annotations"][CLUSTER])
        if new is None:
            self._pods.pop(cluster, None)
        else:
            self._pods[cluster] = key
        self._queue.add(cluster)

    async def _look(self, key: Key) -> None:
        cluster = self.clusters.objects.get(key)
        if cluster is None:
            self._asked.pop(key, None)  # its pod goes with it: it is the owner
            return
        pod = self.probes.objects.get(self._pods.get(key, ("", "")))
        if pod is not None:
            await self._hear(key, cluster.raw, pod.raw)
        elif self._is_due(key, cluster.raw):
            await self._ask(key, cluster.raw)
        self._queue.add_after(key, EVERY_SECONDS if pod is None else AGAIN_SECONDS)

    def _is_due(self, key: Key, cluster: Object) -> bool:
        status = cluster.get("status") or {}
        if status.get("observedGeneration") != cluster["metadata"]["generation"]:
            return True
        matters = status.get("phase") != "Ready" or key in self._in_use()
        return matters and self._clock() - self._asked.get(key, 0.0) >= EVERY_SECONDS

    async def _ask(self, key: Key, cluster: Object) -> None:
        pod = probe_pod(self._settings, cluster)
        try:
            self.probes.learn(await self._api.create(f"/api/v1/namespaces/{key[0]}/pods", pod))
        except ApiError as error:
            if error.status != 403 and error.status != 422:
                raise
            said = f"the pod that asks it is refused: {error.message}"  # a quota, an admission policy
            await self._write(key, cluster, {"phase": "Unknown", "message": said}, cluster["metadata"])
        self._asked[key] = self._clock()

    async def _hear(self, key: Key, cluster: Object, pod: Object) -> None:
        """What the pod has found; one that asks after an older spec, or that does not end, is taken away."""
        meta, status = pod["metadata"], pod.get("status") or {}
        if "deletionTimestamp" in meta:
            return
        of_now = meta["annotations"].get(GENERATION) == str(cluster["metadata"]["generation"])
        ended = status.get("phase") in ("Succeeded", "Failed")
        late = self._clock() - self._asked.setdefault(key, self._clock()) > PATIENCE_SECONDS
        if of_now and not ended and not late:
            return
        if of_now:
            await self._write(key, cluster, reported(pod), cluster["metadata"])
        await self._api.delete(f"/api/v1/namespaces/{key[0]}/pods/{meta['name']}", grace=0)

    async def _write(
        self, key: Key, cluster: Object, found: Mapping[str, Any], meta: Mapping[str, Any]
    ) -> None:
        old = cluster.get("status") or {}
        status = status_of(found, old, meta.get("generation", 1), self._clock())
        if any(old.get(name) != value for name, value in status.items()):
            path = f"{GROUP}/namespaces/{key[0]}/slurmclusters/{key[1]}/status"
            self.clusters.learn(await self._api.patch(path, {"status": status}))


def reported(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a probe has said, or why it could say nothing.

    >>> reported({"metadata": {"name": "p"}, "status": {"phase": "Failed", "reason": "DeadlineExceeded"}})
    {'phase': 'Unknown', 'message': 'the pod p that asks it has said nothing (DeadlineExceeded)'}
    """
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated") or {}
        try:
            found = json.loads(ended.get("message") or "")
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("phase") in ("Ready", "Unreachable", "Invalid"):
            return found
    hindrance = waiting(pod)
    why = (
        hindrance.text if hindrance is not None else status.get("reason") or status.get("phase") or "Pending"
    )
    said = f"the pod {pod['metadata']['name']} that asks it has said nothing ({why})"
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    secrets = [each["secret"]["secretName"] for each in volumes if "secret" in each]
    hint = f". Is there a Secret {secrets[0]!r} in this namespace?" if secrets else ""
    return {"phase": "Unknown", "message": said + hint}


def status_of(
    found: Mapping[str, Any], old: Mapping[str, Any], generation: int, now: float
) -> dict[str, Any]:
    """The status to be written; what it no longer says is None."""
    phase = found["phase"]
    ready = {"Ready": "True", "Unknown": "Unknown"}.get(phase, "False")
    before: Mapping[str, Any] = next(iter(old.get("conditions") or ()), {})
    since = before.get("lastTransitionTime") if before.get("status") == ready else None
    condition = {
        "type": "Ready", "status": ready, "reason": phase, "message": found.get("message", ""),
        "lastTransitionTime": since or iso(now), "observedGeneration": generation,
    }  # fmt: skip
    answered = phase == "Ready"
    return {
        "phase": phase,
        "message": found.get("message"),
        "version": found.get("version") if answered else old.get("version"),
        "partitions": found.get("partitions") if answered else old.get("partitions"),
        "lastSeen": iso(now) if answered else old.get("lastSeen"),
        "observedGeneration": generation,
        "conditions": [condition],
    }


def _seen(obj: Object) -> Seen:
    return Seen(int(obj["metadata"]["resourceVersion"]), obj)


def _probe(obj: Object) -> Seen | None:
    meta = obj["metadata"]
    ours = CLUSTER_LABEL in (meta.get("labels") or {}) and CLUSTER in (meta.get("annotations") or {})
    return _seen(obj) if ours else None
