"""The way through a pod: what it was told, the code, the work, the report."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO

from headwater.document.unit import ENVIRONMENT, UnitReport, UnitSpec, read_unit
from headwater.runtime.pod import report
from headwater.runtime.pod.deaths import AtWork
from headwater.runtime.pod.init import under_init
from headwater.runtime.pod.signals import Terminated, Termination
from headwater.runtime.pod.work import Work


def main(arguments: Sequence[str]) -> int:
    """Run what the environment says; the exit code of the process."""
    if list(arguments) == ["fetch"]:
        from headwater.runtime.pod.fetch import fetch

        return fetch()
    text = os.environ.get(ENVIRONMENT)
    if arguments or not text:
        print(
            f"usage: {ENVIRONMENT}=UNIT python -m headwater.runtime\n"
            "The operator starts this in the pods of a workflow; `flowctl run` runs one on this machine.",
            file=sys.stderr,
        )
        return 2
    return under_init(lambda at_work: _run(text, at_work))


def _run(text: str, at_work: AtWork | None) -> int:
    _unbuffered()
    began = time.time() if at_work is None else at_work.began
    gc.disable()  # what is loaded stays; to look for garbage in it costs a twentieth of the start
    with Termination(lambda ended: report.write(_terminated(ended, began))) as termination:
        try:
            spec = read_unit(text)
        except (OSError, ValueError, KeyError, TypeError) as error:
            found = UnitReport(failure=_unreadable(error))
        else:
            found = _reported(spec, termination, at_work)
        if termination.signum is not None:
            found = _terminated(termination, began)
        report.write(replace(found, at=(began, time.time())))
        if termination.signum is not None:
            return termination.exit_code
    return 1 if found.failure is not None or found.failed_items else 0


def _reported(spec: UnitSpec, termination: Termination, at_work: AtWork | None) -> UnitReport:
    from headwater.runtime.interrupts import TaskInterrupted

    work = Work(spec, termination, at_work)
    try:
        does = _does(spec)
        gc.freeze()
        gc.enable()
        return does(work)
    except (Terminated, TaskInterrupted):
        return UnitReport()
    except BaseException as error:  # the process's edge: whatever it is, the report says it
        from headwater.blocks.signals import ExitPipeline

        if isinstance(error, ExitPipeline):
            return UnitReport(exit_code=error.code)
        return UnitReport(failure=work.described(error))


def _does(spec: UnitSpec) -> Callable[[Work], UnitReport]:
    if spec.does == "task":
        from headwater.runtime.pod.task import run
    elif spec.does == "items":
        from headwater.runtime.pod.items import run
    elif spec.does == "block":
        from headwater.runtime.pod.block import run
    elif spec.does == "decide":
        from headwater.runtime.pod.questions import decide as run
    elif spec.does == "measure":
        from headwater.runtime.pod.questions import measure as run
    else:
        raise ValueError(f"this version of Headwater does not know how to do {spec.does!r}")
    return run


def _terminated(termination: Termination, began: float) -> UnitReport:
    preempted = termination.name == "SIGTERM"
    failure = {
        "type": "Terminated",
        "message": f"the pod was told to end ({termination.name})",
        "class": "Preempted" if preempted else "Error",
    }
    return UnitReport(failure=failure, at=(began, time.time()))


def _unreadable(error: Exception) -> dict[str, str]:
    return {
        "type": type(error).__name__,
        "message": f"what the pod was told to do cannot be read ({error}). "
        "The operator and the image's Headwater must be of one version.",
        "class": "InvalidSpec",
    }


def _unbuffered() -> None:
    """What is printed leaves at once and in order, also beside what child processes print."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if getattr(stream, "write_through", False):
            stream.reconfigure(errors="backslashreplace")
        elif stream is not None:
            setattr(sys, name, _stream(descriptor))


def _stream(descriptor: int) -> IO[str]:
    import io

    raw = open(descriptor, "wb", buffering=0, closefd=False)  # noqa: SIM115  # open as long as the process
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
