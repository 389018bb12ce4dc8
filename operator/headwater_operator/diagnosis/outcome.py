"""How a pod ended: the phase decides, the rest explains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from headwater.document.unit import UnitReport, read_report
from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass

from headwater_operator.diagnosis.deaths import death, out_of_memory
from headwater_operator.diagnosis.disruptions import deleted_by_hand, disruption
from headwater_operator.diagnosis.reading import (
    Json,
    deletion_asked_at,
    main_status,
    one_line,
    runs_python,
    seconds,
    started_at,
    status_of,
    statuses,
    terminated,
)
from headwater_operator.diagnosis.verdicts import Outcome


def outcome(pod: Mapping[str, Any], *, deleted: bool = False) -> Outcome | None:
    """How a pod ended, None while it has not. `deleted`: it is gone, and this is how it was last seen.

    A reason such as OOMKilled does not decide: it can stand beside exit code 0, where a child process was
    killed and the program went on.

    >>> ended = {"name": "main", "state": {"terminated": {"exitCode": 0, "reason": "OOMKilled", "message": "{}"}}}
    >>> pod = {"spec": {"containers": [{"name": "main"}]},
    ...        "status": {"phase": "Succeeded", "containerStatuses": [ended]}}
    >>> outcome(pod).succeeded, outcome(pod).message
    (True, '{}')
    """
    phase = status_of(pod).get("phase")
    ended = terminated(pod)
    lingers = phase == "Running" and ended is not None and _others_run(pod)
    if phase == "Succeeded" or (lingers and _exit_code(ended) == 0):
        return _succeeded(pod, ended or {}, lingers)
    if phase == "Failed" or lingers:
        return _failed(pod, ended, lingers)
    if not deleted:
        return None
    if ended is not None and _exit_code(ended) == 0:
        return _succeeded(pod, ended, False)
    return _with_times(pod, ended, disruption(pod) or deleted_by_hand(pod))


def _others_run(pod: Json) -> bool:
    """Whether containers beside the main one keep the pod alive; not while the pod is being taken away."""
    if (pod.get("metadata") or {}).get("deletionTimestamp") or disruption(pod) is not None:
        return False
    main = main_status(pod).get("name")
    return any(
        each.get("name") != main and "running" in (each.get("state") or {})
        for each in status_of(pod).get("containerStatuses") or ()
    )


def _exit_code(ended: Json | None) -> int | None:
    code = (ended or {}).get("exitCode")
    return int(code) if code is not None else None


# ---------------------------------------------------------------- exit code 0


def _succeeded(pod: Json, ended: Json, lingers: bool) -> Outcome:
    message = ended.get("message") or ""
    if runs_python(pod) and report_in(message) is None:
        failure = _without_report(message)
        return _with_times(pod, ended, failure, lingers=lingers)
    found = _with_times(pod, ended, None, lingers=lingers)
    return replace(found, succeeded=True, message=message)


def _without_report(message: str) -> Failure:
    """The runtime always writes one: none at all was lost on the way, something else is not from a runtime."""
    if not message.strip():
        return Failure("NoReport", "the pod ended well, but its report was lost", ErrorClass.INFRASTRUCTURE)
    return Failure(
        "NoReport",
        "the pod wrote something else than a report: is the headwater of the image of another version than "
        f"the operator? It begins: {one_line(message, 80)}",
        traceback=message,
    )


def report_in(message: str) -> UnitReport | None:
    """The report in a termination message, None where there is none.

    >>> report_in('{"v":1,"length":3}').length, report_in("Segmentation fault")
    (3, None)
    """
    try:
        return read_report(message)
    except ValueError:
        return None


# ---------------------------------------------------------------- any other end


def _failed(pod: Json, ended: Json | None, lingers: bool) -> Outcome:
    message = (ended or {}).get("message") or ""
    report = report_in(message) if runs_python(pod) else None
    disrupted = disruption(pod)
    if disrupted is None and _was_deleted(pod, ended):
        disrupted = deleted_by_hand(pod)
    if disrupted is not None:
        failure = disrupted
    elif ended is None or (_exit_code(ended) == 0):
        failure = _of_others(pod)
    elif report is not None:
        # One that is not final was left behind by a unit that was killed: it is not the container's last words.
        failure = _reported(pod, ended, report) if report.final else death(pod, {**ended, "message": ""})
    else:
        failure = death(pod, ended)
    found = _with_times(pod, ended, failure, lingers=lingers)
    return replace(found, message=message if report is not None else "")


def _was_deleted(pod: Json, ended: Json | None) -> bool:
    """Whether the container ended because somebody asked for the pod to be deleted, not before that."""
    asked = deletion_asked_at(pod)
    finished = seconds((ended or {}).get("finishedAt"))
    return asked is not None and (finished is None or finished >= asked)


def _of_others(pod: Json) -> Failure:
    """The main container is not what failed: another one of the pod did, or nothing ever ran."""
    for status in statuses(pod):
        state = (status.get("state") or {}).get("terminated")
        if state and _exit_code(state) != 0:
            found = death(pod, state)
            return replace(found, message=f"container {status.get('name')!r}: {found.message}")
    said = status_of(pod).get("message") or status_of(pod).get("reason") or "no container of it ran"
    return Failure("PodFailed", f"the pod failed: {said}", ErrorClass.INFRASTRUCTURE)


def _reported(pod: Json, ended: Json, report: UnitReport) -> Failure:
    """The failure as the runtime tells it; a process of it that was killed for memory makes it Oom."""
    failure = failure_of(report.failure) if report.failure is not None else _of_items(report)
    if ended.get("reason") != "OOMKilled":
        return failure
    message = f"{out_of_memory(pod)} ({failure.type}: {failure.message})"
    return replace(failure, type="OOMKilled", message=message, error_class=ErrorClass.OOM)


def failure_of(written: Mapping[str, Any]) -> Failure:
    """A failure of a report as the engine knows it.

    >>> failure_of({"type": "ValueError", "message": "no", "class": "Error", "node": "a/b"}).node
    'a/b'
    """
    try:
        error_class = ErrorClass(written.get("class") or "Error")
    except ValueError:
        error_class = ErrorClass.ERROR
    return Failure(
        str(written.get("type") or "Error"),
        str(written.get("message") or ""),
        error_class,
        str(written.get("node") or ""),
        str(written.get("traceback") or ""),
    )


def _of_items(report: UnitReport) -> Failure:
    if report.exit_code is not None:
        return Failure("Exit", f"the task ended the run with exit code {report.exit_code}")
    if report.failed:
        index = min(report.failed)
        first = failure_of(report.failed[index])
        return replace(first, message=f"item {index}: {first.message}")
    return Failure("ItemsFailed", f"items {report.failed_items or '?'} failed")


def _with_times(pod: Json, ended: Json | None, failure: Failure | None, *, lingers: bool = False) -> Outcome:
    started, finished = started_at(pod), seconds((ended or {}).get("finishedAt"))
    if started is not None and finished is not None:
        finished = max(started, finished)  # a kubelet has been seen to say otherwise
    return Outcome(False, "", failure, _exit_code(ended), started, finished, lingers)
