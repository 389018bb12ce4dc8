"""How blocks are put together."""

from __future__ import annotations

from typing import Any

from headwater import (
    IdentityTask,
    IterativeWorkflow,
    MapWorkflow,
    Workflow,
    as_workflow,
    task,
    workflow,
)

from tests.conformance.case import case


@task
def one() -> {"a": int}:
    return 1


@task
def two() -> {"b": int}:
    return 2


@task
def add(a: int, b: int) -> {"total": int}:
    return a + b


@task
def double(total: int) -> {"doubled": int}:
    return 2 * total


@task
def triple(total: int) -> {"tripled": int}:
    return 3 * total


@case(outputs={"total": 3})
def a_list_on_the_left() -> Workflow:
    with Workflow() as w:
        [one(), two()] | add()
    return w


@case(outputs={"doubled": 6, "tripled": 9})
def a_list_on_the_right() -> Workflow:
    with Workflow() as w:
        [one(), two()] | add() | [double(), triple()]
    return w


@task
def seven(x: int = 7) -> {"seven": int}:
    return x


@case(outputs={"b": 2, "seven": 7})
def what_takes_nothing_of_it_only_comes_after() -> Workflow:
    with Workflow() as w:
        one() | [two(), seven()]
    return w


@case(outputs={"doubled": 6})
def shifts_do_the_same() -> Workflow:
    with Workflow() as w:
        total = add()
        one() >> total
        total << two()
        total >> double()
    return w


@case(outputs={"doubled": 6, "tripled": 9}, nodes={"add": "Succeeded", "triple": "Succeeded"})
def a_diamond() -> Workflow:
    with Workflow() as w:
        total = add()
        one() | total
        two() | total
        total | double()
        total | triple()
    return w


@case(outputs={"a": 1, "b": 2})
def blocks_that_are_not_piped_belong_too() -> Workflow:
    with Workflow() as w:
        one()
        two()
    return w


@workflow
def inner():
    add() | double()


@case(
    outputs={"doubled": 6},
    nodes={"inner": "Succeeded", "inner/add": "Succeeded", "inner/double": "Succeeded"},
)
def a_workflow_in_a_workflow() -> Workflow:
    with Workflow() as w:
        [one(), two()] | inner()
    return w


@as_workflow
def middle():
    inner() | result()


@task
def result(doubled: int) -> {"result": str}:
    return f"it is {doubled}"


@case(outputs={"result": "it is 14"}, inputs={"a": 3, "b": 4}, nodes={"middle/inner/add": "Succeeded"})
def three_levels() -> Workflow:
    with Workflow() as w:
        middle()
    return w


@case(outputs={"doubled": 10}, inputs={"a": 2, "b": 3})
def a_decorated_workflow_runs_by_itself() -> Any:
    return inner()


@case(outputs={"doubled": 22}, inputs={"b": 1})
def a_workflow_takes_keywords_for_its_inputs() -> Any:
    return inner(a=10)


@task
def big() -> {"a": int}:
    return 40


@workflow
def process(source):
    source | add()


@case(outputs={"total": 42}, nodes={"big": "Succeeded", "process": "Succeeded"})
def an_outside_task_as_an_argument() -> Workflow:
    with Workflow() as w:
        outside = big()
        two() | process(outside)
    return w


@case(outputs={"total": 3, "same": 3})
def two_instances_of_one_task_have_their_own_nodes() -> Workflow:
    @task
    def same(total: int) -> {"same": int}:
        return total

    with Workflow() as w:
        both = add()
        [one(), two()] | both
        both | IdentityTask()
        both | same()
    return w


class Doubling(Workflow):
    def setup_tasks(self) -> None:
        add()

    def _run(self, **inputs: Any) -> Any:
        inside = super()._run(**inputs)
        return {"total": inside["total"] * 100}


@case(outputs={"doubled": 600}, nodes={"doubling": "Succeeded", "double": "Succeeded"})
def a_run_hook_may_call_super() -> Workflow:
    with Workflow() as w:
        [one(), two()] | Doubling() | double()
    return w


class Plain(Workflow):
    def setup_tasks(self) -> None:
        add()

    def _run(self, **inputs: Any) -> Any:
        return super()._run(**inputs)


@case(outputs={"total": 3}, inputs={"a": 1, "b": 2})
def a_cached_run_hook_may_call_super() -> Any:
    return Plain(cache=True)


class Repeated(IterativeWorkflow):
    def setup_tasks(self) -> None:
        grow()

    def _run(self, **inputs: Any) -> Any:
        return super()._run(**inputs)


class Mapped(MapWorkflow):
    def setup_tasks(self) -> None:
        grow()

    def _run(self, **inputs: Any) -> Any:
        return super()._run(**inputs)


@task
def grow(x: int) -> {"x": int}:
    return x + 1


@case(outputs={"x": 4}, inputs={"x": 1})
def an_iteration_with_a_run_hook() -> Any:
    return Repeated(max_iterations=3)


@case(outputs={"x": [2, 3]}, inputs={"xs": [1, 2]})
def a_map_with_a_run_hook() -> Any:
    return Mapped(map_on={"xs": "x"})


@case(outputs={"total": 7}, inputs={"a": 3, "b": 4})
def start_and_stop() -> Workflow:
    w = Workflow()
    w.start()
    add()
    w.stop()
    return w


@case(outputs={"total": 100}, inputs={"start": 0})
def a_long_chain() -> Workflow:
    @task
    def first(start: int) -> {"total": int}:
        return start

    @task
    def increment(total: int) -> {"total": int}:
        return total + 1

    with Workflow() as w:
        last = first()
        for _ in range(100):
            last = last | increment()
    return w


@case(outputs={f"out_{i}": i for i in range(40)})
def many_branches_side_by_side() -> Workflow:
    with Workflow() as w:
        for i in range(40):
            task(name=f"make_{i}")(_maker(i))()
    return w


def _maker(number: int) -> Any:
    def make():
        return {f"out_{number}": number}

    make.__annotations__["return"] = {f"out_{number}": int}
    return make
