"""Tell a run in a cluster what to do: stop, cancel, suspend, resume, approve, retry, delete."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.codes import keep_config_map
from headwater.backends.kubernetes.errors import (
    ClusterConflict,
    ClusterError,
    ClusterForbidden,
    ClusterNotFound,
)
from headwater.backends.kubernetes.manifest import manifest, next_try
from headwater.backends.kubernetes.order import in_order, static_nodes
from headwater.backends.kubernetes.outcome import has_ended, phase_of
from headwater.backends.kubernetes.submission import SUBMISSION
from headwater.errors import UsageError

APPROVALS = "headwater.dev/approvals"
RESUMES = "headwater.dev/resumes"
RETRY_FROM = "headwater.dev/retry-from"
ATTEMPTS = 10
_SPEC: dict[str, dict[str, object]] = {
    "stop": {"terminate": "Stop"},
    "cancel": {"terminate": "Cancel"},
    "suspend": {"suspend": True},
    "resume": {"suspend": False},
}
_DONE = {"stop": "stopped", "cancel": "cancelled", "suspend": "suspended", "resume": "resumed"}


def get_run(cluster: Cluster, name: str) -> Json:
    """The Workflow of a run.

    Raises:
        UsageError: there is none of that name in the namespace.
    """
    try:
        return cluster.get(cluster.own("workflows", name))
    except ClusterNotFound as error:
        if "does not know" in error.message:
            raise
        close = [each["metadata"]["name"] for each in list_runs(cluster)]
        hint = f"The latest: {', '.join(close[:5])}." if close else "There is none at all: `flowctl submit`."
        raise UsageError(f"there is no run {name!r} in namespace {cluster.namespace!r}", fix=hint) from None


def list_runs(cluster: Cluster) -> list[Json]:
    """The runs of the namespace, newest first.

    Raises:
        ClusterNotFound: there is no such namespace.
    """
    found = cluster.list(cluster.own("workflows"))
    if not found:  # the server lists nothing, too, in a namespace that does not exist
        with suppress(ClusterForbidden):
            cluster.get(f"/api/v1/namespaces/{cluster.namespace}")
    return sorted(found, key=lambda each: str(each["metadata"]["creationTimestamp"]), reverse=True)


def change(cluster: Cluster, name: str, action: str) -> Json:
    """`stop`, `cancel`, `suspend` or `resume` a run that goes on.

    Raises:
        UsageError: it has ended.
    """
    workflow = get_run(cluster, name)
    if has_ended(workflow):
        raise UsageError(
            f"the run {name!r} has ended: {phase_of(workflow)}; it cannot be {_DONE[action]}",
            fix=f"Run it again: flowctl retry {name}." if action == "resume" else "There is nothing to do.",
        )
    return cluster.patch(cluster.own("workflows", name), {"spec": _SPEC[action]})


def who_am_i(cluster: Cluster) -> str:
    """The user's name as the cluster sees it, else as the kubeconfig calls it."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        found = cluster.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        return str(found["status"]["userInfo"]["username"])
    except (ClusterError, KeyError):  # an old cluster, or one that does not tell
        return cluster.login.user or "unknown"


def approve(cluster: Cluster, name: str, node: str, *, granted: bool = True, by: str = "") -> Json:
    """Answer for a node that waits for a person; who answers is written down, the user of the cluster by default.

    Raises:
        UsageError: the node does not wait; the message says which do.
    """
    path = cluster.own("workflows", name)
    by = by or who_am_i(cluster)
    for _ in range(ATTEMPTS):
        workflow = get_run(cluster, name)
        chosen = waiting_node(workflow, node)
        written = (workflow["metadata"].get("annotations") or {}).get(APPROVALS)
        answers = json.loads(written) if written else {}
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        answers[chosen] = {"by": by, "granted": granted, "at": at}
        metadata = {
            "resourceVersion": workflow["metadata"]["resourceVersion"],
            "annotations": {APPROVALS: json.dumps(answers)},
        }
        try:
            cluster.patch(path, {"metadata": metadata})
            return {"run": name, "node": chosen, **answers[chosen]}
        except ClusterConflict:
            time.sleep(0.1)  # the operator has written its status meanwhile
    raise ClusterError(f"the run {name!r} changes too fast to be approved", fix="Try again.")


def waiting_node(workflow: Json, node: str) -> str:
    """The path of the node that is meant, if it waits for approval."""
    nodes: Mapping[str, Any] = (workflow.get("status") or {}).get("nodes") or {}
    static = static_nodes(workflow["spec"])
    waiting = [
        path
        for path in in_order(nodes, workflow["spec"])
        if nodes[path].get("phase") == "Suspended" and _asks(path, nodes[path], static)
    ]
    wanted = node.replace("_", "-").removeprefix("main/")
    for path in waiting:
        if path.replace("_", "-") == wanted:
            return path
    raise UsageError(
        f"{node!r} of {workflow['metadata']['name']!r} does not wait for approval",
        fix=f"Waiting: {', '.join(waiting) or 'none'}.",
    )


def _asks(path: str, node: Mapping[str, Any], static: Mapping[str, Any]) -> bool:
    plain = "/".join(part.partition("[")[0] for part in path.split("/"))
    written = static.get(plain)
    if written is None:  # of a template
        return "approval" in str(node.get("waiting") or "approval")
    return bool((written.get("suspend") or {}).get("approval") is not None)


def retry(cluster: Cluster, name: str, from_: str | None = None) -> Json:
    """A new run with the same spec that adopts what had succeeded in an ended one.

    `from_` names a node that shall run again, with all that comes after it.

    Raises:
        UsageError: the run goes on, or has nothing left to do, or there is no such node.
    """
    workflow = get_run(cluster, name)
    phase = phase_of(workflow)
    if not has_ended(workflow):
        raise UsageError(
            f"the run {name!r} is still {phase.lower()}",
            fix=f"Wait for it, or end it: flowctl cancel {name}.",
        )
    if phase == "Succeeded" and from_ is None:
        raise UsageError(
            f"the run {name!r} succeeded: there is nothing to repeat", fix="Name a node with --from NODE."
        )
    annotations = {
        key: text
        for key, text in (workflow["metadata"].get("annotations") or {}).items()
        if key not in (APPROVALS, RETRY_FROM, SUBMISSION) and not key.startswith("kubectl.kubernetes.io/")
    }
    annotations[RESUMES] = name
    if from_ is not None:
        annotations[RETRY_FROM] = _known_node(workflow, from_)
    left = {"suspend", "terminate"}
    spec = {key: part for key, part in workflow["spec"].items() if key not in left}
    return _next(cluster, workflow, spec, annotations)


def _next(cluster: Cluster, workflow: Json, spec: Json, annotations: Mapping[str, str]) -> Json:
    name = workflow["metadata"]["name"]
    while True:
        name = next_try(name)
        body = manifest(name, spec, annotations=annotations)
        labels = workflow["metadata"].get("labels")
        if labels:
            body["metadata"]["labels"] = labels
        try:
            created = cluster.create(cluster.own("workflows"), body)
        except ClusterConflict:
            continue
        keep_config_map(cluster, created)
        return created


def _known_node(workflow: Json, node: str) -> str:
    base, bracket, rest = node.partition("[")
    wanted = base.replace("_", "-").removeprefix("main/").strip("/")
    nodes = {**static_nodes(workflow["spec"]), **((workflow.get("status") or {}).get("nodes") or {})}
    for path in nodes:
        if path.replace("_", "-") == wanted:
            return f"{path}{bracket}{rest}"
    listed = ", ".join(list(nodes)[:20])
    raise UsageError(
        f"there is no node {node!r} in {workflow['metadata']['name']!r}", fix=f"Nodes: {listed}."
    )


def delete(cluster: Cluster, name: str) -> None:
    """Delete a run with everything that belongs to it.

    Raises:
        UsageError: there is none of that name.
    """
    get_run(cluster, name)
    cluster.delete(cluster.own("workflows", name), propagationPolicy="Background")
