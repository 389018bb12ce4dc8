"""What all pods have in common: the policy of their node, the pod template, the secure defaults around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headwater.document.pod_merge import strategic_merge
from headwater.errors import DocumentError

from headwater_operator.builders.documents import Step, oom_factor, pod_policy, pod_templates
from headwater_operator.builders.inputs import BuildSettings, MapStep, RunContext
from headwater_operator.builders.names import ATTEMPT, CHUNK, LIMIT, PATH, STAGE, ChildKind, child_labels
from headwater_operator.builders.quantities import with_more_memory
from headwater_operator.builders.security import confine, refuse_host, settle_privileges

MAIN = "main"
"""The container that does the work; others in the pod are the user's."""

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

_PASSED_ON = ("nodeSelector", "tolerations", "affinity", "priorityClassName", "imagePullSecrets")

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contents:
    """What makes one pod differ from others: its main container, its volumes, and ConfigMaps made before it."""

    container: Object
    volumes: tuple[Object, ...] = ()
    security: Mapping[str, Any] = field(default_factory=dict)
    configs: tuple[Object, ...] = ()


def pod_template(
    context: RunContext, settings: BuildSettings, step: Step, contents: Contents, kind: ChildKind
) -> Object:
    """The pod of a step as a template: `metadata` (labels, annotations) and `spec`.

    Raises:
        DocumentError: the pod template has a wrong shape, or asks for what the operator does not allow.
    """
    policy = pod_policy(context, step)
    if kind == "bridge":
        return _bridge_template(context, settings, step, contents, policy)
    template: Object = {
        "metadata": {"labels": policy.get("labels") or {}, "annotations": policy.get("annotations") or {}},
        "spec": _spec(settings, policy, contents, context.spec.get("serviceAccountName")),
    }
    for patch in pod_templates(context, step):
        template = strategic_merge(template, patch)
    spec = template["spec"]
    confine(spec)
    if not context.spec.get("serviceAccountName"):
        spec["automountServiceAccountToken"] = False  # also where a template has taken ours away
    main = _checked_main(spec, step, settings)
    main_resources = main.get("resources")
    if main_resources:
        main["resources"] = with_more_memory(main_resources, oom_factor(context, step), step.oom_retries)
    labels, annotations = (
        template["metadata"].get("labels") or {},
        template["metadata"].get("annotations") or {},
    )
    if len(spec["containers"]) > 1:
        annotations.setdefault(DEFAULT_CONTAINER, MAIN)
    return {
        "metadata": {
            "labels": {**labels, **child_labels(context, kind)},
            "annotations": {**annotations, **step_annotations(step)},
        },
        "spec": spec,
    }


def _bridge_template(
    context: RunContext, settings: BuildSettings, step: Step, contents: Contents, policy: Mapping[str, Any]
) -> Object:
    """The pod that speaks to Slurm: what shapes the node's own (its template, where it may run) is not its own."""
    kept = {key: policy[key] for key in ("priorityClassName", "imagePullSecrets") if key in policy}
    limit = {LIMIT: str(step.parallelism)} if isinstance(step, MapStep) and step.parallelism else {}
    return {
        "metadata": {
            "labels": {**(policy.get("labels") or {}), **child_labels(context, "bridge")},
            "annotations": {**(policy.get("annotations") or {}), **step_annotations(step), **limit},
        },
        "spec": _spec(settings, kept, contents, None),
    }


def _spec(
    settings: BuildSettings, policy: Mapping[str, Any], contents: Contents, account: str | None
) -> Object:
    spec: Object = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "enableServiceLinks": False,
        "automountServiceAccountToken": bool(account),
    }
    if account:
        spec["serviceAccountName"] = account
    spec["securityContext"] = dict(contents.security)
    spec |= {key: policy[key] for key in _PASSED_ON if policy.get(key)}
    spec["containers"] = [contents.container]
    if contents.volumes:
        spec["volumes"] = list(contents.volumes)
    return spec


def _checked_main(spec: Object, step: Step, settings: BuildSettings) -> Object:
    """The main container of a merged pod, after all that the pod may not be."""
    if spec.get("restartPolicy") != "Never":
        raise DocumentError(
            f"node {step.path!r}: podTemplate sets restartPolicy to {spec.get('restartPolicy')!r}",
            fix="Leave it out and write `retry` in the node: Headwater makes a new pod for each attempt.",
        )
    if not settings.allow_host:
        refuse_host(spec, step.path)
    main: Object | None = next((each for each in spec["containers"] if each.get("name") == MAIN), None)
    if main is None:
        raise DocumentError(
            f"node {step.path!r}: podTemplate takes the container {MAIN!r} away",
            fix="Leave it in: it does the node's work.",
        )
    for container in spec["containers"]:
        settle_privileges(container)
    return main


def step_annotations(step: Step) -> dict[str, str]:
    """What a pod says about the step that it is: its path, attempt, stage or chunk."""
    found = {PATH: step.path, ATTEMPT: str(step.attempt)}
    if isinstance(step, MapStep):
        return found | ({CHUNK: str(step.chunk)} if step.chunk else {})
    return found | ({STAGE: step.stage} if step.stage else {})


def queue_label(context: RunContext, step: Step) -> dict[str, str]:
    """The label by which Kueue takes the object into a LocalQueue."""
    queue = pod_policy(context, step).get("queue")
    return {QUEUE_LABEL: queue} if queue else {}
