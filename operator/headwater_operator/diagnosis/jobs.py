"""What keeps a map's Job from making its pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass

from headwater_operator.diagnosis.reading import condition, one_line, seconds, status_of
from headwater_operator.diagnosis.refused import create_refused
from headwater_operator.diagnosis.verdicts import Waiting
from headwater_operator.diagnosis.waiting import newest_first

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_OF_ITEMS = ("FailedIndexes", "MaxFailedIndexesExceeded", "BackoffLimitExceeded", "PodFailurePolicy")
"""Ends that its pods explain better."""


def job_trouble(job: Mapping[str, Any], events: Sequence[Mapping[str, Any]] = ()) -> Waiting | Failure | None:
    """Why a Job makes no pods, or that it ended for a reason that no pod tells; None where all is well.

    `events` are core Events about the Job: a pod that could not be created leaves nothing else behind.

    >>> job_trouble({"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "gpu"}}, "spec": {"suspend": True}}).text
    "waits in queue 'gpu' until its quota has room"
    """
    failed = condition(job, "Failed")
    if failed is not None:
        return _ended(failed)
    if condition(job, "Complete") is not None:
        return None
    if (job.get("spec") or {}).get("suspend"):
        queue = ((job.get("metadata") or {}).get("labels") or {}).get(QUEUE_LABEL)
        if queue:
            return Waiting(f"waits in queue {queue!r} until its quota has room", "Queue")
        return Waiting("its Job is suspended: set spec.suspend of the Job to false", "Suspended")
    return _not_creating(job, events)


def _ended(failed: Mapping[str, Any]) -> Failure | None:
    reason, message = failed.get("reason") or "", one_line(failed.get("message") or "")
    if reason in _OF_ITEMS:
        return None
    if reason == "DeadlineExceeded":
        return Failure("Timeout", message or "the Job ran longer than its deadline", ErrorClass.TIMEOUT)
    return Failure(reason or "JobFailed", f"the Job failed: {message or reason}", ErrorClass.INFRASTRUCTURE)


def _not_creating(job: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Waiting | Failure | None:
    """The last refusal, where the Job has fewer pods than it wants and none was created since."""
    if _has_all(job):
        return None
    for event in newest_first(events):
        if event.get("reason") == "SuccessfulCreate":
            return None
        if event.get("reason") == "FailedCreate":
            found = create_refused(403, {"message": event.get("message") or ""})
            return _patient(found, job)
    return None


def _has_all(job: Mapping[str, Any]) -> bool:
    spec, status = job.get("spec") or {}, status_of(job)
    ended = int(status.get("succeeded") or 0) + int(status.get("failed") or 0)
    wanted = min(int(spec.get("parallelism") or 1), int(spec.get("completions") or 1) - ended)
    return int(status.get("active") or 0) >= wanted


def _patient(found: Waiting | Failure, job: Mapping[str, Any]) -> Waiting | Failure:
    """A refusal that ends a pod ends a Job only where it never had one: an admission rule may have changed."""
    status = status_of(job)
    had_pods = any(status.get(kind) for kind in ("active", "succeeded", "failed", "terminating"))
    began = seconds(status.get("startTime")) is not None
    if isinstance(found, Failure) and had_pods and began:
        return Waiting(found.message, found.type)
    return found
