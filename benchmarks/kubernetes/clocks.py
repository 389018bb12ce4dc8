"""How long the cluster takes: from a create to the phase that says it is done, seen by a watch."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from headwater.document.crd import custom_resource_definitions
from headwater_operator.kube.api import Api, ApiError

Object = dict[str, Any]
GROUP = "/apis/headwater.dev/v1alpha1"
ENDED = ("Succeeded", "Failed", "Cancelled")


class Bench:
    """Creates things in a namespace and times them."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    async def prepare(self) -> None:
        """Have the CRDs installed, and an empty namespace."""
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        for path, wanted in [(definitions, each) for each in custom_resource_definitions()] + [
            ("/api/v1/namespaces", namespace)
        ]:
            try:
                await self.api.create(path, wanted)
            except ApiError as error:
                if error.status != 409:
                    raise
        while True:
            try:
                await self.clear()
                return
            except ApiError as error:
                if error.status != 404:
                    raise
                await asyncio.sleep(0.1)  # a new definition is served a moment after it was created

    def path(self, kind: str) -> str:
        """Where the objects of a kind are."""
        base = {"pods": "/api/v1", "jobs": "/apis/batch/v1", "workflows": GROUP}[kind]
        return f"{base}/namespaces/{self.namespace}/{kind}"

    async def timed(self, kind: str, objects: list[Object], done: Callable[[Object], bool]) -> float:
        """Seconds from the first create until all of the objects are done."""
        path = self.path(kind)
        version = (await self.api.get(path, {"limit": "1"}))["metadata"]["resourceVersion"]
        waiting = {each["metadata"]["name"] for each in objects}
        watch = asyncio.create_task(self._watch(path, version, waiting, done))
        await asyncio.sleep(0.05)  # the watch is there before anything happens
        began = time.perf_counter()
        gate = asyncio.Semaphore(32)

        async def create(each: Object) -> None:
            async with gate:
                await self.api.create(path, each)

        await asyncio.gather(*(create(each) for each in objects))
        return await watch - began

    async def _watch(
        self, path: str, version: str, waiting: set[str], done: Callable[[Object], bool]
    ) -> float:
        while True:
            async for event in self.api.watch(path, {"resourceVersion": version, "timeoutSeconds": "600"}):
                if event["type"] in ("ADDED", "MODIFIED") and self._is_done(event["object"], waiting, done):
                    return time.perf_counter()
            # The server ends a watch that does not keep up: look once, and go on from there.
            found = await self.api.get(path)
            version = found["metadata"]["resourceVersion"]
            for each in found["items"]:
                if self._is_done(each, waiting, done):
                    return time.perf_counter()

    def _is_done(self, found: Object, waiting: set[str], done: Callable[[Object], bool]) -> bool:
        if done(found):
            waiting.discard(found["metadata"]["name"])
        return not waiting

    async def workflows(self, documents: list[Object]) -> float:
        """Seconds until all workflows have ended; they must have succeeded."""

        def done(found: Object) -> bool:
            status = found.get("status") or {}
            if status.get("phase") in ("Failed", "Cancelled"):
                raise AssertionError(f"{found['metadata']['name']}: {status.get('message')}")
            return status.get("phase") == "Succeeded"

        return await self.timed("workflows", documents, done)

    async def pods(self, documents: list[Object]) -> float:
        """Seconds until all pods have ended."""
        return await self.timed("pods", documents, lambda found: found["status"].get("phase") in ENDED)

    async def job(self, document: Object) -> float:
        """Seconds until a Job is complete."""
        return await self.timed(
            "jobs", [document], lambda found: bool((found["status"]).get("completionTime"))
        )

    async def made(self, kind: str) -> list[Object]:
        """The pods or Jobs that the operator has made in the namespace."""
        found = await self.api.get(self.path(kind), {"labelSelector": "headwater.dev/run-uid"})
        of_list = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
        return [{**of_list, **each} for each in found["items"]]

    async def size(self, name: str) -> int:
        """Bytes of a Workflow resource as JSON."""
        return len(json.dumps(await self.api.get(f"{self.path('workflows')}/{name}"), separators=(",", ":")))

    async def forget(self, *kinds: str) -> None:
        """Delete all objects of these kinds, and wait until they and their pods are gone."""
        for kind in kinds:
            await self.api.delete(self.path(kind))
        for kind in {*kinds, "pods"}:
            while (await self.api.get(self.path(kind), {"limit": "1"})).get("items"):
                await asyncio.sleep(0.3)

    async def clear(self) -> None:
        """Delete everything that was made."""
        await self.forget("workflows", "jobs", "pods")
