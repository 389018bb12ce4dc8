"""The pod that asks a Slurm cluster once how it is: a bridge's image, Secret and security, and no run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from headwater_operator.builders.bridge import ORDER, RESOURCES, as_told, secret_volume
from headwater_operator.builders.inputs import BuildSettings
from headwater_operator.builders.names import KIND_LABEL, MANAGED_BY_LABEL, short_hash
from headwater_operator.builders.pods import MAIN, Object
from headwater_operator.builders.security import container_security, pod_security

PROBE_COMMAND = ("python", "-m", "headwater.slurm.probe")
CLUSTER_LABEL = "headwater.dev/slurm-cluster-uid"
CLUSTER = "headwater.dev/slurm-cluster"
GENERATION = "headwater.dev/generation"
DEADLINE_SECONDS = 100


def probe_pod(settings: BuildSettings, cluster: Mapping[str, Any]) -> Object:
    """The pod for a SlurmCluster as it is now; the resource owns it."""
    meta, spec = cluster["metadata"], cluster["spec"]
    container: Object = {"name": MAIN, "image": settings.image, "command": list(PROBE_COMMAND)}
    if settings.pull_policy:
        container["imagePullPolicy"] = settings.pull_policy
    told = json.dumps({"cluster": as_told(spec)}, separators=(",", ":"), sort_keys=True).replace("$", "$$")
    volumes: list[tuple[Object, Object]] = [
        ({"name": "tmp", "emptyDir": {}}, {"name": "tmp", "mountPath": "/tmp"}), *secret_volume(spec)
    ]  # fmt: skip
    container |= {
        "env": [{"name": ORDER, "value": told}, {"name": "HOME", "value": "/tmp"}],
        "resources": RESOURCES,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(read_only=True),
        "volumeMounts": [mount for _, mount in volumes],
    }
    owner = {
        "apiVersion": "headwater.dev/v1alpha1", "kind": "SlurmCluster", "name": meta["name"], "uid": meta["uid"],
        "controller": True, "blockOwnerDeletion": False,
    }  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"slurm-probe-{short_hash(meta['uid'])}",
            "namespace": meta["namespace"],
            "labels": {CLUSTER_LABEL: meta["uid"], KIND_LABEL: "probe", MANAGED_BY_LABEL: "headwater"},
            "annotations": {CLUSTER: meta["name"], GENERATION: str(meta.get("generation", 1))},
            "ownerReferences": [owner],
        },
        "spec": {
            "restartPolicy": "Never", "activeDeadlineSeconds": DEADLINE_SECONDS,
            "terminationGracePeriodSeconds": 1, "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "securityContext": dict(pod_security(runtime_image=True, store=False)),
            "containers": [container], "volumes": [volume for volume, _ in volumes],
        },
    }  # fmt: skip
