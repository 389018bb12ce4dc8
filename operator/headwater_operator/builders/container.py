"""Pods of container nodes: any image; inputs as environment, one JSON object back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater_operator.builders.artifacts import artifact_mounts, reads_store
from headwater_operator.builders.documents import Step, body_of, node_of, pod_policy
from headwater_operator.builders.inputs import CLAIM_PATH, BuildSettings, MapStep, RunContext
from headwater_operator.builders.pods import MAIN, Contents, Object
from headwater_operator.builders.security import container_security, pod_security
from headwater_operator.builders.values import input_variables

RESULT = "HEADWATER_RESULT"
RESULT_PATH = "/dev/termination-log"

_PASSED_ON = ("command", "args", "workingDir", "envFrom")


def container_contents(
    context: RunContext, settings: BuildSettings, step: Step, item_files: tuple[Object, list[Object]] | None
) -> Contents:
    """The container and volumes of a container node; in a map `item_files` are its volume and mounts."""
    node = node_of(context, step)
    written = body_of(node)["container"]
    policy = pod_policy(context, step)
    artifacts = artifact_mounts(context, settings, step)
    volumes, mounts = _store(settings, step, artifacts)
    if item_files is not None:
        volumes.append(item_files[0])
        mounts += item_files[1]
    container: Object = {"name": MAIN, "image": node.get("image") or written["image"]}
    if written.get("imagePullPolicy"):
        container["imagePullPolicy"] = written["imagePullPolicy"]
    container |= {key: written[key] for key in _PASSED_ON if written.get(key)}
    container["env"] = _environment(step, written)
    resources = node.get("resources") or written.get("resources") or policy.get("resources")
    if resources:
        container["resources"] = dict(resources)
    mounts += written.get("volumeMounts") or []
    if mounts:
        container["volumeMounts"] = mounts
    container["terminationMessagePolicy"] = "FallbackToLogsOnError"
    container["securityContext"] = _security(written.get("securityContext") or {})
    security = pod_security(runtime_image=False, store=bool(artifacts))
    return Contents(container, tuple(volumes), security)


def _environment(step: Step, written: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`INPUT_*` first, so that what the user writes can refer to them; the user's own of a name wins."""
    own = [dict(variable) for variable in written.get("env") or ()]
    taken = {variable.get("name") for variable in own}
    ours: list[dict[str, Any]] = [*input_variables(step.inputs), {"name": RESULT, "value": RESULT_PATH}]
    return [variable for variable in ours if variable["name"] not in taken] + own


def _security(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the node says, over our defaults."""
    default = container_security(read_only=False)
    found = {**default, **given}
    if "capabilities" in given:
        found["capabilities"] = {**default["capabilities"], **(given["capabilities"] or {})}
    return found


def _store(settings: BuildSettings, step: Step, artifacts: list[Object]) -> tuple[list[Object], list[Object]]:
    """The claim, only where the container writes artifacts or reads a file that another node has left."""
    mounts = list(artifacts)
    if settings.store.claim and reads_store(dict(step.inputs) | (_over(step))):
        mounts.append({"name": "store", "mountPath": CLAIM_PATH, "readOnly": True})
    if not mounts:
        return [], []
    claim = {"claimName": settings.store.claim}
    return [{"name": "store", "persistentVolumeClaim": claim}], mounts


def _over(step: Step) -> dict[str, Any]:
    return dict(step.over) if isinstance(step, MapStep) else {}
