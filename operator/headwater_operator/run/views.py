"""What the operator keeps of the objects that it watches: as little as the rules need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headwater.document.unit import ENVIRONMENT

Object = dict[str, Any]

RUN_UID = "headwater.dev/run-uid"
PATH = "headwater.dev/path"
STAGE = "headwater.dev/stage"
ATTEMPT = "headwater.dev/attempt"
LIMIT = "headwater.dev/limit"
_INDEX = "batch.kubernetes.io/job-completion-index"
_JOB = "batch.kubernetes.io/job-name"
_KIND = "headwater.dev/kind"
_UNIT = {"name": ENVIRONMENT}
_KEPT_CONDITIONS = frozenset({"PodScheduled", "DisruptionTarget", "PodReadyToStartContainers"})


@dataclass(frozen=True, slots=True)
class WorkflowView:
    """A Workflow: its spec and status as they are, and what matters of its metadata."""

    version: int
    uid: str
    name: str
    namespace: str
    created_at: str
    deleting: bool
    finalizers: tuple[str, ...]
    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    generation: int
    spec: Mapping[str, Any]
    status: Mapping[str, Any]

    @property
    def ended(self) -> bool:
        """Whether its phase is a final one."""
        return self.status.get("phase") in ("Succeeded", "Failed", "Cancelled")


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod of a run. `raw` is what diagnosis reads; `index` is its place in a Job, -1 outside one."""

    version: int
    uid: str
    name: str
    run_uid: str
    path: str
    stage: str
    attempt: int
    job: str
    index: int
    phase: str
    deleting: bool
    raw: Object
    limit: int = 0
    """Of the bridge of a map: how many tasks of its array may run at once; 0 is no limit."""

    @property
    def ended(self) -> bool:
        """Whether its containers have ended for good."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def ready(self) -> bool:
        """Of a bridge: whether its job has left Slurm's queue."""
        conditions = self.raw["status"]["conditions"]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@dataclass(frozen=True, slots=True)
class JobView:
    """A Job of a run: which of its indexes are done, and whether it is over."""

    version: int
    uid: str
    name: str
    run_uid: str
    path: str
    attempt: int
    completed: str
    failed: str
    over: bool
    message: str
    deleting: bool
    parallelism: int
    completions: int


def workflow_view(obj: Object) -> WorkflowView:
    """The view of a Workflow resource."""
    meta = obj["metadata"]
    return WorkflowView(
        int(meta["resourceVersion"]),
        meta["uid"],
        meta["name"],
        meta.get("namespace", ""),
        meta.get("creationTimestamp", ""),
        "deletionTimestamp" in meta,
        tuple(meta.get("finalizers") or ()),
        {
            name: text
            for name, text in (meta.get("annotations") or {}).items()
            if not name.startswith("kubectl.kubernetes.io/")
        },
        meta.get("labels") or {},
        meta.get("generation", 1),
        obj.get("spec") or {},
        obj.get("status") or {},
    )


def pod_view(obj: Object) -> PodView | None:
    """The view of a pod; None when it belongs to no run."""
    meta = obj["metadata"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    run_uid = labels.get(RUN_UID)
    if run_uid is None:
        return None
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    kept = _KEPT_CONDITIONS | {"Ready"} if labels.get(_KIND) == "bridge" else _KEPT_CONDITIONS
    index = labels.get(_INDEX) or annotations.get(_INDEX)
    raw: Object = {
        "metadata": {
            "name": meta["name"],
            "namespace": meta.get("namespace", ""),
            "creationTimestamp": meta.get("creationTimestamp"),
        },
        "spec": {
            "nodeName": spec.get("nodeName"),
            "containers": [
                {
                    "name": each["name"],
                    "image": each.get("image"),
                    "resources": each.get("resources") or {},
                    "env": [_UNIT for variable in each.get("env") or () if variable["name"] == ENVIRONMENT],
                }
                for each in spec.get("containers") or ()
            ],
        },
        "status": {
            **{name: status[name] for name in ("phase", "reason", "message", "startTime") if name in status},
            "conditions": [each for each in status.get("conditions") or () if each["type"] in kept],
            "containerStatuses": [
                {name: each[name] for name in ("name", "state", "lastState", "image") if name in each}
                for each in status.get("containerStatuses") or ()
            ],
        },
    }
    if status.get("initContainerStatuses"):
        raw["status"]["initContainerStatuses"] = status["initContainerStatuses"]
    if "deletionTimestamp" in meta:
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
            raw["metadata"][name] = meta.get(name)
    return PodView(
        int(meta["resourceVersion"]),
        meta["uid"],
        meta["name"],
        run_uid,
        annotations.get(PATH, ""),
        annotations.get(STAGE, ""),
        int(annotations.get(ATTEMPT, 0)),
        labels.get(_JOB, ""),
        int(index) if index is not None else -1,
        status.get("phase", "Pending"),
        "deletionTimestamp" in meta,
        raw,
        int(annotations[LIMIT]) if annotations.get(LIMIT, "").isdigit() else 0,
    )


def job_view(obj: Object) -> JobView | None:
    """The view of a Job; None when it belongs to no run."""
    meta = obj["metadata"]
    run_uid = (meta.get("labels") or {}).get(RUN_UID)
    if run_uid is None:
        return None
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    ended = [
        each
        for each in status.get("conditions") or ()
        if each.get("status") == "True" and each["type"] in ("Complete", "Failed")
    ]
    annotations = meta.get("annotations") or {}
    return JobView(
        int(meta["resourceVersion"]),
        meta["uid"],
        meta["name"],
        run_uid,
        annotations.get(PATH, ""),
        int(annotations.get(ATTEMPT, 0)),
        status.get("completedIndexes", ""),
        status.get("failedIndexes", ""),
        bool(ended),
        ended[0].get("message", "") if ended else "",
        "deletionTimestamp" in meta,
        spec.get("parallelism", 1),
        spec.get("completions") or 1,
    )
