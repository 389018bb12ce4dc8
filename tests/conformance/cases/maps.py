"""Maps: order, nesting, zipping, broadcast, failures, dying workers."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from headwater import IfThenElse, MapWorkflow, MergeTask, Parameter, Skipped, Workflow, task
from headwater.errors import UsageError

from tests.conformance.case import Error, Refusal, case


@task
def numbers(count: int = 5) -> {"xs": list[int]}:
    return list(range(count))


@task
def square(x: int) -> {"y": int}:
    return x * x


@task
def total(y: list[int]) -> {"total": int}:
    return sum(y)


@MapWorkflow.as_workflow(map_on={"xs": "x"})
def squares():
    square()


@case(outputs={"y": [0, 1, 4, 9, 16]}, items={"squares": (5, 5, 0, 0)}, nodes={"squares": "Succeeded"})
def a_map() -> Workflow:
    with Workflow() as w:
        numbers() | squares()
    return w


@case(outputs={"total": 30})
def a_map_and_a_reduction() -> Workflow:
    with Workflow() as w:
        numbers() | squares() | total()
    return w


@task
def inverse_order(x: int) -> {"y": int}:
    deadline = 3000 // (x + 1)
    for _ in range(deadline):
        pass
    return x


@case(outputs={"y": list(range(1000))}, inputs={"count": 1000}, items={"mapped": (1000, 1000, 0, 0)})
def items_come_back_in_input_order() -> Workflow:
    with Workflow() as w:
        with MapWorkflow(map_on={"xs": "x"}, name="mapped") as _:
            inverse_order()
        numbers() | _
    return w


@case(outputs={"y": []}, inputs={"count": 0}, items={"squares": (0, 0, 0, 0)})
def an_empty_map() -> Workflow:
    with Workflow() as w:
        numbers() | squares()
    return w


@case(outputs={"y": [1, 4]}, inputs={"xs": [1, 2]})
def a_map_runs_by_itself() -> Any:
    return squares()


@task
def zipped(x: int, label: str) -> {"text": str}:
    return f"{label}{x}"


@case(outputs={"text": ["a1", "b2"]}, inputs={"xs": [1, 2], "labels": ["a", "b"]})
def two_sequences_are_zipped() -> Any:
    with MapWorkflow(map_on={"xs": "x", "labels": "label"}) as m:
        zipped()
    return m


@case(
    phase="Failed",
    inputs={"xs": [1, 2], "labels": ["a"]},
    error=Error("pairs", "TargetError", ("unequal length", "'x' has 2", "'label' has 1")),
)
def unequal_lengths_fail() -> Any:
    with MapWorkflow(map_on={"xs": "x", "labels": "label"}, name="pairs") as m:
        zipped()
    return m


@case(outputs={"text": ["n1", "n2"]}, inputs={"xs": [1, 2], "label": "n"})
def an_unmapped_input_is_broadcast() -> Any:
    with MapWorkflow(map_on={"xs": "x"}) as m:
        zipped()
    return m


@task
def pick(xs: list[int]) -> {"x": int}:
    return xs[0]


@case(outputs={"y": [0, 1, 4, 9, 16]})
def map_on_is_found_by_itself() -> Workflow:
    @task
    def ints() -> {"x": list[int]}:
        return list(range(5))

    with Workflow() as w:
        ints() | MapWorkflow(square(), name="auto")
    return w


@task
def fragile(x: int) -> {"y": int}:
    if x == 2:
        raise ValueError("two is bad")
    return x


@MapWorkflow.as_workflow(map_on={"xs": "x"})
def tolerant():
    fragile()


@MapWorkflow.as_workflow(map_on={"xs": "x"}, raise_exceptions=True)
def strict():
    fragile()


@case(
    outputs={"y": [0, 1, ValueError("two is bad"), 3, 4]},
    items={"tolerant": (5, 4, 1, 0)},
    nodes={"tolerant": "Succeeded"},
)
def a_failed_item_leaves_its_exception() -> Workflow:
    with Workflow() as w:
        numbers() | tolerant()
    return w


class Refused(Exception):
    def __init__(self, who: int, why: str) -> None:
        super().__init__(f"{who} is {why}")
        self.who = who


@task
def refuses(x: int) -> {"y": int}:
    if x == 1:
        raise Refused(x, "refused")
    return x


@task
def tell(y: list[object]) -> {"told": list[object]}:
    return [
        f"{type(each).__name__}: {each}, {each.who}" if isinstance(each, Exception) else each for each in y
    ]


@case(outputs={"told": [0, "Refused: 1 is refused, 1", 2]}, inputs={"count": 3})
def an_exception_that_takes_arguments_of_its_own_stays_what_it_is() -> Workflow:
    with Workflow() as w:
        with MapWorkflow(map_on={"xs": "x"}, name="refusing") as refusing:
            refuses()
        numbers() | refusing | tell()
    return w


@case(
    phase="Failed",
    error=Error("strict", "MapFailed", ("1 of 5", "2", "ValueError: two is bad")),
    items={"strict": (5, 4, 1, 0)},
    nodes={"strict": "Failed"},
)
def raise_exceptions_fails_the_map() -> Workflow:
    with Workflow() as w:
        numbers() | strict()
    return w


@case(outputs={}, items={"quiet": (5, 5, 0, 0)})
def no_outputs() -> Workflow:
    with Workflow() as w:
        numbers() | MapWorkflow(square(), map_on={"xs": "x"}, no_outputs=True, name="quiet")
    return w


@case(outputs={"map_output": [[{"y": 0}], [{"y": 1}], [{"y": 4}]]}, inputs={"count": 3})
def unflattened() -> Workflow:
    with Workflow() as w:
        numbers() | MapWorkflow(square(), map_on={"xs": "x"}, flatten_output=False)
    return w


@case(outputs={"found": [[{"y": 0}], [{"y": 1}]]}, inputs={"count": 2})
def unflattened_under_another_name() -> Workflow:
    with Workflow() as w:
        numbers() | MapWorkflow(square(), map_on={"xs": "x"}, flatten_output=False, output_name="found")
    return w


@task
def rows() -> {"table": list[list[int]]}:
    return [[1, 2], [], [3]]


@MapWorkflow.as_workflow(map_on={"table": "xs"})
def each_row():
    squares() | total()


@case(outputs={"total": [5, 0, 9]}, items={"each_row": (3, 3, 0, 0)})
def a_map_in_a_map() -> Workflow:
    with Workflow() as w:
        rows() | each_row()
    return w


@case(outputs={"y": [[[1]], [[4, 9], []]]}, inputs={"cube": [[[1]], [[2, 3], []]]})
def three_maps_deep() -> Any:
    with MapWorkflow(map_on={"cube": "table"}) as outer, MapWorkflow(map_on={"table": "xs"}):
        squares()
    return outer


@task
def is_even(x: int) -> {"x": int}:
    return x


@task
def halve(x: int) -> {"y": int}:
    return x // 2


@task
def negate(x: int) -> {"y": int}:
    return -x


@MapWorkflow.as_workflow(map_on={"xs": "x"})
def by_parity():
    if_even, then_task, else_task = IfThenElse(lambda x: x % 2 == 0)
    is_even() | if_even
    merge = MergeTask()
    then_task | halve() | merge
    else_task | negate() | merge


@case(outputs={"y": [0, -1, 1, -3, 2]})
def conditions_inside_a_map_are_per_item() -> Workflow:
    with Workflow() as w:
        numbers() | by_parity()
    return w


@task
def odd_only(x: int) -> {"y": int}:
    return {"y": x} if x % 2 else Skipped()


@case(outputs={"y": [None, 1, None, 3, None]}, items={"map": (5, 5, 0, 0)})
def a_skipped_item_leaves_none() -> Workflow:
    with Workflow() as w:
        numbers() | MapWorkflow(odd_only(), map_on={"xs": "x"}, name="map")
    return w


@task
def scaled(x: int, factor: Parameter(int)) -> {"y": int}:
    return factor * x


@case(outputs={"y": [0, 7, 14, 21, 28]}, config={"parameters": {"scaled": {"factor": 7}}})
def parameters_inside_a_map() -> Workflow:
    with Workflow() as w:
        numbers() | MapWorkflow(scaled(), map_on={"xs": "x"})
    return w


@task
def expensive(scratch: str) -> {"base": int}:
    with open(f"{scratch}/calls", "a") as file:
        file.write("x")
    return 100


@task
def offset(x: int, base: int) -> {"y": int}:
    return base + x


def _called_once(scratch: Any) -> None:
    assert (scratch / "calls").read_text() == "x"


@case(outputs={"y": [100, 101, 102, 103, 104]}, check=_called_once)
def an_outside_task_is_computed_once_and_broadcast(scratch: str) -> Workflow:
    with Workflow() as w:
        base = expensive(scratch=scratch)
        with MapWorkflow(map_on={"xs": "x"}) as m:
            base | offset()
        numbers() | m
    return w


@task
def many(x: int) -> {"y": int}:
    return x + 1


@case(outputs={"y": list(range(1, 10_001))}, inputs={"count": 10_000}, items={"m": (10_000, 10_000, 0, 0)})
def ten_thousand_items() -> Workflow:
    with Workflow() as w:
        numbers() | MapWorkflow(many(), map_on={"xs": "x"}, name="m")
    return w


@task
def flaky(x: int, scratch: str) -> {"y": int}:
    path = Path(scratch) / str(x)
    with path.open("a") as file:
        file.write("x")
    tries = len(path.read_text())
    if tries <= x:
        raise OSError(f"try {tries}")
    return tries


@case(outputs={"y": [1, 2, 3, OSError("try 3"), OSError("try 3")]}, items={"m": (5, 3, 2, 0)})
def items_are_retried_one_by_one(scratch: str) -> Workflow:
    with Workflow() as w:
        numbers() | MapWorkflow(flaky(scratch=scratch), map_on={"xs": "x"}, name="m", retries=2)
    return w


@task
def chained(y: int) -> {"z": int}:
    return y + 1


@case(outputs={"z": [1, 2, 5, 10, 17], "note": ["0", "1", "4", "9", "16"]})
def two_outputs_flattened() -> Workflow:
    @task
    def annotate(y: int) -> {"note": str}:
        return str(y)

    with Workflow() as w:
        with MapWorkflow(map_on={"xs": "x"}) as m:
            s = square()
            s | chained()
            s | annotate()
        numbers() | m
    return w


@case(outputs={"map_output": [[{"z": 1}, {"note": "0"}], [{"z": 2}, {"note": "1"}]]}, inputs={"count": 2})
def two_end_tasks_unflattened() -> Workflow:
    @task
    def annotate(y: int) -> {"note": str}:
        return str(y)

    with Workflow() as w:
        with MapWorkflow(map_on={"xs": "x"}, flatten_output=False) as m:
            s = square()
            s | chained()
            s | annotate()
        numbers() | m
    return w


@case(outputs={"y": [4, 9]}, inputs={"xs": (2, 3)})
def a_map_over_a_tuple() -> Any:
    return squares()


@case(outputs={"y": [0, 4, 16]}, inputs={"xs": range(0, 6, 2)})
def a_map_over_a_range() -> Any:
    return squares()


@task
def no_sequence() -> {"xs": object}:
    return 7


@case(phase="Failed", error=Error("squares", "TargetError", ("needs a sequence", "int")))
def a_map_over_a_number_fails() -> Any:
    with Workflow() as w:
        no_sequence() | squares()
    return w


@case(inputs={"xs": 7}, refusal=Refusal(UsageError, ("input 'xs' must be list; got int",)))
def a_map_over_a_number_that_is_given_is_refused() -> Any:
    return squares()


@task
def signalled(x: int) -> {"y": int}:
    if x == 3:
        os.kill(os.getpid(), signal.SIGUSR1)
    return x


@case(outputs={"y": [0, 1, 2, 3, 4]}, inputs={"count": 5})
def simultaneous_tasks() -> Workflow:
    with Workflow() as w:
        numbers() | MapWorkflow(many_less_one(), map_on={"xs": "x"}, simultaneous_tasks=1)
    return w


@task
def many_less_one(x: int) -> {"y": int}:
    return x
