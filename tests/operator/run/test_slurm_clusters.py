"""The status of SlurmClusters: a pod asks, when one is new or changed and while it matters; changes are written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from headwater_operator.kube.informer import Key
from headwater_operator.run.slurm_clusters import EVERY_SECONDS, SlurmClusters

from tests.operator.simulated_api import SimulatedApi
from tests.operator.simulated_nodes import NAMESPACE, PODS
from tests.operator.simulated_time import run_simulated
from tests.operator.world import SETTINGS, WORKFLOWS

CLUSTERS = WORKFLOWS.replace("workflows", "slurmclusters")
READY = {"phase": "Ready", "version": "22.05", "partitions": ["debug", "short"]}
AWAY = {"phase": "Unreachable", "message": "no answer from slurmrestd at http://slurm"}
Object = dict[str, Any]


class Site:
    """A SlurmCluster, the operator's part that looks after it, and what its probes say."""

    def __init__(self) -> None:
        self.api = SimulatedApi()
        self.used: set[Key] = set()
        spec = {
            "transport": "rest",
            "endpoint": "http://slurm",
            "workdir": "/w",
            "secretRef": {"name": "jwt"},
        }
        meta = {"name": "hpc", "namespace": NAMESPACE, "uid": "u1", "generation": 1}
        self.api.add(CLUSTERS, {"kind": "SlurmCluster", "metadata": meta, "spec": spec})

    @property
    def status(self) -> Object:
        return self.api.collection(CLUSTERS)["hpc"].get("status") or {}

    async def until(self, holds: Callable[[], object], seconds: float = 60.0) -> None:
        for _ in range(int(seconds / 0.1)):
            if holds():
                return
            await asyncio.sleep(0.1)
        raise AssertionError(self.api.objects)

    async def answered(self, said: Object) -> None:
        """The next probe comes, says this and is taken away."""
        await self.until(lambda: self.api.collection(PODS), 2 * EVERY_SECONDS)
        (name,) = self.api.collection(PODS)
        state = {"terminated": {"exitCode": 0, "message": json.dumps(said)}}
        status = {"phase": "Succeeded", "containerStatuses": [{"name": "main", "state": state}]}
        self.api.change(PODS, name, status=status)
        await self.until(lambda: not self.api.collection(PODS))

    def probes(self) -> int:
        """How many there have been."""
        return sum(where == PODS and kind == "ADDED" for _, where, kind, _ in self.api.log)


@asynccontextmanager
async def looked_after(site: Site) -> AsyncIterator[None]:
    clusters = SlurmClusters(
        site.api,  # type: ignore[arg-type]  # it offers the same
        SETTINGS, namespace=NAMESPACE, clock=site.api.clock.now, in_use=lambda: site.used,
    )  # fmt: skip
    task = asyncio.create_task(clusters.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_new_cluster_is_asked_and_what_it_says_is_its_status() -> None:
    async def run() -> None:
        site = Site()
        async with looked_after(site):
            await site.until(lambda: site.api.collection(PODS))
            (pod,) = site.api.collection(PODS).values()
            assert pod["spec"]["automountServiceAccountToken"] is False
            assert pod["metadata"]["ownerReferences"][0]["name"] == "hpc"
            assert "jwt" not in pod["spec"]["containers"][0]["env"][0]["value"]
            await site.answered(READY)
        assert site.status.items() >= READY.items()
        assert site.status["lastSeen"].startswith("2027-01-15T08:00")
        (ready,) = site.status["conditions"]
        assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "True", "Ready")

    run_simulated(run())


def test_one_that_is_ready_and_not_used_is_left_alone() -> None:
    async def run() -> None:
        site = Site()
        async with looked_after(site):
            await site.answered(READY)
            writes = site.api.writes
            await asyncio.sleep(20 * EVERY_SECONDS)
            assert (site.probes(), site.api.writes) == (1, writes)
            site.used.add((NAMESPACE, "hpc"))
            await site.answered(AWAY)
        assert site.status["phase"] == "Unreachable"
        assert site.status["message"] == AWAY["message"]
        assert site.status["version"] == "22.05"  # the Slurm that answered last

    run_simulated(run())


def test_one_that_is_away_is_asked_again_and_written_only_when_that_changes() -> None:
    async def run() -> None:
        site = Site()
        async with looked_after(site):
            await site.answered(AWAY)
            first = site.status
            await site.answered(AWAY)
            assert site.status == first
            await site.answered(READY)
        assert site.status["phase"] == "Ready"
        assert site.status.get("message") is None
        assert site.probes() == 3

    run_simulated(run())


def test_a_changed_spec_is_asked_anew_whatever_an_older_probe_says() -> None:
    async def run() -> None:
        site = Site()
        async with looked_after(site):
            await site.until(lambda: site.api.collection(PODS))
            changed = {**site.api.collection(CLUSTERS)["hpc"]["metadata"], "generation": 2}
            site.api.change(CLUSTERS, "hpc", metadata=changed, spec={"endpoint": "http://other"})
            await site.until(lambda: site.probes() == 2)
            await site.answered(READY)
        assert site.status["observedGeneration"] == 2

    run_simulated(run())


def test_a_probe_that_cannot_run_is_unknown_and_says_why() -> None:
    async def run() -> None:
        site = Site()
        async with looked_after(site):
            await site.until(lambda: site.api.collection(PODS))
            (name,) = site.api.collection(PODS)
            site.api.change(PODS, name, status={"phase": "Failed", "reason": "DeadlineExceeded"})
            await site.until(lambda: site.status)
        assert site.status["phase"] == "Unknown"
        assert "(DeadlineExceeded). Is there a Secret 'jwt' in this namespace?" in site.status["message"]

    run_simulated(run())


def test_a_probe_that_never_ends_is_taken_away() -> None:
    async def run() -> None:
        site = Site()
        async with looked_after(site):
            await site.until(lambda: site.probes() == 1)
            await site.until(lambda: site.status, 600)
            assert site.status["phase"] == "Unknown"
            await site.until(lambda: not site.api.collection(PODS))

    run_simulated(run())
