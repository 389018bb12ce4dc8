"""Names, labels, annotations and owners of everything that a run is made of in Kubernetes.

Names are deterministic: an object that is made twice is the same object, and an operator that comes after a
crash finds what the one before it has made.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Literal

from headwater_operator.builders.inputs import RunContext

NAME_LIMIT = 63
JOB_NAME_LIMIT = 51
"""A Job's pods are called JOB-INDEX-RANDOM: "-99999-abcde" is left free."""

RUN_LABEL = "headwater.dev/run"
RUN_UID_LABEL = "headwater.dev/run-uid"
KIND_LABEL = "headwater.dev/kind"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
PATH = "headwater.dev/path"
ATTEMPT = "headwater.dev/attempt"
STAGE = "headwater.dev/stage"
CHUNK = "headwater.dev/chunk"
ITEMS = "headwater.dev/items"
PER_POD = "headwater.dev/per-pod"
LIMIT = "headwater.dev/limit"
"""On the bridge of a map: how many tasks of its Slurm array may run at once. It can change while they do."""

ChildKind = Literal["unit", "items", "bridge", "values"]

_HASH_LENGTH = 10
_NOT_A_NAME = re.compile(r"[^a-z0-9]+")
_NOT_A_LABEL = re.compile(r"[^A-Za-z0-9._-]+")


def pod_name(context: RunContext, path: str, attempt: int, stage: str = "", lineage: str = "") -> str:
    """The name of a node's pod: `<workflow>-<node>-<hash>-<attempt>`, at most 63 characters.

    >>> context = RunContext("Reduce.v2", "default", "0b9f", {})
    >>> pod_name(context, "process[17]/fit_model", 2)
    'reduce-v2-fit-model-fujgztwkmn-2'
    """
    return _name(context, path, stage + lineage, str(attempt), NAME_LIMIT)


def job_name(context: RunContext, path: str, attempt: int, chunk: int = 0, lineage: str = "") -> str:
    """The name of a map's Job, with room for what its pods add; chunks after the first end with their number.

    >>> job_name(RunContext("reduce", "default", "0b9f", {}), "process", 1, chunk=3)
    'reduce-process-ze3n56qzay-1-3'
    """
    ending = f"{attempt}-{chunk}" if chunk else str(attempt)
    return _name(context, path, lineage, ending, JOB_NAME_LIMIT)


def _name(context: RunContext, path: str, stage: str, ending: str, limit: int) -> str:
    digest = short_hash(context.uid, path, stage)
    room = limit - len(digest) - len(ending) - 3
    node = _slug(path.rpartition("/")[2]) or "run"
    workflow = _slug(context.name) or "run"
    for_workflow = max(room // 2, room - len(node))
    workflow = workflow[:for_workflow].rstrip("-")
    node = node[: room - len(workflow)].rstrip("-")
    return f"{workflow}-{node}-{digest}-{ending}"


def _slug(text: str) -> str:
    return _NOT_A_NAME.sub("-", text.lower()).strip("-")


def short_hash(*parts: str) -> str:
    """Fifty bits of a digest, in letters and digits that a name may hold.

    >>> short_hash("uid", "process", "")
    'anh5ztkuzt'
    """
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:_HASH_LENGTH]


def run_label(workflow: str) -> str:
    """A workflow's name as the value of a label: cut, with a hash, where it is longer than 63 characters.

    >>> run_label("reduce.v2"), run_label("a" * 70)[48:]
    ('reduce.v2', 'aaaa-npk6ka2ikw')
    """
    if len(workflow) <= NAME_LIMIT:
        return _NOT_A_LABEL.sub("-", workflow)
    head = workflow[: NAME_LIMIT - _HASH_LENGTH - 1].rstrip(".-_")
    return f"{head}-{short_hash(workflow)}"


def child_labels(context: RunContext, kind: ChildKind) -> dict[str, str]:
    """The labels by which the operator finds what belongs to a run."""
    return {
        RUN_LABEL: run_label(context.name),
        RUN_UID_LABEL: context.uid,
        KIND_LABEL: kind,
        MANAGED_BY_LABEL: "headwater",
    }


def owner_reference(context: RunContext) -> dict[str, Any]:
    """The Workflow as the owner of its children: they go when it goes.

    `blockOwnerDeletion` is false: true would need the right to change the finalizers of Workflows, and would
    make a deletion in the foreground wait for every pod.
    """
    return {
        "apiVersion": "headwater.dev/v1alpha1",
        "kind": "Workflow",
        "name": context.name,
        "uid": context.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def metadata(
    context: RunContext, name: str, kind: ChildKind, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The metadata of an object that belongs to a run."""
    found: dict[str, Any] = {
        "name": name,
        "namespace": context.namespace,
        "labels": child_labels(context, kind),
        "ownerReferences": [owner_reference(context)],
    }
    if annotations:
        found["annotations"] = dict(annotations)
    return found
