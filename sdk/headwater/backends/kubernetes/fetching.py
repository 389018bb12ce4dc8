"""Values that lie in the store: read from a URL by this machine, from a claim by a short-lived pod."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.errors import ClusterError, ClusterNotFound
from headwater.backends.kubernetes.leases import health_of, operator_leases
from headwater.configuration import config
from headwater.document.unit import Encoded

CLAIM = "headwater-store"
CLAIM_PATH = "/headwater/store"
VARIABLE = "HEADWATER_FETCH"
FETCH_SECONDS = 180
MOST_BYTES = 128 << 20
"""What may go through a pod's log."""

_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def fetched(values: Mapping[str, Encoded], cluster: Cluster, workflow: Json) -> Mapping[str, object]:
    """The objects behind stored values.

    Raises:
        ClusterError: the store cannot be read, or a value cannot be opened here.
    """
    pods = cluster.list(
        cluster.core("pods"), labelSelector=f"headwater.dev/run-uid={workflow['metadata']['uid']}"
    )
    model = _model_of(pods)
    says = next(map(health_of, operator_leases(cluster)), {}) if model is None else {}
    store = _store_of(pods) or str(says.get("store") or config.get("store") or "")
    if "://" in store and not store.startswith("claim://"):
        return _from_url(values, store)
    size = sum(_size(value) for value in values.values())
    if size > MOST_BYTES:
        raise ClusterError(
            f"the outputs of {workflow['metadata']['name']!r} have {size >> 20} MiB and lie in the claim {CLAIM!r}; "
            f"{MOST_BYTES >> 20} MiB can be fetched through a pod",
            fix="Start the operator with a --store that is a URL, or have a task of the run write them elsewhere.",
        )
    image = (workflow["spec"].get("code") or {}).get("image") or says.get("image") or config.get("image")
    name = f"headwater-fetch-{uuid.uuid4().hex[:10]}"
    return _through_pod(cluster, fetch_pod(name, values, workflow, model, image))


def _size(value: Encoded) -> int:
    """How large a value is, as far as it says so itself."""
    own = value.get("size")
    parts = value.get("list") or list((value.get("dict") or {}).values())
    return (own if isinstance(own, int) else 0) + sum(map(_size, parts))


def _store_of(pods: list[Json]) -> str:
    """The store that the run's own pods were told of."""
    from headwater.document.unit import read_unit

    for pod in pods:
        for each in pod["spec"]["containers"][0].get("env") or ():
            if each["name"] == "HEADWATER_UNIT" and not str(each.get("value", "@")).startswith("@"):
                with suppress(ValueError, KeyError):
                    return read_unit(str(each["value"]).replace("$$", "$")).store
    return ""


def _from_url(values: Mapping[str, Encoded], store: str) -> Mapping[str, object]:
    from headwater.runtime.pod.values import Values

    return Values(store).inputs(values)


def _model_of(pods: list[Json]) -> Json | None:
    """A Python pod of the run: the one that fetches is like it."""
    for pod in pods:
        if (pod["metadata"].get("labels") or {}).get("headwater.dev/kind") in ("unit", "items"):
            command = pod["spec"]["containers"][0].get("command") or []
            if "headwater.runtime" in command:
                return pod
    return None


def _through_pod(cluster: Cluster, pod: Json) -> Mapping[str, object]:
    from headwater.runtime.pod.fetch import parse

    name = pod["metadata"]["name"]
    cluster.create(cluster.core("pods"), pod)
    try:
        _wait_for(cluster, name, ("Succeeded", "Failed"))
        text = cluster.text(cluster.core("pods", name) + "/log", container="main")
        return parse(text)
    finally:
        with suppress(ClusterError):
            cluster.delete(cluster.core("pods", name), gracePeriodSeconds="0")


def fetch_pod(
    name: str, values: Mapping[str, Encoded], workflow: Json, model: Json | None, image: object = None
) -> Json:
    """The pod that prints values: like `model`, a pod of the run; else in `image`.

    Raises:
        ClusterError: nothing says which image to take.
    """
    container, spec = _like(model, workflow, image)
    wanted = {"store": CLAIM_PATH, "values": dict(values)}
    text = json.dumps(wanted, separators=(",", ":")).replace("$", "$$")
    container |= {
        "name": "main",
        "command": ["python", "-m", "headwater.runtime", "fetch"],
        "env": [{"name": VARIABLE, "value": text}, {"name": "HOME", "value": "/tmp"}],
        "volumeMounts": [
            {"name": "store", "mountPath": CLAIM_PATH, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    volumes = [
        {"name": "store", "persistentVolumeClaim": {"claimName": _claim_of(model)}},
        {"name": "tmp", "emptyDir": {}},
    ]
    owner = {
        "apiVersion": workflow["apiVersion"],
        "kind": workflow["kind"],
        "name": workflow["metadata"]["name"],
        "uid": workflow["metadata"]["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": "headwater", "headwater.dev/kind": "fetch"},
            "ownerReferences": [owner],
        },
        "spec": {
            **spec,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": FETCH_SECONDS,
            "automountServiceAccountToken": False,
            "containers": [container],
            "volumes": volumes,
        },
    }


def _like(model: Json | None, workflow: Json, image: object) -> tuple[dict[str, Any], dict[str, Any]]:
    if model is not None:
        first = model["spec"]["containers"][0]
        container = {
            key: first[key] for key in ("image", "imagePullPolicy", "securityContext") if key in first
        }
        kept = ("securityContext", "imagePullSecrets", "tolerations", "nodeSelector")
        return container, {key: model["spec"][key] for key in kept if key in model["spec"]}
    if not image:
        raise ClusterError(
            f"the outputs of {workflow['metadata']['name']!r} lie in the claim {CLAIM!r}, and the pods of the run, "
            "which would say how to read it, are gone",
            fix="Name the runtime's image in the config: `image: ...`.",
        )
    return {"image": str(image), "securityContext": _RESTRICTED}, {}


def _claim_of(model: Json | None) -> str:
    for volume in (model or {"spec": {}})["spec"].get("volumes") or ():
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim:
            return str(claim)
    return CLAIM


def _wait_for(cluster: Cluster, name: str, phases: tuple[str, ...]) -> None:
    deadline = time.monotonic() + FETCH_SECONDS
    said = ""
    for pod in cluster.states(cluster.core("pods"), name):
        if pod is None:
            raise ClusterNotFound(f"the pod {name} that fetches values was removed")
        if pod.get("status", {}).get("phase") in phases:
            return
        said = _state(pod)
        if "ErrImage" in said or "ImagePull" in said or time.monotonic() > deadline:
            break
    raise ClusterError(f"the pod {name} that fetches values does not start: {said}", fix="flowctl doctor")


def _state(pod: Json) -> str:
    from headwater.backends.kubernetes.logs import pod_of

    return pod_of(pod).waits or str((pod.get("status") or {}).get("phase"))
