"""What fails, what that stops, and how it is reported."""

from __future__ import annotations

import sys

from headwater import MapWorkflow, Workflow, task

from tests.conformance.case import Error, case


@task
def broken(x: int = 1) -> {"x": int}:
    raise ValueError(f"no good: {x}")


@task
def after(x: int) -> {"y": int}:
    return x


@task
def beside() -> {"z": int}:
    return 1


@case(
    phase="Failed",
    error=Error("broken", "ValueError", ("no good: 1",)),
    nodes={"broken": "Failed", "after": "Skipped"},
    attempts={"broken": 1, "after": 0},
)
def a_failure_stops_what_needs_it() -> Workflow:
    with Workflow() as w:
        broken() | after()
    return w


@case(
    phase="Failed",
    nodes={"inner": "Failed", "inner/broken": "Failed"},
    error=Error("inner/broken", "ValueError", ("no good",)),
)
def a_failure_in_a_nested_workflow_names_its_path() -> Workflow:
    with Workflow() as w, Workflow(name="inner"):
        broken() | after()
    return w


class Peculiar(Exception):
    def __init__(self, left: int, right: int) -> None:
        super().__init__(f"{left} is not {right}")


@task
def peculiar() -> {"x": int}:
    raise Peculiar(1, 2)


@case(phase="Failed", error=Error("peculiar", "Peculiar", ("1 is not 2",)))
def an_exception_with_a_signature_of_its_own() -> Workflow:
    with Workflow() as w:
        peculiar()
    return w


@task
def leaves() -> {"x": int}:
    sys.exit(7)


@case(phase="Failed", error=Error("leaves", "SystemExit", ("7",)))
def sys_exit_fails_the_task() -> Workflow:
    with Workflow() as w:
        leaves()
    return w


@task
def recursive() -> {"x": int}:
    def deeper(n: int) -> int:
        return deeper(n + 1) + 1

    return deeper(0)


@case(phase="Failed", error=Error("recursive", "RecursionError", ("maximum recursion depth",)))
def too_deep_a_recursion() -> Workflow:
    with Workflow() as w:
        recursive()
    return w


class Unshowable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@task
def unshowable() -> {"x": int}:
    raise Unshowable


@case(phase="Failed", error=Error("unshowable", "Unshowable", ("cannot be shown",)))
def an_exception_whose_text_cannot_be_had() -> Workflow:
    with Workflow() as w:
        unshowable()
    return w


@task
def hungry() -> {"x": int}:
    raise MemoryError("no more")


@case(phase="Failed", error=Error("hungry", "MemoryError", ("no more",), error_class="Oom"))
def a_memory_error_is_of_its_own_class() -> Workflow:
    with Workflow() as w:
        hungry()
    return w


@task
def empty_message() -> {"x": int}:
    raise RuntimeError


@case(phase="Failed", error=Error("empty-message", "RuntimeError"))
def an_exception_without_a_message() -> Workflow:
    with Workflow() as w:
        empty_message()
    return w


@task
def item_breaks(x: int) -> {"y": int}:
    if x % 2:
        raise LookupError(f"odd: {x}")
    return x


@case(
    phase="Failed",
    inputs={"xs": list(range(6))},
    items={"m": (6, 3, 3, 0)},
    error=Error("m", "MapFailed", ("3 of 6", "1", "3", "5", "LookupError: odd: 1")),
)
def every_failed_index_is_told() -> MapWorkflow:
    with MapWorkflow(map_on={"xs": "x"}, raise_exceptions=True, name="m") as m:
        item_breaks()
    return m


@task
def in_a_nested_map(x: int) -> {"y": int}:
    if x == 3:
        raise LookupError("three")
    return x


@case(
    outputs={"y": [[1, 2], [LookupError("three"), 4]]},
    inputs={"table": [[1, 2], [3, 4]]},
    items={"outer": (2, 2, 0, 0)},
)
def a_failed_item_of_a_nested_map_fails_only_itself() -> MapWorkflow:
    with MapWorkflow(map_on={"table": "xs"}, name="outer") as outer, MapWorkflow(map_on={"xs": "x"}):
        in_a_nested_map()
    return outer


@case(
    phase="Failed",
    inputs={"xs": [1, 3]},
    error=Error("m", "MapFailed", ("1 of 2", "first m[1]/second: LookupError: three")),
)
def a_failure_in_a_block_of_a_map_names_its_item_once() -> MapWorkflow:
    @task
    def second(y: int) -> {"z": int}:
        if y == 3:
            raise LookupError("three")
        return y

    @task
    def first(x: int) -> {"y": int}:
        return x

    with MapWorkflow(map_on={"xs": "x"}, raise_exceptions=True, name="m") as m:
        first() | second()
    return m


@task
def bad_output_item(x: int) -> {"y": int}:
    return str(x) if x == 1 else x


@case(
    phase="Failed",
    inputs={"xs": [0, 1]},
    error=Error("m", "MapFailed", ("1 of 2", "In task 'bad_output_item': output \"y\" must be int; got str")),
)
def an_item_of_a_wrong_type() -> MapWorkflow:
    with MapWorkflow(map_on={"xs": "x"}, raise_exceptions=True, name="m") as m:
        bad_output_item()
    return m
