"""A namespace in which operators are killed, and a record of all that was ever started in it.

    async with lab(cluster, launcher, folder) as lab:
        operator = lab.operator()
        await lab.submit(plan)
        operator.kill()
        ...

What pods there ever were is taken from a watch that runs through the whole test, so that an attempt that was started
twice is seen even if its first pod is long gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from headwater_operator.kube.api import Api, ApiError
from headwater_operator.kube.connection import connect

from tests.chaos.documents import Object, Plan, outcome_in
from tests.chaos.launcher import Launcher
from tests.chaos.proxy import FaultProxy, Faults
from tests.cluster.fixtures import Cluster, new_namespace

WORKFLOWS = "/apis/headwater.dev/v1alpha1/namespaces/{}/workflows"
PODS = "/api/v1/namespaces/{}/pods"
JOBS = "/apis/batch/v1/namespaces/{}/jobs"
CONFIG_MAPS = "/api/v1/namespaces/{}/configmaps"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/headwater-operator"
ENDED = ("Succeeded", "Failed", "Cancelled")
MANAGED = {"labelSelector": "headwater.dev/run-uid"}
PATIENCE = 500.0
"""Seconds after which something counts as stuck; on a machine that does nothing else it takes a few."""

Attempt = tuple[str, str, int, int]
"""The run's uid, the node's path (with the stage), the attempt, the index in a Job (-1 outside one)."""


class Watched:
    """The objects of a collection, kept up to date by a watch; `seen` is told of every event."""

    def __init__(
        self, api: Api, path: str, seen: Callable[[str, Object], None], params: Mapping[str, str]
    ) -> None:
        self.api = api
        self.path = path
        self.objects: dict[str, Object] = {}
        self._seen = seen
        self._params = dict(params)

    async def run(self) -> None:
        """Keep up to date until cancelled."""
        while True:
            with suppress(ApiError, aiohttp.ClientError, TimeoutError, OSError, ValueError):
                version = await self._list()
                while True:
                    version = await self._watch(version)
            await asyncio.sleep(0.2)

    async def _list(self) -> str:
        found = await self.api.get(self.path, self._params)
        names = {each["metadata"]["name"] for each in found["items"]}
        for name in self.objects.keys() - names:
            self._take({"type": "DELETED", "object": self.objects[name]})
        for each in found["items"]:
            self._take({"type": "MODIFIED", "object": each})
        return str(found["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> str:
        asked = {**self._params, "resourceVersion": version, "timeoutSeconds": "120"}
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async for event in self.api.watch(self.path, asked):
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._take(event)
        return version

    def _take(self, event: Object) -> None:
        obj = event["object"]
        if event["type"] == "DELETED":
            self.objects.pop(obj["metadata"]["name"], None)
        else:
            self.objects[obj["metadata"]["name"]] = obj
        self._seen(event["type"], obj)


@dataclass
class Operator:
    """One operator at a time, started again as often as the test likes."""

    launcher: Launcher
    options: dict[str, Any]
    log: Path
    pid: int = 0
    lives: int = 0
    trouble: str = ""

    def start(self) -> None:
        """Start it."""
        self.pid = self.launcher.start(self.options, self.log)
        self.lives += 1

    def kill(self) -> None:
        """End it with SIGKILL; it must have been alive."""
        os.kill(self.pid, signal.SIGKILL)
        self._has_ended(-signal.SIGKILL)

    async def terminate(self) -> None:
        """End it with SIGTERM, as Kubernetes does, and wait until it has ended well."""
        os.kill(self.pid, signal.SIGTERM)
        # It talks to the proxy of this process before it ends.
        await asyncio.to_thread(self.launcher.exit_code, self.pid, wait=True)
        self._has_ended(0)

    def alive(self) -> bool:
        """Whether it runs; an operator must never end by itself."""
        return self.pid != 0 and self.launcher.exit_code(self.pid, wait=False) is None

    def say_where(self) -> None:
        """Have it write the stacks of its threads to its log."""
        if self.alive():
            os.kill(self.pid, signal.SIGUSR1)

    def check(self) -> None:
        """It has not ended by itself."""
        assert not self.trouble, self.trouble
        assert self.pid == 0 or self.alive(), f"the operator ended by itself:\n{self.last_words()}"

    def last_words(self, lines: int = 40) -> str:
        """The end of its log."""
        with suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def _has_ended(self, how: int) -> None:
        pid, self.pid = self.pid, 0
        found = self.launcher.exit_code(pid, wait=True)
        if found != how:
            self.trouble = f"the operator ended with {found}, not {how}:\n{self.last_words()}"
        assert not self.trouble, self.trouble


@dataclass
class Lab:
    """A namespace, its proxy, its operators, and what was seen."""

    cluster: Cluster
    namespace: str
    api: Api
    proxy: FaultProxy
    launcher: Launcher
    folder: Path
    operators: list[Operator] = field(default_factory=list)
    started: defaultdict[Attempt, set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self._news = asyncio.Event()
        self.workflows = self._watched(WORKFLOWS, {})
        self.pods = self._watched(PODS, MANAGED)
        self.jobs = self._watched(JOBS, MANAGED)

    def _watched(self, path: str, params: Mapping[str, str]) -> Watched:
        return Watched(self.api, path.format(self.namespace), self._seen, params)

    # ------------------------------------------------------------ operators

    def operator(self, launcher: Launcher | None = None, **options: Any) -> Operator:
        """An operator of this namespace, behind the proxy; it runs."""
        number = len(self.operators)
        file = self.proxy.write_kubeconfig(self.folder / f"kubeconfig-{number}")
        given = {
            "kubeconfig": str(file), "namespace": self.namespace, "lease_namespace": self.namespace,
            "store": "none", "image": "fake", "log_level": "info", **options,
        }  # fmt: skip
        found = Operator(launcher or self.launcher, given, self.folder / f"operator-{number}.log")
        self.operators.append(found)
        found.start()
        return found

    # ------------------------------------------------------------ runs

    async def submit(self, *plans: Plan) -> None:
        """Create the Workflows of these plans."""
        gate = asyncio.Semaphore(16)

        async def create(plan: Plan) -> None:
            async with gate:
                await self.api.create(WORKFLOWS.format(self.namespace), plan.document())

        await asyncio.gather(*map(create, plans))

    def status(self, name: str) -> Object:
        """The status of a Workflow as it was last seen."""
        found: Object = self.workflows.objects.get(name, {}).get("status") or {}
        return found

    def phase(self, name: str) -> str:
        return str(self.status(name).get("phase") or "")

    async def until(self, holds: Callable[[], Any], seconds: float = PATIENCE) -> None:
        """Wait until something holds; it is looked at whenever anything has happened in the namespace."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    self._news.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(2.0):
                            await self._news.wait()
                    for operator in self.operators:
                        operator.check()
        except TimeoutError:
            for operator in self.operators:
                operator.say_where()
            raise AssertionError(f"stuck after {seconds:.0f} s:\n{self.picture()}") from None

    async def ended(self, names: Iterable[str], seconds: float = PATIENCE) -> None:
        """Wait until these runs have ended."""
        names = list(names)
        await self.until(lambda: all(self.phase(name) in ENDED for name in names), seconds)

    # ------------------------------------------------------------ what must hold

    def check_outcomes(self, plans: Iterable[Plan], *, attempts: bool = True) -> None:
        """Every run has come to what it comes to without accidents."""
        for plan in plans:
            found, wanted = outcome_in(self.status(plan.name)), plan.outcome()
            if not attempts:
                found, wanted = _without_attempts(found), _without_attempts(wanted)
            message = self.status(plan.name).get("message")
            assert found == wanted, (
                f"{plan.name} ({message}):\n{_difference(found, wanted)}\n{self.picture()}"
            )

    def check_started_once(self) -> None:
        """No attempt of any node, and no item of any wave, ever had two pods."""
        twice = {attempt: pods for attempt, pods in self.started.items() if len(pods) > 1}
        assert not twice, f"started more than once: {twice}"

    async def delete_all(self, *names: str) -> None:
        """Delete these Workflows (all, when none is named) and wait until nothing of theirs is left."""
        path = WORKFLOWS.format(self.namespace)
        for name in names or list(self.workflows.objects):
            await self.api.delete(f"{path}/{name}")
        gone = set(names) or None

        def left() -> bool:
            remaining = self.workflows.objects.keys()
            return bool(remaining & gone if gone else remaining)

        await self.until(lambda: not left())
        await self.no_orphans()

    async def no_orphans(self) -> None:
        """No pod, Job or ConfigMap whose Workflow is gone is left, after what the garbage collector needs."""
        await self.until(lambda: not self._orphans(self.pods) and not self._orphans(self.jobs))
        async with asyncio.timeout(PATIENCE):
            while found := self._orphans_in(await self._config_maps()):
                await asyncio.sleep(0.5)
        assert not found

    async def _config_maps(self) -> list[Object]:
        found = await self.api.get(CONFIG_MAPS.format(self.namespace), MANAGED)
        return list(found["items"])

    def _orphans(self, watched: Watched) -> list[str]:
        return self._orphans_in(watched.objects.values())

    def _orphans_in(self, objects: Iterable[Object]) -> list[str]:
        uids = {each["metadata"]["uid"] for each in self.workflows.objects.values()}
        return [
            each["metadata"]["name"]
            for each in objects
            if each["metadata"]["labels"]["headwater.dev/run-uid"] not in uids
        ]

    def running_pods(self) -> list[str]:
        """The pods that have not ended and are not about to."""
        return [
            name
            for name, pod in self.pods.objects.items()
            if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
            and "deletionTimestamp" not in pod["metadata"]
        ]

    def running_pods_on(self, node: str) -> list[str]:
        """Those of them that run on a node."""
        return [
            name
            for name in self.running_pods()
            if self.pods.objects[name]["spec"].get("nodeName") == node
            and self.pods.objects[name]["status"].get("phase") == "Running"
        ]

    def report(self, **figures: int) -> None:
        """Keep figures of a test for whoever asks: HEADWATER_CHAOS_FIGURES names a file, a JSON object a line."""
        file = os.environ.get("HEADWATER_CHAOS_FIGURES")
        if file:
            faults = dict(self.proxy.injected)
            pods = sum(map(len, self.started.values()))
            found = {**figures, "calls": self.proxy.calls, "pods": pods, "faults": faults}
            with Path(file).open("a") as out:
                out.write(json.dumps(found) + "\n")

    def picture(self) -> str:
        """How everything stands, for the message of a failed test."""
        statuses = {
            name: {key: value for key, value in (each.get("status") or {}).items() if key != "engine"}
            for name, each in self.workflows.objects.items()
        }
        open_ones = {name: each for name, each in statuses.items() if each.get("phase") not in ENDED}
        pods = {name: (each.get("status") or {}).get("phase") for name, each in self.pods.objects.items()}
        logs = "\n".join(f"--- {each.log.name}\n{each.last_words()}" for each in self.operators)
        text = json.dumps(dict(list(open_ones.items())[:3]), indent=1)
        return f"{len(open_ones)} open runs, such as {text[:6000]}\npods: {str(pods)[:3000]}\n{logs}"

    # ------------------------------------------------------------

    def _seen(self, kind: str, obj: Object) -> None:
        self._news.set()
        meta = obj["metadata"]
        annotations = meta.get("annotations") or {}
        if obj.get("kind", "Pod") != "Pod" or "headwater.dev/attempt" not in annotations:
            return
        if "containers" not in obj["spec"]:
            return  # a Job: it has the same annotations
        attempt = (
            meta["labels"]["headwater.dev/run-uid"],
            annotations["headwater.dev/path"] + annotations.get("headwater.dev/stage", ""),
            int(annotations["headwater.dev/attempt"]),
            _index_of(annotations),
        )
        self.started[attempt].add(meta["uid"])


def _index_of(annotations: Mapping[str, str]) -> int:
    """The index in a Job; those of the further chunks of a wave are counted from ten millions on."""
    index = int(annotations.get("batch.kubernetes.io/job-completion-index", -1))
    return index + 10_000_000 * int(annotations.get("headwater.dev/chunk", 0))


def _without_attempts(outcome: Object) -> Object:
    nodes = {path: (phase, items) for path, (phase, _, items) in outcome["nodes"].items()}
    return {**outcome, "nodes": nodes}


def _difference(found: Object, wanted: Object) -> str:
    lines = [
        f"{key}: {found[key]!r}, not {wanted[key]!r}"
        for key in ("phase", "outputs")
        if found[key] != wanted[key]
    ]
    for path in sorted(found["nodes"].keys() | wanted["nodes"].keys()):
        has, should = found["nodes"].get(path), wanted["nodes"].get(path)
        if has != should:
            lines.append(f"{path}: {has}, not {should}")
    return "\n".join(lines)


@asynccontextmanager
async def a_lab(
    cluster: Cluster, launcher: Launcher, folder: Path, *, seed: int = 0, faults: Faults | None = None
) -> AsyncIterator[Lab]:
    """A lab for the time of a `with`; its operators are ended and its namespace is deleted afterwards."""
    async with AsyncExitStack() as stack:
        namespace = stack.enter_context(new_namespace(cluster))
        api = Api(connect(str(cluster.kubeconfig)))
        stack.push_async_callback(api.close)
        proxy = FaultProxy(cluster.kubeconfig, seed, faults or Faults())
        await stack.enter_async_context(proxy.running())
        found = Lab(cluster, namespace, api, proxy, launcher, folder)
        tasks = [asyncio.create_task(each.run()) for each in (found.workflows, found.pods, found.jobs)]
        try:
            yield found
        finally:
            for operator in found.operators:
                if operator.alive():
                    operator.kill()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def kills(lab: Lab, operator: Operator, seed: int, most_calls: int = 150) -> AsyncIterator[list[int]]:
    """Kill the operator again and again, each time after up to `most_calls` calls of it, and start it anew.

    Counted in calls, not seconds: then a slow machine does not keep an operator from ever getting anywhere.
    """
    rng = random.Random(seed)
    moments: list[int] = []

    async def killer() -> None:
        while True:
            calls = rng.randint(1, most_calls)
            await lab.proxy.made(lab.proxy.calls + calls, seconds=20.0)
            operator.kill()
            moments.append(calls)
            operator.start()

    task = asyncio.create_task(killer())
    try:
        yield moments
    finally:
        task.cancel()
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        if isinstance(outcome, Exception):
            raise outcome
        if not operator.alive():
            operator.start()
