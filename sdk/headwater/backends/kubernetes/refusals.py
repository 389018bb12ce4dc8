"""What the API server says no with, in words that help."""

from __future__ import annotations

import json
import re
from typing import Any

from headwater.backends.kubernetes.errors import (
    ClusterConflict,
    ClusterError,
    ClusterForbidden,
    ClusterNotFound,
)

_OURS = "/apis/headwater.dev/"
_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]*)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_NO_NAMESPACE = re.compile(r'^namespaces "([^"]+)" not found')
INSTALL = "Install it: flowctl operator run --install-crds, or kubectl apply -f crds/."
TOO_LARGE_FIX = (
    "Large constants belong into a file or an artifact store, many like nodes into a map or a WorkflowTemplate; "
    "`kubectl apply` takes 256 KiB at most: use `kubectl apply --server-side`."
)


def refusal(status: int, body: str, method: str, path: str) -> ClusterError:
    """The error for an answer with a status of 400 or more.

    >>> print(refusal(404, "404 page not found", "GET", "/apis/headwater.dev/v1alpha1/workflows").message)
    the cluster does not know Headwater's resources (headwater.dev/v1alpha1)
    """
    said, details = _said(body)
    if status == 401:
        return ClusterForbidden(
            "the cluster does not accept this login",
            fix="It may have expired: log in again; `kubectl auth whoami` asks the same way.",
        )
    if status == 403:
        return _forbidden(said, method, path)
    if status == 404:
        if path.startswith(_OURS) and not details.get("name"):
            return ClusterNotFound(
                "the cluster does not know Headwater's resources (headwater.dev/v1alpha1)", fix=INSTALL
            )
        if namespace := _NO_NAMESPACE.search(said):
            fix = f"Check --namespace, or make it: kubectl create namespace {namespace[1]}."
            return ClusterNotFound(f"there is no namespace {namespace[1]!r}", fix=fix)
        return ClusterNotFound(said)
    if status in (409, 410):
        return ClusterConflict(said)
    if status == 413 or "too large" in said or "Too long" in said:
        return ClusterError(f"it is too large for the cluster: {said}", fix=TOO_LARGE_FIX)
    if status == 422:
        return ClusterError(
            f"the cluster refuses the object: {_readable(said)}", fix="`flowctl lint` says more."
        )
    if status in (429, 503):
        return ClusterError(f"the cluster is too busy: {said}", fix="Try again in a moment.")
    return ClusterError(f"{method} {path}: {status}: {said}")


def _said(body: str) -> tuple[str, dict[str, Any]]:
    try:
        found = json.loads(body)
    except ValueError:
        return body.strip() or "no reason given", {}
    if not isinstance(found, dict):
        return body.strip(), {}
    return str(found.get("message") or body), found.get("details") or {}


def _forbidden(said: str, method: str, path: str) -> ClusterError:
    found = _FORBIDDEN.search(said)
    if found is None:
        return ClusterForbidden(f"the cluster does not allow {method} {path}: {said}")
    group, namespace = found["group"], found["namespace"]
    resource = f"{found['resource']}.{group}" if group else found["resource"]
    where = f" in namespace {namespace!r}" if namespace else ""
    scope = f" -n {namespace}" if namespace else ""
    return ClusterForbidden(
        f"{found['user']!r} may not {found['verb']} {resource}{where}",
        fix=f"Ask for a role that allows it; `kubectl auth can-i {found['verb']} {resource}{scope}` checks.",
    )


def _readable(said: str) -> str:
    """The server's message without the object that it repeats.

    >>> _readable('Workflow.headwater.dev "a" is invalid: spec: Invalid value: "object": say `blocks`')
    'spec: say `blocks`'
    """
    said = re.sub(r'^[\w.]+ "[^"]*" is invalid: ', "", said)
    return re.sub(r'Invalid value: "(object|array|string|integer|boolean)": ', "", said)
