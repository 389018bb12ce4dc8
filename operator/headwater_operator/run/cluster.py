"""The part of the cluster that the operator sees: informers of Workflows, Pods and Jobs, and how to change it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from headwater_operator.builders import CANCEL
from headwater_operator.kube.api import Api, ApiError
from headwater_operator.kube.informer import Informer, Key
from headwater_operator.run.views import (
    JobView,
    Object,
    PodView,
    WorkflowView,
    job_view,
    pod_view,
    workflow_view,
)

GROUP = "/apis/headwater.dev/v1alpha1"
_COLLECTIONS = {
    "Pod": "/api/v1/namespaces/{}/pods",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
}


def workflow_path(namespace: str, name: str) -> str:
    """Where a Workflow is."""
    return f"{GROUP}/namespaces/{namespace}/workflows/{name}"


def shard_of(view: WorkflowView, shards: int) -> int:
    """Which of so many operators takes a run: runs that wait for each other go to the same one.

    The uid decides, or the lock that the run takes turns for.
    """
    sync = view.spec.get("synchronization")
    text = f"{view.namespace}/{sync.get('mutex') or sync['semaphore']['name']}" if sync else view.uid
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % shards


NODES_SECONDS = 60.0
MOST_NODES = 200


class Cluster:
    """Looks up and changes objects. `run_changed(key)` is called when something of a run has changed."""

    def __init__(
        self,
        api: Api,
        *,
        namespace: str | None,
        shard: tuple[int, int],
        run_changed: Callable[[Key], None],
        pod_changed: Callable[[str, PodView, bool], None],
        job_changed: Callable[[str, JobView, bool], None],
    ) -> None:
        self.api = api
        self.active: dict[str, Key] = {}
        self.pods_of: dict[str, set[Key]] = defaultdict(set)
        self.job_pods: dict[Key, set[Key]] = defaultdict(set)
        self._shard = shard
        self._run_changed = run_changed
        self._pod_changed = pod_changed
        self._job_changed = job_changed
        self._nodes: tuple[float, list[Object]] = (float("-inf"), [])
        scope = f"/namespaces/{namespace}" if namespace else ""
        managed = {"labelSelector": "headwater.dev/run-uid"}
        unsettled = {"fieldSelector": "status.settled!=true"}
        self.workflows: Informer[WorkflowView] = Informer(
            api, f"{GROUP}{scope}/workflows", self._workflow, self._on_workflow, params=unsettled
        )
        self.pods: Informer[PodView] = Informer(
            api, f"/api/v1{scope}/pods", self._pod, self._on_pod, params=managed
        )
        self.jobs: Informer[JobView] = Informer(
            api, f"/apis/batch/v1{scope}/jobs", self._job, self._on_job, params=managed
        )

    async def run(self) -> None:
        """Keep everything up to date until cancelled. Workflows come first: they say which pods matter."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.workflows.run())
            await self.workflows.synced.wait()
            tasks.create_task(self.pods.run())
            tasks.create_task(self.jobs.run())

    async def synced(self) -> None:
        """Wait until everything has been listed once."""
        for informer in (self.workflows, self.pods, self.jobs):
            await informer.synced.wait()

    async def nodes(self, now: float) -> list[Object]:
        """The cluster's nodes as they were not long ago; none where the operator may not see them."""
        if now - self._nodes[0] > NODES_SECONDS:
            try:
                found = await self.api.get("/api/v1/nodes", {"limit": str(MOST_NODES)})
                self._nodes = (now, found.get("items") or [])
            except ApiError as error:
                if error.status not in (401, 403, 404):
                    raise
                self._nodes = (now, [])
        return self._nodes[1]

    # ------------------------------------------------------------ looking

    def pod(self, namespace: str, name: str) -> PodView | None:
        """A pod by name."""
        return self.pods.objects.get((namespace, name))

    def job(self, namespace: str, name: str) -> JobView | None:
        """A Job by name."""
        return self.jobs.objects.get((namespace, name))

    def pods_of_job(self, namespace: str, name: str) -> Iterator[PodView]:
        """The pods that a Job has made."""
        objects = self.pods.objects
        return (objects[key] for key in self.job_pods.get((namespace, name), ()) if key in objects)

    def pods_of_run(self, uid: str) -> Iterator[PodView]:
        """All pods of a run."""
        objects = self.pods.objects
        return (objects[key] for key in self.pods_of.get(uid, ()) if key in objects)

    def is_live(self, kind: str, namespace: str, name: str) -> bool:
        """Whether a Pod or a Job goes on, and nobody has deleted it."""
        if kind == "Pod":
            pod = self.pod(namespace, name)
            return pod is not None and not pod.ended and not pod.deleting
        job = self.job(namespace, name)
        return job is not None and not job.over and not job.deleting and not self._all_ended(job, namespace)

    def _all_ended(self, job: JobView, namespace: str) -> bool:
        """Whether every index of a Job has a pod that has ended: the Job will soon say so itself."""
        ended = {pod.index for pod in self.pods_of_job(namespace, job.name) if pod.ended}
        return len(ended) >= job.completions

    def live_objects(self, namespace: str, uid: str) -> Iterator[tuple[str, str]]:
        """Kinds and names of a run's Jobs that go on, and of its pods that no Job of the cluster looks after.

        Not the pods that cancel Slurm jobs: what they do is to be done after the run.
        """
        for (_, name), job in self.jobs.objects.items():
            if job.run_uid == uid and self.is_live("Job", namespace, name):
                yield "Job", name
        for pod in self.pods_of_run(uid):
            on_its_own = not pod.job or self.job(namespace, pod.job) is None
            if on_its_own and pod.stage != CANCEL and self.is_live("Pod", namespace, pod.name):
                yield "Pod", pod.name

    def forget_run(self, uid: str) -> None:
        """A run is over, or somebody else's: what belongs to it is of no interest any more."""
        self.active.pop(uid, None)
        for key in self.pods_of.pop(uid, ()):
            found = self.pods.objects.pop(key, None)
            if found is not None and found.job:
                self.job_pods.pop((key[0], found.job), None)
        for key in [key for key, job in self.jobs.objects.items() if job.run_uid == uid]:
            del self.jobs.objects[key]

    # ------------------------------------------------------------ changing

    async def create(self, obj: Object) -> None:
        """Create an object, or find that it is there already; either way we know it from now on."""
        namespace, kind = obj["metadata"]["namespace"], obj["kind"]
        path = _COLLECTIONS[kind].format(namespace)
        try:
            answer = await self.api.create(path, obj)
        except ApiError as error:
            if error.status != 409 or error.reason != "AlreadyExists":
                raise
            if kind not in ("Pod", "Job"):
                return
            try:
                answer = await self.api.get(f"{path}/{obj['metadata']['name']}")
            except ApiError as gone:
                if gone.status != 404:
                    raise
                return  # created and deleted again: the watch will say so
        if kind == "Pod":
            self.pods.learn(answer)
        elif kind == "Job":
            self.jobs.learn(answer)

    async def delete(self, kind: str, namespace: str, name: str, *, propagation: str = "Background") -> None:
        """Delete an object, and what it owns unless that is to be orphaned."""
        await self.api.delete(f"{_COLLECTIONS[kind].format(namespace)}/{name}", propagation=propagation)

    async def patch(self, kind: str, namespace: str, name: str, body: Object) -> None:
        """Merge-patch a Pod or a Job; one that is gone needs no change."""
        try:
            answer = await self.api.patch(f"{_COLLECTIONS[kind].format(namespace)}/{name}", body)
        except ApiError as error:
            if error.status != 404:
                raise
            return
        if kind == "Pod":
            self.pods.learn(answer)
        else:
            self.jobs.learn(answer)

    async def patch_status(self, view: WorkflowView, status: Mapping[str, Any]) -> WorkflowView:
        """Change a Workflow's status, unless it has changed meanwhile (`ApiError` 409)."""
        if _has_null(status.get("outputs")):
            view = await self._put_outputs(view, status["outputs"])
            status = {name: value for name, value in status.items() if name != "outputs"}
        body: Object = {"metadata": {"resourceVersion": str(view.version)}, "status": dict(status)}
        return self._learned(await self.api.patch(f"{workflow_path(view.namespace, view.name)}/status", body))

    async def _put_outputs(self, view: WorkflowView, outputs: Any) -> WorkflowView:
        """Write outputs with nulls in them, which a merge patch would take for what is to be removed."""
        path = f"{workflow_path(view.namespace, view.name)}/status"
        whole: Object = {"op": "add", "path": "/status", "value": {"outputs": outputs}}
        written: Object = {"op": "add", "path": "/status/outputs", "value": outputs}
        # Another version than the object has is a conflict, as in a merge patch.
        same: Object = {"op": "replace", "path": "/metadata/resourceVersion", "value": str(view.version)}
        return self._learned(await self.api.json_patch(path, [same, written if view.status else whole]))

    async def patch_metadata(self, view: WorkflowView, metadata: Mapping[str, Any]) -> WorkflowView:
        """Change a Workflow's metadata, unless it has changed meanwhile (`ApiError` 409)."""
        body: Object = {"metadata": {**metadata, "resourceVersion": str(view.version)}}
        return self._learned(await self.api.patch(workflow_path(view.namespace, view.name), body))

    async def read_again(self, view: WorkflowView) -> WorkflowView | None:
        """A Workflow as it is now; None when it is gone, or another one of the same name is there."""
        try:
            answer = await self.api.get(workflow_path(view.namespace, view.name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        found = self._learned(answer)
        return found if found.uid == view.uid else None

    def _learned(self, answer: Object) -> WorkflowView:
        self.workflows.learn(answer)
        return workflow_view(answer)

    # ------------------------------------------------------------ what the informers keep, and say

    def _workflow(self, obj: Object) -> WorkflowView | None:
        view = workflow_view(obj)
        number, shards = self._shard
        if shards > 1 and shard_of(view, shards) != number:
            return None
        if view.status.get("settled") == "true" and not view.deleting:
            return None
        return view

    def _on_workflow(self, key: Key, old: WorkflowView | None, new: WorkflowView | None) -> None:
        if new is not None:
            self.active[new.uid] = key
        self._run_changed(key)

    def _pod(self, obj: Object) -> PodView | None:
        view = pod_view(obj)
        return view if view is not None and view.run_uid in self.active else None

    def _on_pod(self, key: Key, old: PodView | None, new: PodView | None) -> None:
        pod = new or old
        assert pod is not None
        if new is None:
            self.pods_of[pod.run_uid].discard(key)
            self.job_pods[(key[0], pod.job)].discard(key)
        elif old is None:
            self.pods_of[pod.run_uid].add(key)
            if pod.job:
                self.job_pods[(key[0], pod.job)].add(key)
        self._pod_changed(key[0], pod, new is None)

    def _job(self, obj: Object) -> JobView | None:
        view = job_view(obj)
        return view if view is not None and view.run_uid in self.active else None

    def _on_job(self, key: Key, old: JobView | None, new: JobView | None) -> None:
        job = new or old
        assert job is not None
        self._job_changed(key[0], job, new is None)


def _has_null(value: Any) -> bool:
    """Whether a field of an object is null, however deep: a merge patch takes those out, but not elements of lists."""
    if isinstance(value, Mapping):
        return any(each is None or _has_null(each) for each in value.values())
    return isinstance(value, list) and any(map(_has_null, value))
