"""A whole operator in simulation: its reconciler and informers are real, the API server and the nodes are not.

The operator can be killed at any of its calls, before or after the call takes effect, and another one takes over.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from headwater_operator.builders import BuildSettings, Store
from headwater_operator.kube.queue import WorkQueue
from headwater_operator.run.cluster import Cluster
from headwater_operator.run.reconcile import Reconciler

from tests.operator.simulated_api import SimulatedApi
from tests.operator.simulated_nodes import NAMESPACE, Nodes, Script

Object = dict[str, Any]
WORKFLOWS = f"/apis/headwater.dev/v1alpha1/namespaces/{NAMESPACE}/workflows"
SETTINGS = BuildSettings(image="runtime", store=Store.parse("none"))


class Killed(BaseException):
    """The operator's process is gone."""


class World:
    """One cluster with one operator at a time."""

    def __init__(self, script: Script, seed: int) -> None:
        self.rng = random.Random(seed)
        self.api = SimulatedApi(self._hook)
        self.nodes = Nodes(self.api, script, self.rng)
        self.kill_at: Callable[[int, bool], bool] = lambda call, done: False
        self.fail_at: Callable[[int], Exception | None] = lambda call: None
        self.recorder: Any = None
        self.operator_calls = 0
        self.kills = 0
        self.most = 0
        self.working = False
        self._tasks: list[asyncio.Task[None]] = []
        self._dead = asyncio.Event()

    def _hook(self, method: str, path: str, done: bool) -> None:
        if not self.working:
            return
        if not done:
            self.operator_calls += 1
            problem = self.fail_at(self.operator_calls)
            if problem is not None:
                raise problem
        if self.kill_at(self.operator_calls, done):
            self._die()
            raise Killed

    def _die(self) -> None:
        self.kills += 1
        self.working = False
        self._dead.set()

    # ------------------------------------------------------------ the operator

    def start_operator(self, *, beside: bool = False) -> None:
        """A new operator process; `beside` those that run, by mistake."""
        queue: WorkQueue[tuple[str, str]] = WorkQueue()
        reconciler = Reconciler(SETTINGS, queue, self.recorder, self.api.clock.now)
        cluster = Cluster(
            self.api,  # type: ignore[arg-type]  # it offers the same
            namespace=NAMESPACE,
            shard=(0, 1),
            run_changed=queue.add,
            pod_changed=reconciler.pod_changed,
            job_changed=reconciler.job_changed,
        )
        reconciler.attach(cluster)
        self.reconciler, self.cluster, self.queue = reconciler, cluster, queue
        self.working = True
        self._dead.clear()
        if not beside:
            self._tasks = []
        self._tasks.append(asyncio.create_task(self._informers(cluster)))
        self._tasks += [asyncio.create_task(self._worker(reconciler, queue)) for _ in range(3)]

    async def _informers(self, cluster: Cluster) -> None:
        try:
            await cluster.run()
        except BaseExceptionGroup as group:
            if group.subgroup(Killed) is None:
                raise
        except Killed:
            pass

    async def _worker(self, reconciler: Reconciler, queue: WorkQueue[tuple[str, str]]) -> None:
        await reconciler.cluster.synced()
        failures = 0
        while True:
            key = await queue.get()
            try:
                await reconciler.reconcile(key)
                failures = 0
            except Killed:
                return
            except Exception as error:
                failures += 1
                reconciler.trouble(key, error)
                queue.add_after(key, min(0.2 * 2**failures, 30))
            finally:
                queue.done(key)

    async def stop_operator(self) -> None:
        """End the operator's process; nothing of it goes on."""
        self.working = False
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        self._tasks = []

    # ------------------------------------------------------------ a run

    def submit(self, name: str, spec: Object, **metadata: Any) -> None:
        """Somebody creates a Workflow."""
        workflow = {
            "apiVersion": "headwater.dev/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": name, "namespace": NAMESPACE, "generation": 1, **metadata},
            "spec": spec,
            "status": {},
        }
        self.api.add(WORKFLOWS, workflow)

    def status(self, name: str) -> Object:
        """The status of a Workflow."""
        found: Object = self.api.collection(WORKFLOWS)[name].get("status") or {}
        return found

    async def until(self, done: Callable[[], bool], seconds: float = 3600.0) -> None:
        """Let things happen until something holds; dead operators are replaced."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + seconds
        while not done():
            if loop.time() > limit:
                raise AssertionError(f"stuck after {seconds} s: {self._picture()}")
            if self._dead.is_set():
                await self.stop_operator()
                self.start_operator()
            # Mostly the nodes and the operator take turns; sometimes one is far ahead of the other.
            for _ in range(self.rng.choice((0, 1, 1, 2, 5))):
                self.nodes.step()
            await asyncio.sleep(self.rng.choice((0.0, 0.001, 0.02, 0.3)))

    async def finish(self, *names: str) -> None:
        """Let things happen until these runs have ended."""
        await self.until(
            lambda: all(
                self.status(name).get("phase") in ("Succeeded", "Failed", "Cancelled") for name in names
            )
        )

    def _picture(self) -> str:
        pods = {
            name: pod["status"].get("phase")
            for where, objects in self.api.objects.items()
            if where.endswith("/pods")
            for name, pod in objects.items()
        }
        statuses = {name: {k: v for k, v in (wf.get("status") or {}).items() if k != "engine"}
                    for name, wf in self.api.collection(WORKFLOWS).items()}  # fmt: skip
        return f"{statuses} pods: {pods}"
