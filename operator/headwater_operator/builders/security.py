"""Secure defaults of pods, and the refusal of what would reach out of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headwater.errors import DocumentError

RUNTIME_USER = 1000
"""The user of the runtime image, and the group that owns the store."""

_SHARED = ("hostNetwork", "hostPID", "hostIPC")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def pod_security(*, runtime_image: bool, store: bool) -> dict[str, Any]:
    """The pod's security context: seccomp for all, and our user where the image is known to have it.

    Other images keep the user that they were built with. `fsGroup` lets whoever it is write to the store.

    >>> pod_security(runtime_image=False, store=False)
    {'seccompProfile': {'type': 'RuntimeDefault'}}
    """
    found: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    if runtime_image:
        found |= {"runAsNonRoot": True, "runAsUser": RUNTIME_USER, "runAsGroup": RUNTIME_USER}
    if runtime_image or store:
        found |= {"fsGroup": RUNTIME_USER, "fsGroupChangePolicy": "OnRootMismatch"}
    return found


def confine(spec: dict[str, Any]) -> None:
    """Give a merged pod the seccomp profile again where a template has taken it away, by `$patch` or null.

    >>> spec = {"securityContext": {"runAsUser": 7}}
    >>> confine(spec)
    >>> spec["securityContext"]
    {'seccompProfile': {'type': 'RuntimeDefault'}, 'runAsUser': 7}
    """
    spec["securityContext"] = {
        **pod_security(runtime_image=False, store=False),
        **(spec.get("securityContext") or {}),
    }


def container_security(*, read_only: bool) -> dict[str, Any]:
    """A container's security context; the root file system is read-only where nothing but /tmp is written to.

    >>> container_security(read_only=False)
    {'allowPrivilegeEscalation': False, 'capabilities': {'drop': ['ALL']}}
    """
    found: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return found | ({"readOnlyRootFilesystem": True} if read_only else {})


def refuse_host(spec: Mapping[str, Any], node: str) -> None:
    """Refuse a pod that reaches out of its container into the machine. `lint` refuses it too, earlier.

    Raises:
        DocumentError: it does; the message names the field.
    """
    for field in host_access(spec):
        raise DocumentError(
            f"node {node!r}: {field} reaches out of the container into the machine",
            fix="Leave it out, or start the operator with --allow-host.",
        )


def host_access(spec: Mapping[str, Any]) -> Iterator[str]:
    """The fields of a pod's spec by which it would reach into the machine that it runs on.

    >>> list(host_access({"hostPID": True, "volumes": [{"name": "v", "hostPath": {"path": "/"}}]}))
    ['hostPID', 'volumes[v].hostPath']
    """
    yield from (field for field in _SHARED if spec.get(field))
    for volume in spec.get("volumes") or ():
        if "hostPath" in volume:
            yield f"volumes[{volume.get('name')}].hostPath"
    if _is_host_process(spec):
        yield "securityContext.windowsOptions.hostProcess"
    for kind in _CONTAINERS:
        for container in spec.get(kind) or ():
            where = f"{kind}[{container.get('name')}]"
            yield from (f"{where}.{field}" for field in _of_container(container))


def _of_container(container: Mapping[str, Any]) -> Iterator[str]:
    security = container.get("securityContext") or {}
    if security.get("privileged"):
        yield "securityContext.privileged"
    if _is_host_process(container):
        yield "securityContext.windowsOptions.hostProcess"
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield "ports.hostPort"


def _is_host_process(holder: Mapping[str, Any]) -> bool:
    windows = (holder.get("securityContext") or {}).get("windowsOptions") or {}
    return bool(windows.get("hostProcess"))


def settle_privileges(container: dict[str, Any]) -> None:
    """Take out the defaults that the API server refuses beside what was asked for."""
    security = container.get("securityContext") or {}
    if security.get("privileged") and security.get("allowPrivilegeEscalation") is False:
        container["securityContext"] = {
            key: value for key, value in security.items() if key != "allowPrivilegeEscalation"
        }
