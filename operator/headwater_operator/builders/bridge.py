"""Pods that carry a node to Slurm: the bridge, which submits the unit as a job, follows it and reports for it.

No user code runs in them, so they have the operator's own image and ask for little, whatever the node asks for: that
is the job's. The name of the job is its identity. A bridge that comes again finds the job by it; one that is to end
it is told to `cancel`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from headwater.document.unit import ENVIRONMENT, UnitSpec, write_unit
from headwater.errors import DocumentError

from headwater_operator.builders.documents import Step, body_of, engine_policy, node_of, pod_policy
from headwater_operator.builders.inputs import BuildSettings, MapStep, RunContext
from headwater_operator.builders.names import ATTEMPT, LIMIT, PATH, STAGE, metadata, pod_name
from headwater_operator.builders.pods import MAIN, Contents, Object
from headwater_operator.builders.python import STORE_SECRET, mounted_volumes, unit_of, unit_variable
from headwater_operator.builders.security import container_security, pod_security

COMMAND = ("python", "-m", "headwater.slurm.bridge")
ORDER = "HEADWATER_SLURM"
SECRET_PATH = "/headwater/slurm-secret"
TOLD_PATH = "/headwater/told"
RUNS_PATH = "/tmp/job-runs"
"""A file that the bridge makes when the job has left Slurm's queue: then the pod is ready."""

CANCEL = "cancel"
"""The stage of pods that only cancel a job."""

RESOURCES = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
SLACK_MINUTES = 5
"""How much later than the engine Slurm ends a job that runs too long: so that the engine says why it ended."""


def goes_to_slurm(context: RunContext, step: Step) -> bool:
    """Whether a step is a Slurm job. Containers, and questions about a node, are pods in any case.

    >>> from headwater_operator.builders.inputs import UnitStep
    >>> node = {"name": "a", "task": "m:a", "executor": "slurm", "slurm": {"cluster": "hpc"}}
    >>> context = RunContext("r", "d", "u", {"blocks": [{"name": "main", "nodes": [node]}]}, {"hpc": {}})
    >>> [goes_to_slurm(context, UnitStep("a", 1, "main", "a", does)) for does in ("task", "decide")]
    [True, False]
    """
    if not context.slurm:  # which says that none of the run's nodes does
        return False
    if "container" in body_of(node_of(context, step)):
        return False
    if not isinstance(step, MapStep) and step.does not in ("task", "block"):
        return False
    return pod_policy(context, step).get("executor") == "slurm"


def named_clusters(spec: Mapping[str, Any]) -> set[str]:
    """The SlurmClusters that the nodes of a document name.

    >>> node = {"name": "a", "task": "m:a", "executor": "slurm", "slurm": {"cluster": "hpc", "time": "1h"}}
    >>> named_clusters({"blocks": [{"name": "main", "nodes": [node]}]})
    {'hpc'}
    """
    defaults = spec.get("defaults") or {}
    found = set()
    for block in spec.get("blocks") or ():
        for node in block.get("nodes") or ():
            if (node.get("executor") or defaults.get("executor")) == "slurm" and "container" not in body_of(
                node
            ):
                cluster = {**(defaults.get("slurm") or {}), **(node.get("slurm") or {})}.get("cluster")
                found |= {str(cluster)} if cluster else set()
    return found


def cluster_of(context: RunContext, step: Step) -> str:
    """The name of the SlurmCluster that a step's job goes to; "" where the step is no Slurm job."""
    if not goes_to_slurm(context, step):
        return ""
    return str((pod_policy(context, step).get("slurm") or {}).get("cluster", ""))


def slurm_job(context: RunContext, path: str, attempt: int, lineage: str, chunk: int | None = None) -> str:
    """The name of a node's job, by which whoever comes later finds it; of a map's, `chunk` counts those of a wave."""
    return pod_name(context, path, attempt, "" if chunk is None else f"items{chunk}", lineage)


def bridge_contents(context: RunContext, settings: BuildSettings, step: Step) -> Contents:
    """The container and volumes of a bridge.

    Raises:
        DocumentError: the node names no SlurmCluster that the run knows.
    """
    policy = pod_policy(context, step)
    asked = dict(policy.get("slurm") or {})
    cluster = _cluster(context, step, str(asked.pop("cluster", "")))
    timeout = engine_policy(context, step).timeout
    unit = unit_of(context, settings, step)
    if isinstance(step, MapStep):
        unit = replace(unit, per_pod=step.per_task)
        timeout = timeout and timeout * step.per_task
    if timeout and "time" not in asked:
        asked["time"] = math.ceil(timeout / 60) + SLACK_MINUTES
    order: Object = {"cluster": as_told(cluster), "name": _job_of(context, step), "slurm": asked}
    if policy.get("resources"):
        order["resources"] = policy["resources"]
    if isinstance(step, MapStep) and step.parallelism:
        order["parallelism"] = step.parallelism
    text, configs = unit_variable(context, unit)
    volumes = mounted_volumes(context, settings, step, configs)
    if isinstance(step, MapStep):
        volumes.append(_told())
    container = _container(settings, text, order)
    if settings.store.url and not settings.store.claim:
        container["envFrom"] = [{"secretRef": {"name": STORE_SECRET, "optional": True}}]
    container["readinessProbe"] = {
        "exec": {"command": ["test", "-e", RUNS_PATH]}, "periodSeconds": 2, "failureThreshold": 1,
    }  # fmt: skip
    return _contents(container, cluster, volumes, configs, store=bool(settings.store.claim))


def cancel_pod(
    context: RunContext, settings: BuildSettings, path: str, job: str, cluster: str, tasks: int
) -> Object:
    """The pod that cancels a job of so many tasks, whoever has submitted it; it asks until Slurm has answered."""
    name = cancel_name(context, path, job)
    order: Object = {"cluster": as_told(context.slurm[cluster]), "name": job, "tasks": tasks}
    unit = UnitSpec(context.uid, context.name, path, 1, "task", {})
    container = _container(settings, write_unit(unit), order, CANCEL)
    volumes: list[tuple[Object, Object]] = [
        ({"name": "tmp", "emptyDir": {}}, {"name": "tmp", "mountPath": "/tmp"})
    ]
    contents = _contents(container, context.slurm[cluster], volumes, (), store=False)
    head = metadata(context, name, "bridge", {PATH: path, ATTEMPT: "1", STAGE: CANCEL})
    spec = {
        "restartPolicy": "OnFailure", "terminationGracePeriodSeconds": settings.grace_seconds,
        "enableServiceLinks": False, "automountServiceAccountToken": False,
        "securityContext": dict(contents.security), "containers": [contents.container],
        "volumes": list(contents.volumes),
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": head, "spec": spec}


def cancel_name(context: RunContext, path: str, job: str) -> str:
    """The name of the pod that cancels a job."""
    return pod_name(context, path, 1, CANCEL, job)


# ---------------------------------------------------------------- parts


def _job_of(context: RunContext, step: Step) -> str:
    chunk = step.chunk if isinstance(step, MapStep) else None
    return slurm_job(context, step.path, step.attempt, step.lineage, chunk)


def _cluster(context: RunContext, step: Step, name: str) -> Mapping[str, Any]:
    if name not in context.slurm:
        raise DocumentError(
            f"node {step.path!r} runs on Slurm and names no SlurmCluster that is there ({name or 'none'})",
            fix="Write `slurm: {cluster: NAME}` with one of this namespace: kubectl get slurmclusters.",
        )
    return context.slurm[name]


def _told() -> tuple[Object, Object]:
    """The annotation that says how many tasks may run at once, as a file: the kubelet keeps it up to date."""
    item = {"path": "limit", "fieldRef": {"fieldPath": f"metadata.annotations['{LIMIT}']"}}
    volume = {"name": "told", "downwardAPI": {"items": [item]}}
    return volume, {"name": "told", "mountPath": TOLD_PATH, "readOnly": True}


def as_told(cluster: Mapping[str, Any]) -> Object:
    """The spec without the name of the Secret: the pod has it mounted."""
    return {key: value for key, value in cluster.items() if key != "secretRef"}


def _container(settings: BuildSettings, unit: str, order: Object, *words: str) -> Object:
    container: Object = {"name": MAIN, "image": settings.image}
    if settings.pull_policy:
        container["imagePullPolicy"] = settings.pull_policy
    told = json.dumps(order, separators=(",", ":"), sort_keys=True).replace("$", "$$")
    return container | {
        "command": [*COMMAND, *words],
        "env": [
            {"name": ENVIRONMENT, "value": unit}, {"name": ORDER, "value": told},
            {"name": "HOME", "value": "/tmp"},
        ],
        "resources": RESOURCES,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(read_only=True),
    }  # fmt: skip


def _contents(
    container: Object,
    cluster: Mapping[str, Any],
    volumes: list[tuple[Object, Object]],
    configs: tuple[Object, ...],
    *,
    store: bool,
) -> Contents:
    volumes = [*volumes, *secret_volume(cluster)]
    container["volumeMounts"] = [mount for _, mount in volumes]
    security = pod_security(runtime_image=True, store=store)
    return Contents(container, tuple(volume for volume, _ in volumes), security, configs)


def secret_volume(cluster: Mapping[str, Any]) -> list[tuple[Object, Object]]:
    """The Secret to log in with, where a SlurmCluster has one, and its mount."""
    secret = (cluster.get("secretRef") or {}).get("name")
    if not secret:
        return []
    # 0440: ssh takes no key that others can read; the bridge makes itself a copy.
    volume = {"name": "slurm-secret", "secret": {"secretName": secret, "defaultMode": 0o440}}
    return [(volume, {"name": "slurm-secret", "mountPath": SECRET_PATH, "readOnly": True})]
