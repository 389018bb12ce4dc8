"""Pods that run Python: the runtime with a unit in its environment."""

from __future__ import annotations

from typing import Any

from headwater.document.unit import ENVIRONMENT, UnitSpec

from headwater_operator.builders.configs import UNIT_KEY, UNIT_PATH, unit_config_map, unit_text
from headwater_operator.builders.documents import Step, body_of, node_of, pod_policy, unit_document
from headwater_operator.builders.inputs import CLAIM_PATH, BuildSettings, MapStep, RunContext
from headwater_operator.builders.pods import MAIN, Contents, Object
from headwater_operator.builders.security import container_security, pod_security
from headwater_operator.builders.values import (
    VALUES_PATH,
    config_keys,
    escaped,
    values_volume,
    with_paths,
)

COMMAND = ("python", "-m", "headwater.runtime")
CODE_PATH = "/headwater/code"
STORE_SECRET = "headwater-store"
"""Credentials of a store that is a URL: taken as environment, where the Secret exists."""


def python_contents(context: RunContext, settings: BuildSettings, step: Step) -> Contents:
    """The container and volumes of a pod that runs Python."""
    image = image_of(context, settings, step)
    unit = unit_of(context, settings, step)
    text, configs = unit_variable(context, unit)
    volumes = mounted_volumes(context, settings, step, configs)
    container: Object = {"name": MAIN, "image": image}
    runtime_image = image == settings.image
    if settings.pull_policy and runtime_image:
        container["imagePullPolicy"] = settings.pull_policy
    container |= {
        "command": list(COMMAND),
        "env": [
            {"name": ENVIRONMENT, "value": text},
            {"name": "HOME", "value": "/tmp"},
        ],
    }
    if settings.store.url and not settings.store.claim:
        container["envFrom"] = [{"secretRef": {"name": STORE_SECRET, "optional": True}}]
    resources = _resources(context, step)
    if resources:
        container["resources"] = resources
    container |= {
        "volumeMounts": [mount for _, mount in volumes],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(read_only=True),
    }
    security = pod_security(runtime_image=runtime_image, store=bool(settings.store.claim))
    return Contents(container, tuple(volume for volume, _ in volumes), security, configs)


def unit_variable(context: RunContext, unit: UnitSpec) -> tuple[str, tuple[Object, ...]]:
    """The value of `HEADWATER_UNIT`, and the ConfigMap that holds the unit where it is large."""
    text, fits = unit_text(unit)
    if fits:
        return escaped(text), ()
    return f"@{UNIT_PATH}/{UNIT_KEY}", (unit_config_map(context, unit, text),)


def unit_of(context: RunContext, settings: BuildSettings, step: Step) -> UnitSpec:
    """What the pod of a step is told."""
    shared: dict[str, Any] = {
        "run": context.uid, "name": context.name, "path": step.path, "attempt": step.attempt,
        "document": unit_document(context, step), "block": step.block, "node": step.node,
        "inputs": {name: with_paths(value) for name, value in step.inputs.items()},
        "over": {name: with_paths(value) for name, value in step.over.items()},
        "store": settings.store.url, "overwrite_cache": context.overwrite_cache,
    }  # fmt: skip
    if isinstance(step, MapStep):
        return UnitSpec(does="items", items=step.items, per_pod=step.per_pod, **shared)
    if step.does == "container":
        raise ValueError(f"{step.path} is a container, not Python")
    if not step.node:
        shared["block"] = step.target or step.block
    value = with_paths(step.value) if step.value is not None else None
    return UnitSpec(does=step.does, stage=step.stage, value=value, **shared)


def image_of(context: RunContext, settings: BuildSettings, step: Step) -> str:
    """The image of a pod that runs Python: the node's, the code's, or the operator's.

    A question about a container node needs Python too, so it does not run in the container's image.
    """
    own = "" if "container" in body_of(node_of(context, step)) else pod_policy(context, step).get("image")
    return str(own or (context.spec.get("code") or {}).get("image") or settings.image)


def _resources(context: RunContext, step: Step) -> dict[str, Any]:
    """A measurement, or a question about a node, does not need what the node itself needs."""
    beside = not isinstance(step, MapStep) and step.does in ("decide", "measure")
    if beside and "condition" not in node_of(context, step):
        return {}
    return dict(pod_policy(context, step).get("resources") or {})


def mounted_volumes(
    context: RunContext, settings: BuildSettings, step: Step, configs: tuple[Object, ...]
) -> list[tuple[Object, Object]]:
    """Volumes with their mounts."""
    found: list[tuple[Object, Object]] = [
        ({"name": "tmp", "emptyDir": {}}, {"name": "tmp", "mountPath": "/tmp"})
    ]
    if settings.store.claim:
        claim = {"name": "store", "persistentVolumeClaim": {"claimName": settings.store.claim}}
        found.append((claim, {"name": "store", "mountPath": CLAIM_PATH}))
    code = (context.spec.get("code") or {}).get("configMap")
    if code:
        found.append(_mounted("code", {"configMap": {"name": code}}, CODE_PATH))
    values = dict(step.inputs) | dict(step.over)
    if not isinstance(step, MapStep) and step.value is not None:
        values["value"] = step.value
    keys = config_keys(values)
    if keys:
        found.append(_mounted("values", values_volume(keys), VALUES_PATH))
    for config in configs:
        found.append(_mounted("unit", {"configMap": {"name": config["metadata"]["name"]}}, UNIT_PATH))
    return found


def _mounted(name: str, volume: Object, path: str) -> tuple[Object, Object]:
    return {"name": name, **volume}, {"name": name, "mountPath": path, "readOnly": True}
