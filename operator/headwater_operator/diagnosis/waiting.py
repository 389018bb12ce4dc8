"""Why a pod that exists does not run yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headwater_operator.diagnosis.images import image_trouble
from headwater_operator.diagnosis.reading import Json, condition, one_line, seconds, status_of, statuses
from headwater_operator.diagnosis.scheduling import unschedulable
from headwater_operator.diagnosis.verdicts import Waiting

_MISSING = re.compile(r'(configmap|secret|persistentvolumeclaim) "([^"]+)" not found', re.IGNORECASE)
_NO_KEY = re.compile(
    r"couldn't find key ([^ ]+) in (ConfigMap|Secret) ([^ ]+)|references non-existent \w+ key: (.+)"
)
_KINDS = {"configmap": "ConfigMap", "secret": "Secret", "persistentvolumeclaim": "PersistentVolumeClaim"}
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
    missing = _missing(message)
    if missing is not None:
        return missing
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


def _missing(message: str) -> Waiting | None:
    """A ConfigMap, Secret or claim, or a key in one, that is not there (yet)."""
    found = _MISSING.search(message)
    if found is not None:
        kind = _KINDS[found[1].lower()]
        return Waiting(f"{kind} {found[2]!r} is missing: create it, or correct the name", f"Missing{kind}")
    key = _NO_KEY.search(message)
    if key is None:
        return None
    if key[4]:
        return Waiting(f"a ConfigMap or Secret lacks the key {key[4]!r}: add it", "MissingKey")
    return Waiting(f"{key[2]} {key[3]!r} has no key {key[1]!r}: add it, or correct the name", "MissingKey")


# ---------------------------------------------------------------- what only events tell


def _of_events(events: Sequence[Json]) -> Waiting | None:
    for event in newest_first(events):
        reason, message = event.get("reason") or "", event.get("message") or ""
        if event.get("type") == "Normal":
            if reason in ("Started", "Created", "Pulled", "SuccessfulMountVolume"):
                return None
            continue
        if reason in _MOUNTS:
            return _missing(message) or _volume(message)
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
