"""What a pod of a run may not do: reach its machine, or act as somebody else.

The rules are those of Kubernetes' Pod Security Standard "baseline", and a few of Headwater's own. An operator that
was started with `--allow-host` lets through what reaches the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headwater.document.names import label_problems
from headwater.document.problems import Found, Path, nearest
from headwater.document.types import wrong

_CAPABILITIES = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
_SYSCTLS = frozenset({
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
})  # fmt: skip
_SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")
_ALLOW = "Leave it out, or ask whoever runs the operator to start it with --allow-host."
_LISTS = ("containers", "initContainers")


def template_problems(path: Path, template: Any, *, allow_host: bool = False) -> Iterator[Found]:
    """What a `podTemplate` may not say.

    >>> [found[1] for found in template_problems(("podTemplate",), {"spec": {"hostNetwork": True}})]
    ["gives the pod its machine's network"]
    """
    if not isinstance(template, Mapping):
        yield path, str(wrong("an object with `metadata` and `spec`, as a Pod's", template)), ""
        return
    for name, part in template.items():
        if name not in ("metadata", "spec"):
            fix = f"Write it under `spec`: `podTemplate: {{spec: {{{name}: …}}}}`."
            yield (*path, name), f"unknown field {name!r}: a pod template has `metadata` and `spec`", fix
        elif not isinstance(part, Mapping):
            yield (*path, name), str(wrong("an object (`key: value` lines)", part)), ""
        elif name == "metadata":
            yield from _metadata((*path, name), part)
        else:
            yield from _spec((*path, name), part, allow_host)


def container_problems(path: Path, container: Any, *, allow_host: bool = False) -> Iterator[Found]:
    """What a container may not say.

    >>> [found[1] for found in container_problems((), {"securityContext": {"privileged": True}})]
    ['gives the container all rights on its machine']
    """
    if not isinstance(container, Mapping):
        yield path, str(wrong("an object (`key: value` lines)", container)), ""
        return
    for field in ("terminationMessagePath", "terminationMessagePolicy"):
        if field in container:
            yield (*path, field), "is set by the operator: results come back that way", "Leave it out."
    if not allow_host:
        yield from _context((*path, "securityContext"), container.get("securityContext"))
        yield from _calls(path, container)
        for index, port in enumerate(_list(container.get("ports"))):
            if isinstance(port, Mapping) and port.get("hostPort"):
                yield (*path, "ports", index, "hostPort"), "takes a port of the machine", _ALLOW


def annotation_problems(path: Path, annotations: Any) -> Iterator[Found]:
    """What annotations of a pod may not do.

    >>> key = "container.apparmor.security.beta.kubernetes.io/main"
    >>> [found[1] for found in annotation_problems((), {key: "unconfined"})]
    ['takes away what confines the container']
    """
    for key, value in (annotations if isinstance(annotations, Mapping) else {}).items():
        if str(key).startswith(_APPARMOR) and str(value).strip().lower() == "unconfined":
            yield (*path, key), "takes away what confines the container", "Leave it out."


def _calls(path: Path, container: Mapping[str, Any]) -> Iterator[Found]:
    """Probes and hooks that have the machine call another host than the pod."""
    hooks = container.get("lifecycle")
    places: list[tuple[Path, Any]] = [((*path, name), container.get(name)) for name in _PROBES]
    if isinstance(hooks, Mapping):
        places += [((*path, "lifecycle", name), hooks.get(name)) for name in _HOOKS]
    for at, handler in places:
        for kind in ("httpGet", "tcpSocket"):
            called = handler.get(kind) if isinstance(handler, Mapping) else None
            if isinstance(called, Mapping) and called.get("host"):
                yield (*at, kind, "host"), "has the machine call another host than the pod", _ALLOW


def _metadata(path: Path, metadata: Mapping[str, Any]) -> Iterator[Found]:
    for name, value in metadata.items():
        if name not in ("labels", "annotations"):
            yield (*path, name), "is set by the operator", "Only `labels` and `annotations` can be given."
        else:
            yield from label_problems((*path, name), value, values=name == "labels")
            if name == "annotations":
                yield from annotation_problems((*path, name), value)


def _spec(path: Path, spec: Mapping[str, Any], allow_host: bool) -> Iterator[Found]:
    for field in ("serviceAccountName", "serviceAccount"):
        if spec.get(field):
            fix = "Use `spec.serviceAccountName` of the Workflow."
            yield (*path, field), "chooses a service account for this pod alone", fix
    if spec.get("automountServiceAccountToken"):
        fix = "Use `spec.serviceAccountName` of the Workflow: its pods get a token."
        yield (*path, "automountServiceAccountToken"), "gives the pod a token for the Kubernetes API", fix
    if spec.get("restartPolicy") not in (None, "Never"):
        yield (*path, "restartPolicy"), "must be Never: attempts are counted by Headwater", "Use `retry`."
    if spec.get("ephemeralContainers"):
        yield (*path, "ephemeralContainers"), "cannot be given to a pod that starts", "Leave it out."
    for list_name in _LISTS:
        for index, container in enumerate(_list(spec.get(list_name))):
            yield from container_problems((*path, list_name, index), container, allow_host=allow_host)
    for index, volume in enumerate(_list(spec.get("volumes"))):
        yield from _volume((*path, "volumes", index), volume, allow_host)
    if allow_host:
        return
    if spec.get("nodeName"):
        fix = "Use `nodeSelector` or `affinity`."
        yield (*path, "nodeName"), "goes past the scheduler to one machine", fix
    for field, said in (("hostNetwork", "network"), ("hostPID", "processes"), ("hostIPC", "shared memory")):
        if spec.get(field):
            yield (*path, field), f"gives the pod its machine's {said}", _ALLOW
    yield from _context((*path, "securityContext"), spec.get("securityContext"))


def _volume(path: Path, volume: Any, allow_host: bool) -> Iterator[Found]:
    if not isinstance(volume, Mapping):
        yield path, str(wrong("an object such as {name: data, emptyDir: {}}", volume)), ""
        return
    if "hostPath" in volume and not allow_host:
        yield (
            (*path, "hostPath"),
            "gives the pod a folder of its machine",
            f"Use a claim or emptyDir. {_ALLOW}",
        )
    projected = volume.get("projected")
    sources = _list(projected.get("sources")) if isinstance(projected, Mapping) else []
    for index, source in enumerate(sources):
        if isinstance(source, Mapping) and "serviceAccountToken" in source:
            at: Path = (*path, "projected", "sources", index, "serviceAccountToken")
            yield (
                at,
                "gives the pod a token for the Kubernetes API",
                "Use `spec.serviceAccountName` of the Workflow.",
            )


def _context(path: Path, context: Any) -> Iterator[Found]:
    if context is None:
        return
    if not isinstance(context, Mapping):
        yield path, str(wrong("an object (`key: value` lines)", context)), ""
        return
    if context.get("privileged"):
        yield (*path, "privileged"), "gives the container all rights on its machine", _ALLOW
    if context.get("procMount") not in (None, "Default"):
        yield (*path, "procMount"), "shows the container what it must not see of its machine", _ALLOW
    capabilities = context.get("capabilities")
    added = _list(capabilities.get("add")) if isinstance(capabilities, Mapping) else []
    for index, name in enumerate(added):
        if str(name).removeprefix("CAP_") not in _CAPABILITIES:
            at: Path = (*path, "capabilities", "add", index)
            yield at, f"the capability {name!r} reaches beyond the container", _ALLOW
    for field in ("seccompProfile", "appArmorProfile"):
        profile = context.get(field)
        if isinstance(profile, Mapping) and profile.get("type") == "Unconfined":
            yield (*path, field, "type"), "takes away what confines the container", "Use RuntimeDefault."
    selinux = context.get("seLinuxOptions")
    for field, value in (selinux if isinstance(selinux, Mapping) else {}).items():
        if value and (field in ("user", "role") or (field == "type" and value not in _SELINUX_TYPES)):
            yield (*path, "seLinuxOptions", field), "takes away what confines the container", _ALLOW
    windows = context.get("windowsOptions")
    if isinstance(windows, Mapping) and windows.get("hostProcess"):
        yield (*path, "windowsOptions", "hostProcess"), "runs on the machine itself", _ALLOW
    for index, sysctl in enumerate(_list(context.get("sysctls"))):
        name = sysctl.get("name") if isinstance(sysctl, Mapping) else sysctl
        if name not in _SYSCTLS:
            said = f"the kernel setting {name!r} reaches beyond the pod"
            yield (*path, "sysctls", index), said, nearest(str(name), sorted(_SYSCTLS))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
