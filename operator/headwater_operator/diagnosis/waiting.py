"""Why a pod that exists does not run yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headwater_operator.diagnosis.images import image_trouble
from headwater_operator.diagnosis.missing import missing
from headwater_operator.diagnosis.reading import Json, condition, one_line, seconds, status_of, statuses
from headwater_operator.diagnosis.scheduling import unschedulable
from headwater_operator.diagnosis.verdicts import Waiting

_MOUNTS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")


def waiting(
    pod: Mapping[str, Any],
    events: Sequence[Mapping[str, Any]] = (),
    nodes: Sequence[Mapping[str, Any]] = (),
) -> Waiting | None:
    """Why a pod waits, in one line with what to do; None where it runs, has ended or is simply starting.

    `events` are core Events about the pod, `nodes` the cluster's nodes, both where they are at hand.

    >>> pod = {"status": {"phase": "Pending", "containerStatuses": [{"image": "a:b c", "state": {"waiting": {
    ...     "reason": "InvalidImageName", "message": 'Failed to apply default image tag "a:b c": invalid'}}}]}}
    >>> waiting(pod).hopeless
    True
    """
    status = status_of(pod)
    if status.get("phase") not in (None, "Pending") or (pod.get("metadata") or {}).get("deletionTimestamp"):
        return None
    if not (pod.get("spec") or {}).get("nodeName"):
        unplaced = _not_placed(pod, nodes)
        if unplaced is not None:
            return unplaced
    for container in statuses(pod):
        found = _of_container(container, events)
        if found is not None:
            return found
    return _of_events(events)


def _not_placed(pod: Json, nodes: Sequence[Json]) -> Waiting | None:
    held = condition(pod, "PodScheduled", "False")
    if held is None:
        return None
    nominated = status_of(pod).get("nominatedNodeName")
    if nominated:
        return Waiting(f"waits for pods of lower priority to leave node {nominated}", "Preempting")
    if held.get("reason") == "SchedulingGated":
        gates = ", ".join(gate.get("name", "") for gate in pod["spec"].get("schedulingGates") or ())
        queue = ((pod.get("metadata") or {}).get("labels") or {}).get("kueue.x-k8s.io/queue-name")
        if queue and "kueue" in gates:
            return Waiting(f"waits in queue {queue!r} until its quota has room", "Queue")
        return Waiting(f"is held back by scheduling gates: {gates}", "SchedulingGated")
    if held.get("reason") in ("Unschedulable", "SchedulerError"):
        return unschedulable(pod, held.get("message") or "", nodes)
    return None


def _of_container(container: Json, events: Sequence[Json]) -> Waiting | None:
    state = (container.get("state") or {}).get("waiting")
    if not state:
        return None
    reason, message = state.get("reason") or "", state.get("message") or ""
    image = image_trouble(reason, message, container.get("image") or "", events)
    if image is not None:
        return image
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        return _configuration(reason, message)
    if reason == "CrashLoopBackOff":
        return Waiting(f"container {container.get('name')!r} keeps ending: {one_line(message)}", reason)
    return None


def _configuration(reason: str, message: str) -> Waiting:
    absent = missing(message)
    if absent is not None:
        return absent
    if "non-numeric user" in message:
        return Waiting(
            "the image names its user, and the pod may not be root, which only a number can show: give "
            "securityContext.runAsUser",
            "RunsAsRoot",
            hopeless=True,
        )
    if "runAsNonRoot" in message or "non-root" in message:
        return Waiting(
            "the image runs as root, and the pod may not: give it a user (USER in the image, or "
            "securityContext.runAsUser)",
            "RunsAsRoot",
            hopeless=True,
        )
    if "no command specified" in message:
        return Waiting("the image has no command: write `command`", "NoCommand", hopeless=True)
    return Waiting(f"the container cannot be created: {one_line(message)}", reason)


# ---------------------------------------------------------------- what only events tell


def _of_events(events: Sequence[Json]) -> Waiting | None:
    for event in newest_first(events):
        reason, message = event.get("reason") or "", event.get("message") or ""
        if event.get("type") == "Normal":
            if reason in ("Started", "Created", "Pulled", "SuccessfulMountVolume"):
                return None
            continue
        if reason in _MOUNTS:
            return missing(message) or _volume(message)
        if reason == "FailedCreatePodSandBox":
            return Waiting(f"the node cannot make the pod's sandbox: {one_line(message)}", "Sandbox")
    return None


def _volume(message: str) -> Waiting:
    if "Multi-Attach" in message:
        return Waiting(
            "the volume is in use on another node: use a claim with ReadWriteMany, or keep the pods on one node",
            "Volume",
        )
    name = re.search(r'for volume "([^"]+)"', message)
    which = f"volume {name[1]!r}" if name else "a volume"
    return Waiting(f"{which} cannot be mounted: {one_line(message.partition(' : ')[2] or message)}", "Volume")


def newest_first(events: Sequence[Json]) -> Iterator[Json]:
    """Events, the one that was seen last first."""
    yield from sorted(events, key=_seen, reverse=True)


def _seen(event: Json) -> float:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((found for found in map(seconds, times) if found is not None), 0.0)
