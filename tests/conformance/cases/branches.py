"""Conditions, merges, skipping."""

from __future__ import annotations

from pathlib import Path

from headwater import IdentityTask, IfThenElse, MergeTask, Skipped, Workflow, task

from tests.conformance.case import Error, case


@task
def number(x: int = 5) -> {"x": int}:
    return x


@task
def increase(x: int) -> {"y": int}:
    return x + 1


@task
def decrease(x: int) -> {"y": int}:
    return x - 1


@task
def show(y: int) -> {"text": str}:
    return f"<{y}>"


def _branched(condition) -> Workflow:
    with Workflow() as w:
        if_task, then_task, else_task = IfThenElse(condition)
        merge = MergeTask()
        number() | if_task
        then_task | increase() | merge
        else_task | decrease() | merge
        merge | show()
    return w


@case(outputs={"text": "<6>"}, nodes={"increase": "Succeeded", "decrease": "Skipped", "show": "Succeeded"})
def the_condition_holds() -> Workflow:
    return _branched(lambda x: x > 3)


@case(outputs={"text": "<1>"}, inputs={"x": 2}, nodes={"increase": "Skipped", "decrease": "Succeeded"})
def the_condition_does_not_hold() -> Workflow:
    return _branched(lambda x: x > 3)


@case(outputs={"text": "<6>"})
def a_condition_takes_keywords() -> Workflow:
    return _branched(lambda **outputs: outputs == {"x": 5})


def _asked_once(scratch: Path) -> None:
    assert (scratch / "asked").read_text() == "x"


@case(outputs={"text": "<6>"}, check=_asked_once)
def the_condition_is_asked_once(scratch: str) -> Workflow:
    def condition(x: int) -> bool:
        with open(f"{scratch}/asked", "a") as file:
            file.write("x")
        return True

    return _branched(condition)


@case(phase="Failed", error=Error("if-bad", "KeyError", ("nothing",)), nodes={"number": "Succeeded"})
def a_condition_that_raises_fails_the_run() -> Workflow:
    def bad(x: int) -> bool:
        raise KeyError("nothing")

    return _branched(bad)


@case(outputs={"x": 2, "y": 1}, inputs={"x": 2}, nodes={"decrease": "Succeeded"})
def one_side_only() -> Workflow:
    with Workflow() as w:
        if_task, _, else_task = IfThenElse(lambda x: x > 3)
        first = number()
        first | if_task
        first | IdentityTask()
        else_task | decrease()
    return w


@task
def sometimes(x: int) -> {"x": int}:
    return Skipped() if x > 3 else x


@case(outputs={}, nodes={"sometimes": "Skipped", "increase": "Skipped", "show": "Skipped"}, inputs={"x": 9})
def skipping_goes_on_downstream() -> Workflow:
    with Workflow() as w:
        sometimes() | increase() | show()
    return w


@case(
    outputs={"y": 8},
    nodes={"sometimes": "Skipped", "increase": "Skipped", "merge-task": "Succeeded"},
    inputs={"x": 9},
)
def a_merge_takes_the_live_branch() -> Workflow:
    with Workflow() as w:
        merge = MergeTask()
        sometimes() | increase() | merge
        decrease() | merge
    return w


@case(
    phase="Failed",
    error=Error("merge-task", "MergeError", ("increase", "decrease"), error_class="InvalidSpec"),
)
def two_live_branches_fail() -> Workflow:
    with Workflow() as w:
        merge = MergeTask()
        first = number()
        first | increase() | merge
        first | decrease() | merge
    return w


@case(outputs={}, inputs={"x": 9}, nodes={"merge-task": "Skipped"})
def a_merge_of_nothing_is_skipped() -> Workflow:
    with Workflow() as w:
        merge = MergeTask()
        skip = sometimes()
        skip | increase() | merge
        skip | decrease() | merge
    return w


@case(outputs={"text": "<9>"}, inputs={"x": 9})
def nested_conditions() -> Workflow:
    with Workflow() as w:
        if_big, then_big, else_big = IfThenElse(lambda x: x > 3)
        if_huge, then_huge, else_huge = IfThenElse(lambda x: x > 100)
        merge = MergeTask()

        @task
        def same(x: int) -> {"y": int}:
            return x

        @task
        def again(x: int) -> {"x": int}:
            return x

        number() | if_big
        then_big | again() | if_huge
        then_huge | increase() | merge
        else_huge | same() | merge
        else_big | decrease() | merge
        merge | show()
    return w
