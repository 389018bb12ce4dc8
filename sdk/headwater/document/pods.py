"""What a cluster asks of a document beyond its meaning: pods that can be made of it, and that may be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from headwater.document.models import TemplateSpec
from headwater.document.names import image_problem, label_problems, resource_problem, variable_problem
from headwater.document.nodes import Container, Node, Policy
from headwater.document.problems import Found, Path, nearest
from headwater.document.quantities import resources_problems
from headwater.document.security import annotation_problems, container_problems, template_problems
from headwater.document.types import shortened, wrong

VARIABLE_LIMIT = 128 * 1024
"""Bytes of one environment variable, name and value; with more, Linux starts no program."""

_TOLERATION = {
    "operator": ("Equal", "Exists"),
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
}


def pod_problems(spec: TemplateSpec, root: Path, *, allow_host: bool = False) -> Iterator[Found]:
    """What keeps the pods of a spec from being made, or from being allowed."""
    if spec.service_account_name is not None and (found := resource_problem(spec.service_account_name)):
        yield (*root, "serviceAccountName"), found, ""
    if spec.code is not None:
        if spec.code.image is not None and (found := image_problem(spec.code.image)):
            yield (*root, "code", "image"), found, ""
        if spec.code.config_map is not None and (found := resource_problem(spec.code.config_map)):
            yield (*root, "code", "configMap"), found, ""
    defaults = spec.defaults
    if defaults is not None:
        yield from _policy((*root, "defaults"), defaults, allow_host)
    for index, block in enumerate(spec.blocks or ()):
        for number, node in enumerate(block.nodes):
            path: Path = (*root, "blocks", index, "nodes", number)
            yield from _node(path, node, defaults, allow_host)


def _node(path: Path, node: Node, defaults: Policy | None, allow_host: bool) -> Iterator[Found]:
    if len(node.model_fields_set) > 2:
        yield from _policy(path, node, allow_host)
    inner = node.map.container if node.map is not None else None
    where: Path = (*path, "map", "container") if inner is not None else (*path, "container")
    container = inner or node.container
    if container is not None:
        yield from _container(where, container, allow_host)
        for name, source in (node.inputs or {}).items():
            if "value" in source.model_fields_set and _bytes(source.value) + len(name) > VARIABLE_LIMIT:
                yield (
                    (*path, "inputs", name, "value"),
                    f"is too long for an environment variable: at most {VARIABLE_LIMIT:,} bytes",
                    "Put it into a file of the image, a ConfigMap or an artifact.",
                )
    executor = node.executor or (defaults.executor if defaults is not None else None)
    if executor == "slurm":
        yield from _slurm(path, node, defaults, container)


def _slurm(path: Path, node: Node, defaults: Policy | None, container: Container | None) -> Iterator[Found]:
    if container is not None and node.executor == "slurm":
        yield (
            (*path, "executor"),
            "a container runs as a pod: not every Slurm cluster can run images",
            "Leave `executor` out, or make it a Python task that calls what the cluster has (apptainer, podman).",
        )
    given = {**((defaults.slurm if defaults else None) or {}), **(node.slurm or {})}
    runs = node.task is not None or (node.map is not None and node.map.task is not None)
    if (runs or node.executor == "slurm") and container is None and not given.get("cluster"):
        yield (
            (*path, "slurm"),
            "`executor: slurm` does not say which cluster",
            "Name a SlurmCluster of this namespace: `slurm: {cluster: NAME}`.",
        )


# ---------------------------------------------------------------------- policy


def _policy(path: Path, policy: Policy, allow_host: bool) -> Iterator[Found]:
    if policy.image is not None and (found := image_problem(policy.image)):
        yield (*path, "image"), found, ""
    if policy.resources is not None:
        yield from resources_problems((*path, "resources"), policy.resources)
    if policy.pod_template is not None:
        yield from template_problems((*path, "podTemplate"), policy.pod_template, allow_host=allow_host)
    if policy.labels is not None:
        yield from label_problems((*path, "labels"), policy.labels)
    if policy.annotations is not None:
        yield from label_problems((*path, "annotations"), policy.annotations, values=False)
        yield from annotation_problems((*path, "annotations"), policy.annotations)
    if policy.node_selector is not None:
        yield from label_problems((*path, "nodeSelector"), policy.node_selector, own=False)
    for field, name in (("priorityClassName", policy.priority_class_name), ("queue", policy.queue)):
        if name is not None and (found := resource_problem(name)):
            yield (*path, field), found, ""
    for index, toleration in enumerate(policy.tolerations or ()):
        yield from _toleration((*path, "tolerations", index), toleration)
    for index, secret in enumerate(policy.image_pull_secrets or ()):
        at: Path = (*path, "imagePullSecrets", index)
        if set(secret) != {"name"}:
            yield at, "must be {name: SECRET}", ""
        elif found := resource_problem(secret["name"]):
            yield (*at, "name"), found, ""
    if policy.slurm is not None:
        yield from _directives((*path, "slurm"), policy.slurm)


def _toleration(path: Path, toleration: Mapping[str, Any]) -> Iterator[Found]:
    known = ("key", "operator", "value", "effect", "tolerationSeconds")
    for name, value in toleration.items():
        if name not in known:
            yield (*path, name), f"unknown field {name!r}", nearest(name, known)
        elif name in _TOLERATION and value not in _TOLERATION[name]:
            listed = ", ".join(_TOLERATION[name])
            yield (*path, name), f"must be one of {listed}; got {shortened(value)}", ""


def _directives(path: Path, slurm: Mapping[str, Any]) -> Iterator[Found]:
    for name, value in slurm.items():
        if isinstance(value, str) and ("\n" in value or "\0" in value):
            yield (*path, name), "must be one line: it becomes a line of the job's script", ""
        elif isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            yield (*path, name), f"must not be negative; got {value}", ""
        elif name == "cluster" and (found := resource_problem(value)):
            yield (*path, name), found, "Name a SlurmCluster of this namespace."


# ---------------------------------------------------------------------- containers


def _container(path: Path, container: Container, allow_host: bool) -> Iterator[Found]:
    if found := image_problem(container.image):
        yield (*path, "image"), found, ""
    if container.resources is not None:
        yield from resources_problems((*path, "resources"), container.resources)
    if container.security_context is not None:
        written = {"securityContext": container.security_context}
        yield from container_problems(path, written, allow_host=allow_host)
    for index, variable in enumerate(container.env or ()):
        yield from _variable((*path, "env", index), variable)
    for index, mount in enumerate(container.volume_mounts or ()):
        at: Path = (*path, "volumeMounts", index)
        for field in ("name", "mountPath"):
            if not isinstance(mount.get(field), str) or not mount[field]:
                yield (*at, field), "is missing", "Write {name: VOLUME, mountPath: /FOLDER}."
        if str(mount.get("mountPath", "")).rstrip("/").startswith("/headwater"):
            yield (*at, "mountPath"), "/headwater is the operator's own folder", "Choose another one."
    for index, source in enumerate(container.env_from or ()):
        if not set(source) & {"configMapRef", "secretRef"}:
            fix = "Write {configMapRef: {name: …}} or {secretRef: {name: …}}."
            yield (*path, "envFrom", index), "names neither a ConfigMap nor a Secret", fix


def _variable(path: Path, variable: Mapping[str, Any]) -> Iterator[Found]:
    name = variable.get("name")
    if name is None:
        yield (*path, "name"), "is missing", "Write {name: NAME, value: TEXT}."
    elif found := variable_problem(name):
        yield (*path, "name"), found, "Use letters, digits and '_', beginning with a letter."
    for field in variable:
        if field not in ("name", "value", "valueFrom"):
            yield (*path, field), f"unknown field {field!r}", nearest(field, ("name", "value", "valueFrom"))
    value = variable.get("value")
    if value is not None and not isinstance(value, str):
        yield (*path, "value"), str(wrong("a text", value)), f'Put it in quotes: "{json.dumps(value)[:64]}".'
    elif value is not None and "valueFrom" in variable:
        yield path, "has `value` and `valueFrom`", "Keep one of the two."
    elif value is not None and len(value.encode()) + len(str(name)) > VARIABLE_LIMIT:
        yield (
            (*path, "value"),
            f"is too long for an environment variable: at most {VARIABLE_LIMIT:,} bytes",
            "Put it into a ConfigMap and mount that.",
        )


def _bytes(value: Any) -> int:
    """How long a value is as an INPUT_ variable."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return len("INPUT_") + 2 + len(text.encode("utf-8", "surrogatepass")) + text.count("$")
