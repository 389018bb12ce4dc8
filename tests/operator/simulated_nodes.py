"""Kubelets and the Job controller in simulation: pods run and end as a script says, one small step at a time."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headwater.engine.intervals import IntervalSet

from tests.operator.simulated_api import SimulatedApi

Object = dict[str, Any]
NAMESPACE = "lab"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
_INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass(frozen=True)
class End:
    """How a pod ends."""

    exit_code: int = 0
    message: str = "{}"
    reason: str = "Completed"


ROOT_IMAGE = "root"
"""A pod with it can never start."""

Script = Callable[[str, int, int], End]
"""From a node's path, the attempt and the index in a Job (-1 outside one) to how the pod ends."""


class Nodes:
    """Moves pods and Jobs forward. `starts` counts how often each attempt (of each index) was begun."""

    def __init__(self, api: SimulatedApi, script: Script, rng: random.Random) -> None:
        self.api = api
        self.script = script
        self.rng = rng
        self.starts: Counter[tuple[str, int, int]] = Counter()
        self.ends: list[str] = []
        self.frozen = False
        self.stuck = ""
        self.queued = ""

    def step(self) -> bool:
        """One thing happens somewhere; whether anything could.

        `frozen`: nothing does; pods of the nodes in `stuck` never end; the jobs of those in `queued`
        never leave Slurm's queue.
        """
        if self.frozen:
            return False
        moves = [(self._move_pod, name) for name, pod in self.api.collection(PODS).items() if not _over(pod)]
        moves += [(self._sync_job, name) for name, job in self.api.collection(JOBS).items() if self._due(job)]
        if not moves:
            return False
        move, name = self.rng.choice(moves)
        move(name)
        return True

    def _move_pod(self, name: str) -> None:
        pod = self.api.collection(PODS)[name]
        annotations = pod["metadata"]["annotations"]
        path, attempt = annotations["headwater.dev/path"], int(annotations["headwater.dev/attempt"])
        index = int(pod["metadata"]["labels"].get(_INDEX, -1))
        phase = pod["status"].get("phase", "Pending")
        if phase == "Pending" and pod["spec"]["containers"][0]["image"] == ROOT_IMAGE:
            said = {
                "reason": "CreateContainerConfigError",
                "message": "it has runAsNonRoot, and the image is root",
            }
            self._state(name, "Pending", {"waiting": said})
            return
        if phase == "Pending":
            self.starts[path + annotations.get("headwater.dev/stage", ""), attempt, index] += 1
            self._state(name, "Running", {"running": {"startedAt": self._time()}})
            return
        if pod["metadata"]["labels"]["headwater.dev/kind"] == "bridge" and "conditions" not in pod["status"]:
            if path in self.queued.split():
                return
            ready = [{"type": "Ready", "status": "True"}]  # the job has left Slurm's queue
            self.api.change(PODS, name, status={"conditions": ready})
            return
        if path in self.stuck.split() and annotations.get("headwater.dev/stage") != "cancel":
            return
        end = self.script(path, attempt, index)
        self.ends.append(name)
        terminated = {
            "exitCode": end.exit_code, "reason": end.reason, "message": end.message,
            "startedAt": self._time(), "finishedAt": self._time(),
        }  # fmt: skip
        self._state(name, "Succeeded" if end.exit_code == 0 else "Failed", {"terminated": terminated})

    def _state(self, name: str, phase: str, state: Object) -> None:
        container = {"name": "main", "state": state}
        self.api.change(PODS, name, status={"phase": phase, "containerStatuses": [container]})

    def _time(self) -> str:
        from datetime import UTC, datetime

        return datetime.fromtimestamp(int(self.api.clock.now()), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # ------------------------------------------------------------ the Job controller

    def _pods_of(self, job: Object) -> list[Object]:
        uid = job["metadata"]["uid"]
        return [
            pod
            for pod in self.api.collection(PODS).values()
            if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences") or ())
        ]

    def _due(self, job: Object) -> bool:
        return not any(each["status"] == "True" for each in job["status"].get("conditions") or ())

    def _sync_job(self, name: str) -> None:
        job = self.api.collection(JOBS)[name]
        spec, status = job["spec"], job["status"]
        pods = [pod for pod in self._pods_of(job) if not _ignored(job, pod)]
        done = IntervalSet.parse(status.get("completedIndexes", ""))
        failed = IntervalSet.parse(status.get("failedIndexes", ""))
        for pod in pods:
            index = int(pod["metadata"]["labels"][_INDEX])
            phase = pod["status"].get("phase")
            if phase in ("Succeeded", "Failed"):
                (done if phase == "Succeeded" else failed).add(index, index + 1)
        changes: Object = {"completedIndexes": str(done), "failedIndexes": str(failed)}
        most = spec.get("maxFailedIndexes")
        if len(done) + len(failed) == spec["completions"]:
            kind = "Failed" if len(failed) else "Complete"
            changes["conditions"] = [{"type": kind, "status": "True"}]
        elif most is not None and len(failed) > most:
            changes["conditions"] = [{"type": "Failed", "status": "True", "message": "too many failed"}]
            for pod in pods:
                if pod["status"].get("phase") not in ("Succeeded", "Failed"):
                    self.api.remove(PODS, pod["metadata"]["name"])
        self.api.change(JOBS, name, status=changes)
        if "conditions" not in changes:
            self._start_pods(job, pods, done, failed)

    def _start_pods(self, job: Object, pods: list[Object], done: IntervalSet, failed: IntervalSet) -> None:
        there = {int(pod["metadata"]["labels"][_INDEX]) for pod in pods}
        running = sum(pod["status"].get("phase") in (None, "Pending", "Running") for pod in pods)
        for index in range(job["spec"]["completions"]):
            if running >= job["spec"]["parallelism"]:
                return
            if index in done or index in failed or index in there:
                continue
            running += 1
            self._add_pod(job, index)

    def _add_pod(self, job: Object, index: int) -> None:
        template, name = job["spec"]["template"], job["metadata"]["name"]
        labels = {**template["metadata"]["labels"], _INDEX: str(index), "batch.kubernetes.io/job-name": name}
        suffix = f"{self.rng.randrange(16**5):05x}"
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-{index}-{suffix}",
                "namespace": NAMESPACE,
                "labels": labels,
                "annotations": template["metadata"]["annotations"],
                "ownerReferences": [{"kind": "Job", "name": name, "uid": job["metadata"]["uid"]}],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        self.api.add(PODS, pod)


def _over(pod: Object) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def _ignored(job: Object, pod: Object) -> bool:
    """Whether the Job puts another pod in the place of one that ended so."""
    codes = [
        rule.get("onExitCodes", {}).get("values", []) for rule in job["spec"]["podFailurePolicy"]["rules"]
    ]
    ended = [each["state"].get("terminated", {}) for each in pod["status"].get("containerStatuses") or ()]
    return any(each.get("exitCode") in values for each in ended for values in codes)


def result(**outputs: Any) -> End:
    """A container that ended well with these outputs."""
    return End(0, json.dumps(outputs))
