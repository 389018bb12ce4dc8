"""An operator at work: informers, workers, the mirror, while it holds the Lease."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import logging
from typing import Any

from headwater.document.crd import custom_resource_definitions
from headwater.document.linting import problems_of

from headwater_operator.builders import BuildSettings, Store
from headwater_operator.kube.api import Api, ApiError
from headwater_operator.kube.clock import ServerClock
from headwater_operator.kube.connection import Connection
from headwater_operator.kube.informer import Key
from headwater_operator.kube.lease import Lease, acquire
from headwater_operator.kube.queue import WorkQueue
from headwater_operator.metrics import Metrics
from headwater_operator.options import OperatorOptions
from headwater_operator.run.cluster import Cluster
from headwater_operator.run.reconcile import Reconciler, Recorder
from headwater_operator.run.slurm_clusters import SlurmClusters

logger = logging.getLogger("headwater.operator")

TOLD_AFTER = 4
"""Failed passes of a run, one after the other, before its user is told."""

_LONGEST_RETRY = 30.0
_LATER = 2.0
_DIGEST = "headwater.dev/digest"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Service:
    """Everything of an operator but its process."""

    def __init__(self, options: OperatorOptions, connection: Connection) -> None:
        self.options = options
        self.connection = connection
        self.metrics = Metrics()
        self.clock = ServerClock()
        self.api = Api(connection, concurrency=options.concurrency, clock=self.clock)
        self.settings = BuildSettings(
            image=options.image,
            store=Store.parse(options.store),
            pull_policy=options.pull_policy,
            allow_host=options.allow_host,
        )
        namespace = options.lease_namespace or options.namespace or connection.namespace
        self.leases = [
            Lease(self.api, namespace, name, health=self._health) for name in _lease_names(options.shards)
        ]
        self.shard = 0
        self.reconciler: Reconciler | None = None
        self.active = False
        self._failures: dict[Key, int] = {}

    async def run(self) -> None:
        """Work until cancelled; stand by while another operator holds the Lease."""
        background: asyncio.Task[None] | None = None
        try:
            warm_up()
            if await self._reached():
                background = asyncio.create_task(self._ensure_definitions())
                background.add_done_callback(_log_failure)
            else:
                await self._ensure_definitions()
            while True:
                if not self.options.leader_election:
                    await self._work()
                self.shard = await acquire(self.leases)
                await self._lead()
        finally:
            if background is not None:
                background.cancel()
                await asyncio.gather(background, return_exceptions=True)
            await self.leases[self.shard].release()
            await self.api.close()

    async def _lead(self) -> None:
        work = asyncio.create_task(self._work())
        keep = asyncio.create_task(self.leases[self.shard].keep())
        try:
            await asyncio.wait({work, keep}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            logger.warning("the lease is lost: stopping until it is ours again")
        finally:
            for task in (work, keep):
                task.cancel()
            await asyncio.gather(work, keep, return_exceptions=True)

    async def _work(self) -> None:
        queue: WorkQueue[Key] = WorkQueue()
        recorder, mirror = self._recorder(queue)
        reconciler = Reconciler(self.settings, queue, recorder, self.clock.now)
        cluster = Cluster(
            self.api,
            namespace=self.options.namespace,
            shard=(self.shard, self.options.shards),
            run_changed=queue.add,
            pod_changed=reconciler.pod_changed,
            job_changed=reconciler.job_changed,
        )
        reconciler.attach(cluster)
        self.reconciler = reconciler
        self._watch(reconciler, queue)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(cluster.run())
            if mirror is not None:
                tasks.create_task(mirror.run())
            await cluster.synced()
            if self.shard == 0:
                tasks.create_task(self._slurm_clusters(reconciler).run())
            self.active = True
            where = f"namespace {self.options.namespace!r}" if self.options.namespace else "all namespaces"
            if self.options.shards > 1:
                where += f", shard {self.shard} of {self.options.shards}"
            logger.info("active in %s, %d runs to look after", where, len(cluster.workflows.objects))
            for _ in range(self.options.workers):
                tasks.create_task(self._worker(reconciler, queue))

    async def _worker(self, reconciler: Reconciler, queue: WorkQueue[Key]) -> None:
        failures = self._failures
        while True:
            key = await queue.get()
            try:
                with self.metrics.pass_seconds.time():
                    await reconciler.reconcile(key)
                failures.pop(key, None)
            except Exception as error:  # a worker must outlive any one run
                self.metrics.failed_passes.inc()
                failures[key] = failures.get(key, 0) + 1
                reconciler.trouble(key, error)
                if failures[key] == TOLD_AFTER:
                    await reconciler.tell_trouble(key, error)
                queue.add_after(key, min(0.2 * 2 ** failures[key], _LONGEST_RETRY))
            finally:
                queue.done(key)

    def _slurm_clusters(self, reconciler: Reconciler) -> SlurmClusters:
        def in_use() -> set[Key]:
            return {(run.key[0], name) for run in reconciler.runs.values() for name in run.context.slurm}

        return SlurmClusters(
            self.api, self.settings, namespace=self.options.namespace, clock=self.clock.now, in_use=in_use
        )

    def _recorder(self, queue: WorkQueue[Key]) -> tuple[Recorder | None, Any]:
        if self.options.database_url is None:
            return None, None
        from headwater_operator.recording import MirrorRecorder

        recorder = MirrorRecorder(self.options.database_url, queue, self.clock.now, self.connection.server)
        return recorder, recorder.mirror

    def _watch(self, reconciler: Reconciler, queue: WorkQueue[Key]) -> None:
        if self.active:
            return
        watch = self.metrics.watch
        watch("active_runs", "Runs under way.", lambda: float(len((self.reconciler or reconciler).runs)))
        watch("queue_length", "Runs that wait for a worker.", lambda: float(len(queue)))
        watch("api_calls", "Calls of the API server so far.", lambda: float(self.api.calls))
        watch("api_writes", "Writes among them.", lambda: float(self.api.writes))

    def _health(self) -> str:
        """What `flowctl doctor` shows of an operator."""
        runs = len(self.reconciler.runs) if self.reconciler is not None else 0
        recorder = self.reconciler.recorder if self.reconciler is not None else None
        mirror = getattr(recorder, "health", "no database") if recorder is not None else "no database"
        options = self.options
        return json.dumps(
            {"runs": runs, "mirror": mirror, "store": options.store, "image": options.image,
             "namespace": options.namespace or ""}
        )  # fmt: skip

    async def _ensure_definitions(self) -> None:
        """Install the CRDs or bring them up to date; without the right to, check that they are there."""
        for definition in await asyncio.to_thread(custom_resource_definitions):
            name = definition["metadata"]["name"]
            try:
                found = await self.api.get(f"{_DEFINITIONS}/{name}")
            except ApiError as error:
                if error.status == 403:
                    logger.info("may not look at CRDs; taking them for installed")
                    return
                if error.status != 404:
                    raise
                found = None
            if not self.options.install_crds:
                if found is None:
                    raise ApiError(
                        404, f"the CRD {name} is not installed: kubectl apply --server-side -f crds/"
                    )
            elif found is None:
                await self._create_definition(name, definition)
            elif (found["metadata"].get("annotations") or {}).get(_DIGEST) != _digest_of(definition):
                await self._replace_definition(name, definition, found)
        for _ in range(100):  # a new one is served a moment after it was created
            if await self._definitions_served():
                return
            await asyncio.sleep(0.1)

    async def _create_definition(self, name: str, definition: dict[str, Any]) -> None:
        try:
            await self.api.create(_DEFINITIONS, _marked(definition))
            logger.info("installed the CRD %s", name)
        except ApiError as error:
            if error.status != 409:
                raise

    async def _replace_definition(self, name: str, definition: dict[str, Any], found: dict[str, Any]) -> None:
        wanted = _marked({**found, "spec": {**found["spec"], **definition["spec"]}}, _digest_of(definition))
        try:
            await self.api.replace(f"{_DEFINITIONS}/{name}", wanted)
            logger.info("brought the CRD %s up to date", name)
        except ApiError as error:
            if error.status != 409:
                raise

    async def _reached(self) -> bool:
        """Wait for the API server, which may come up after us; whether our definitions are there."""
        while True:
            try:
                return await self._definitions_served()
            except ApiError as error:
                if 0 < error.status < 500:
                    raise
                logger.warning("%s; trying again", error.message)
                await asyncio.sleep(_LATER)

    async def _definitions_served(self) -> bool:
        try:
            await self.api.get(f"/apis/headwater.dev/v1alpha1{self._scope}/workflows", {"limit": "1"})
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    @property
    def _scope(self) -> str:
        return f"/namespaces/{self.options.namespace}" if self.options.namespace else ""


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.warning("the CRDs could not be brought up to date: %s", task.exception())


def warm_up() -> None:
    """Import and build what the first run would otherwise wait for, half a second of it."""
    node = {"name": "a", "task": "m:a"}
    document = {"spec": {"blocks": [{"name": "main", "nodes": [node]}]}, "metadata": {"name": "warm-up"}}
    problems_of({"apiVersion": "headwater.dev/v1alpha1", "kind": "Workflow", **document})
    gc.collect()
    gc.freeze()  # what was imported stays: the collector need not look through it again and again


def _digest_of(definition: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(definition["spec"], sort_keys=True).encode()).hexdigest()[:16]


def _marked(definition: dict[str, Any], digest: str = "") -> dict[str, Any]:
    """The same with the digest of what we asked for: the server writes defaults into what it answers."""
    metadata = definition["metadata"]
    annotations = {**(metadata.get("annotations") or {}), _DIGEST: digest or _digest_of(definition)}
    return {**definition, "metadata": {**metadata, "annotations": annotations}}


def _lease_names(shards: int) -> list[str]:
    name = "headwater-operator"
    return [name] if shards == 1 else [f"{name}-{number}-of-{shards}" for number in range(shards)]
