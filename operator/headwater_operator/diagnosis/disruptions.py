"""Pods that ended through no fault of their own: preempted, evicted, deleted, their node lost."""

from __future__ import annotations

from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass

from headwater_operator.diagnosis.reading import Json, condition, main_container, one_line, status_of

_TARGETS = {
    "PreemptionByScheduler": ("Preempted", "made room for a pod of higher priority", ErrorClass.PREEMPTED),
    "EvictionByEvictionAPI": ("Evicted", "was evicted, as when a node is drained", ErrorClass.PREEMPTED),
    "TerminationByKubelet": ("Evicted", "was ended by its node", ErrorClass.PREEMPTED),
    "DeletionByTaintManager": (
        "NodeLost", "was deleted because its node got a taint, as when it is lost", ErrorClass.INFRASTRUCTURE,
    ),
    "DeletionByPodGC": ("NodeLost", "was deleted because its node is gone", ErrorClass.INFRASTRUCTURE),
}  # fmt: skip

_REASONS = {
    "NodeLost": ("NodeLost", ErrorClass.INFRASTRUCTURE),
    "Preempting": ("Preempted", ErrorClass.PREEMPTED),
    "Terminated": ("NodeShutdown", ErrorClass.PREEMPTED),
    "NodeShutdown": ("NodeShutdown", ErrorClass.PREEMPTED),
    "Shutdown": ("NodeShutdown", ErrorClass.PREEMPTED),
}
_REJECTED = (
    "OutOf", "NodeAffinity", "UnexpectedAdmissionError", "Topology", "InsufficientResource", "NodePorts",
)  # fmt: skip
"""A kubelet refused the pod that the scheduler had sent: the two saw different things."""


def disruption(pod: Json) -> Failure | None:
    """What ended a pod from outside; None where nothing did.

    >>> pod = {"status": {"phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected: no room"}}
    >>> disruption(pod).error_class.value
    'Infrastructure'
    """
    status = status_of(pod)
    reason, message = status.get("reason") or "", one_line(status.get("message") or "")
    target = condition(pod, "DisruptionTarget")
    if reason == "DeadlineExceeded":
        return _timeout(pod)
    if reason == "Evicted" and target is None:
        return _own_storage(message)
    if target is not None:
        kind, what, error_class = _TARGETS.get(
            target.get("reason") or "", ("Disrupted", "was disrupted", ErrorClass.INFRASTRUCTURE)
        )
        said = message or one_line(target.get("message") or "")
        return Failure(kind, f"the pod {what}: {said}" if said else f"the pod {what}", error_class)
    if reason in _REASONS:
        kind, error_class = _REASONS[reason]
        return Failure(kind, message or reason, error_class)
    if reason.startswith(_REJECTED):
        return Failure(
            "Rejected", f"the node refused the pod: {message or reason}", ErrorClass.INFRASTRUCTURE
        )
    return None


def _timeout(pod: Json) -> Failure:
    limit = (pod.get("spec") or {}).get("activeDeadlineSeconds")
    shown = f" of {limit} s" if limit else ""
    return Failure("Timeout", f"the pod ran longer than its activeDeadlineSeconds{shown}", ErrorClass.TIMEOUT)


def _own_storage(message: str) -> Failure:
    """Evicted, but for what the pod itself did: it wrote more than it may."""
    if "node was low on resource" in message:
        return Failure("Evicted", f"the pod was evicted: {message}", ErrorClass.PREEMPTED)
    return Failure(
        "Evicted",
        f"the pod was evicted: {message.rstrip('.')}. Write less, or raise ephemeral-storage or the volume's size",
    )


def deleted_by_hand(pod: Json) -> Failure:
    """The failure of a pod that somebody deleted before it had ended."""
    name = (pod.get("metadata") or {}).get("name") or main_container(pod).get("name") or ""
    return Failure("Deleted", f"pod {name!r} was deleted while it ran", ErrorClass.INFRASTRUCTURE)
