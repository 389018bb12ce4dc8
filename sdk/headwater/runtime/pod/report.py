"""The report of a unit: made to fit whatever it holds, and written where Kubernetes reads it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from headwater.document.unit import TaskRecord, UnitReport, write_report
from headwater.runtime.pod.texts import cut

PLACE = "/dev/termination-log"
PLACE_VARIABLE = "HEADWATER_TERMINATION_LOG"
PATIENCE_VARIABLE = "HEADWATER_REPORT_SECONDS"
PAUSE_SECONDS = 0.5


def write(report: UnitReport) -> None:
    """Write the termination message, in place: the file is a mount and cannot be replaced.

    Where the environment grants patience (the file is on a disk that others fill), it is tried for so many seconds;
    what is left of it after that is empty.
    """
    text = fitted(report)
    place = os.environ.get(PLACE_VARIABLE, PLACE)
    end = time.monotonic() + float(os.environ.get(PATIENCE_VARIABLE, "0"))
    while (error := _tried(place, text)) is not None and time.monotonic() < end:
        time.sleep(PAUSE_SECONDS)
    if error is not None:
        _tried(place, "")
        print(f"headwater: the report cannot be written to {place}: {error}\n{text}", file=sys.stderr)


def _tried(place: str, text: str) -> OSError | None:
    try:
        with open(place, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return error
    return None


def fits(report: UnitReport) -> bool:
    """Whether a report has room in a termination message.

    >>> fits(UnitReport(answer=True)), fits(UnitReport(outputs={"x": {"json": [*range(5000)]}}))
    (True, False)
    """
    try:
        write_report(report)
    except ValueError:
        return False
    return True


def fitted(report: UnitReport) -> str:
    """The text of a report. What does not fit is left out: first details of tasks and failures, then the rest.

    >>> text = fitted(UnitReport(failure={"type": "ValueError", "message": "long " * 5000, "class": "Error"}))
    >>> len(text) <= 4096
    True
    """
    for smaller in _smaller(report):
        try:
            return write_report(smaller)
        except ValueError:
            continue
    return write_report(UnitReport(failure=_too_large(), at=report.at))


def _smaller(report: UnitReport) -> Iterator[UnitReport]:
    """The report, and what is left of it after leaving out more and more."""
    yield report
    if report.results is not None:
        report = replace(report, results=None)
        yield report
    for shorten in _SHORTER:
        report = replace(
            report,
            failure=None if report.failure is None else shorten(report.failure),
            failed={index: shorten(failure) for index, failure in report.failed.items()},
            tasks=tuple(replace(task, error=task.error[:200]) for task in report.tasks),
        )
        yield report
        if report.failed:
            listed = [*report.failed.items()]
            yield _with_most(report, "failed", partial(_first_of, listed))
    if report.tasks:
        ordered = sorted(report.tasks, key=lambda task: task.phase != "Failed")
        report = _with_most(report, "tasks", lambda left: _in_order(report.tasks, ordered[:left]))
        yield report
    if report.items is not None:
        # The operator takes what is in neither set for unrun.
        yield _with_most(
            report, "items", lambda left: ",".join((report.items or "").split(",")[:left]), failed_items=""
        )


def _first_of(listed: list[tuple[int, Any]], left: int) -> dict[int, Any]:
    return dict(listed[:left])


def _in_order(tasks: tuple[TaskRecord, ...], kept: list[TaskRecord]) -> tuple[TaskRecord, ...]:
    paths = {task.path for task in kept}
    return tuple(task for task in tasks if task.path in paths)


def _with_most(report: UnitReport, name: str, first: Callable[[int], Any], **changes: Any) -> UnitReport:
    """The report with as many of one of its parts as fit, and at least one where that is possible."""
    low, high = 0, 4096
    report = replace(report, **changes)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(replace(report, **{name: first(middle)})) else (low, middle)
    return replace(report, **{name: first(low)})


def _without(key: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    return lambda failure: {name: value for name, value in failure.items() if name != key}


def _shortened(key: str, most: int, *, end: bool = False) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    def shorten(failure: Mapping[str, Any]) -> Mapping[str, Any]:
        text = failure.get(key)
        if not isinstance(text, str) or len(text) <= most:
            return failure
        return {**failure, key: cut(text, most, end=end)}

    return shorten


_SHORTER = (
    _without("pickle"),
    _shortened("traceback", 3000, end=True),
    _shortened("message", 3000),
    _shortened("traceback", 1000, end=True),
    _without("traceback"),
    _shortened("message", 800),
    _shortened("message", 200),
    _shortened("type", 100),
    _shortened("node", 300, end=True),
)


def _too_large() -> dict[str, str]:
    return {
        "type": "ReportError",
        "message": "what the unit has to say does not fit into a termination message",
        "class": "Error",
    }
