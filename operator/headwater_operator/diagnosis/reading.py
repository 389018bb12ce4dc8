"""Reading a Pod's JSON: the container that matters, its state, the pod's conditions and times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from headwater.document.unit import ENVIRONMENT

Json = Mapping[str, Any]
MAIN = "main"


def status_of(pod: Json) -> Json:
    """The pod's status, empty where there is none yet."""
    found: Json = pod.get("status") or {}
    return found


def main_container(pod: Json) -> Json:
    """The container that does the work: the one named "main", else the first."""
    containers: Sequence[Json] = (pod.get("spec") or {}).get("containers") or ({},)
    return next((each for each in containers if each.get("name") == MAIN), containers[0])


def main_status(pod: Json) -> Json:
    """The status of that container."""
    name = main_container(pod).get("name")
    statuses: Sequence[Json] = status_of(pod).get("containerStatuses") or ()
    return next((each for each in statuses if each.get("name") == name), {})


def terminated(pod: Json) -> Json | None:
    """The main container's end, None while it has none."""
    found: Json | None = (main_status(pod).get("state") or {}).get("terminated")
    return found


def statuses(pod: Json) -> Iterator[Json]:
    """The statuses of all containers, in the order in which they start."""
    for kind in ("initContainerStatuses", "containerStatuses"):
        yield from status_of(pod).get(kind) or ()


def condition(pod: Json, kind: str, value: str = "True") -> Json | None:
    """A condition of the pod (or Job) with this value."""
    for found in status_of(pod).get("conditions") or ():
        if found.get("type") == kind and found.get("status") == value:
            result: Json = found
            return result
    return None


def runs_python(pod: Json) -> bool:
    """Whether the pod was told a unit, so that its termination message should be a report."""
    return any(variable.get("name") == ENVIRONMENT for variable in main_container(pod).get("env") or ())


def memory_limit(pod: Json) -> str:
    """The memory limit of the main container, as it is written; "" where there is none."""
    limits = (main_container(pod).get("resources") or {}).get("limits") or {}
    return str(limits.get("memory", ""))


def seconds(timestamp: object) -> float | None:
    """A timestamp of Kubernetes as seconds since the epoch; None where there is none.

    A container that could not be started has the epoch itself, which is none either.

    >>> seconds("2026-01-02T03:04:05Z"), seconds(None), seconds("1970-01-01T00:00:00Z")
    (1767323045.0, None, None)
    """
    if not isinstance(timestamp, str) or not timestamp:
        return None
    return datetime.fromisoformat(timestamp).timestamp() or None


def started_at(pod: Json) -> float | None:
    """When the main container began to run, None before that.

    >>> pod = {"status": {"containerStatuses": [
    ...     {"name": "main", "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}}]},
    ...     "spec": {"containers": [{"name": "main"}]}}
    >>> started_at(pod)
    1767323045.0
    """
    state = main_status(pod).get("state") or {}
    return seconds((state.get("running") or state.get("terminated") or {}).get("startedAt"))


def deletion_asked_at(pod: Json) -> float | None:
    """When somebody asked for the pod to be deleted: its `deletionTimestamp` is the end of its grace."""
    metadata = pod.get("metadata") or {}
    end = seconds(metadata.get("deletionTimestamp"))
    return None if end is None else end - float(metadata.get("deletionGracePeriodSeconds") or 0)


def one_line(text: str, limit: int = 500) -> str:
    """Text without line breaks, cut where it is long.

    >>> one_line("  a\\n b ")
    'a b'
    """
    joined = " ".join(text.split())
    return joined if len(joined) <= limit else f"{joined[: limit - 1]}…"
