"""Retries, timeouts, continue on failure."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from headwater import MapWorkflow, Workflow, task

from tests.conformance.case import Error, case


def _tries(scratch: str, name: str = "tries") -> int:
    path = Path(scratch) / name
    with path.open("a") as file:
        file.write("x")
    return len(path.read_text())


@task(retries=2)
def third_time(scratch: str) -> {"tries": int}:
    tries = _tries(scratch)
    if tries < 3:
        raise OSError(f"try {tries}")
    return tries


@case(outputs={"tries": 3}, attempts={"third_time": 3}, nodes={"third_time": "Succeeded"})
def retries(scratch: str) -> Workflow:
    with Workflow() as w:
        third_time(scratch=scratch)
    return w


@task(retries=1)
def never(scratch: str) -> {"tries": int}:
    raise OSError(f"try {_tries(scratch)}")


@case(phase="Failed", attempts={"never": 2}, error=Error("never", "OSError", ("try 2",)))
def retries_run_out(scratch: str) -> Workflow:
    with Workflow() as w:
        never(scratch=scratch)
    return w


@task(retry={"limit": 3, "classes": ["Timeout"]})
def not_this_class(scratch: str) -> {"tries": int}:
    raise OSError(f"try {_tries(scratch)}")


@case(phase="Failed", attempts={"not_this_class": 1}, error=Error("not-this-class", "OSError", ("try 1",)))
def retries_by_class(scratch: str) -> Workflow:
    with Workflow() as w:
        not_this_class(scratch=scratch)
    return w


@task(timeout=0.2)
def slow() -> {"x": int}:
    time.sleep(60)
    return 1


@case(phase="Failed", error=Error("slow", "Timeout", ("timeout of 0.2 s",), error_class="Timeout"))
def a_timeout_ends_the_task() -> Workflow:
    with Workflow() as w:
        slow()
    return w


@task(timeout="1500ms", retry={"limit": 1, "classes": ["Timeout"]})
def slow_at_first(scratch: str) -> {"tries": int}:
    tries = _tries(scratch)
    if tries == 1:
        time.sleep(60)
    return tries


@case(outputs={"tries": 2}, attempts={"slow_at_first": 2})
def a_timeout_may_be_retried(scratch: str) -> Workflow:
    with Workflow() as w:
        slow_at_first(scratch=scratch)
    return w


@task(timeout=0.2)
def busy() -> {"x": int}:
    while True:
        try:
            while True:
                pass
        except Exception:
            continue


@case(phase="Failed", error=Error("busy", "Timeout", ("0.2 s",), error_class="Timeout"))
def a_timeout_ends_a_task_that_catches_exceptions() -> Workflow:
    with Workflow() as w:
        busy()
    return w


@task(continue_on_failure=True)
def optional() -> {"x": int}:
    raise ValueError("never mind")


@task
def independent() -> {"y": int}:
    return 1


@case(outputs={"y": 1}, phase="Succeeded", nodes={"optional": "Failed", "independent": "Succeeded"})
def continue_on_failure() -> Workflow:
    with Workflow() as w:
        optional()
        independent()
    return w


@task
def slow_item(x: int) -> {"y": int}:
    if x == 1:
        time.sleep(60)
    return x


@case(
    phase="Failed", inputs={"xs": [0, 1, 2]}, error=Error("m", "Timeout", ("0.5 s",), error_class="Timeout")
)
def a_timeout_of_a_map() -> Workflow:
    with Workflow() as w, MapWorkflow(map_on={"xs": "x"}, timeout=0.5, name="m", raise_exceptions=True):
        slow_item()
    return w


@task
def three() -> {"xs": list[int]}:
    return [1, 2, 3]


@task(retries=2)
def crashes(xs: list, scratch: str) -> {"total": int}:
    tries = _tries(scratch)
    if tries == 1:
        os._exit(3)
    if tries == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    return sum(xs)


@task
def double(total: int) -> {"doubled": int}:
    return 2 * total


@case(
    outputs={"doubled": 12},
    attempts={"three": 1, "crashes": 3, "double": 1},
    nodes={"crashes": "Succeeded"},
    ends_processes=True,
)
def a_task_whose_process_dies_is_tried_again(scratch: str) -> Workflow:
    with Workflow() as w:
        three() | crashes(scratch=scratch) | double()
    return w


@task(continue_on_failure=True)
def gone(xs: list) -> {"total": int}:
    os._exit(3)


@task
def apart(xs: list) -> {"count": int}:
    return len(xs)


@case(
    outputs={"count": 3},
    attempts={"three": 1, "gone": 1},
    nodes={"gone": "Failed", "apart": "Succeeded"},
    ends_processes=True,
)
def a_task_whose_process_dies_takes_no_other_with_it() -> Workflow:
    with Workflow() as w:
        three() | (gone(), apart())
    return w


@task(retries=1)
def dies(xs: list) -> {"total": int}:
    os._exit(3)


@case(
    phase="Failed",
    attempts={"three": 1, "dies": 2},
    nodes={"three": "Succeeded", "dies": "Failed"},
    error=Error("dies", "WorkerDied", ("code 3",)),
    ends_processes=True,
)
def a_task_whose_process_dies_each_time_has_failed() -> Workflow:
    with Workflow() as w:
        three() | dies()
    return w


@task
def explodes(x: int) -> {"y": int}:
    if x == 2:
        os._exit(3)
    return 10 * x


@case(items={"m": (3, 2, 1, 0)}, ends_processes=True)
def an_item_whose_process_dies_is_one_failed_item() -> Workflow:
    with Workflow() as w:
        three() | MapWorkflow(explodes(), map_on={"xs": "x"}, name="m")
    return w
