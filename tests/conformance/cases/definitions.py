"""How tasks are defined, and what their targets check."""

from __future__ import annotations

from typing import TypedDict

from headwater import Parameter, Target, Task, Workflow, as_task, task

from tests.conformance.case import Error, case


@task
def gen() -> {"x": int}:
    return {"x": 3}


@task
def double(x: int) -> {"y": int}:
    return 2 * x


@case(outputs={"y": 6}, nodes={"gen": "Succeeded", "double": "Succeeded"}, attempts={"gen": 1})
def a_chain() -> Workflow:
    with Workflow() as w:
        gen() | double()
    return w


@case(outputs={"y": 14}, inputs={"x": 7})
def an_input_of_the_start_block_is_an_input_of_the_run() -> Workflow:
    with Workflow() as w:
        double()
    return w


@as_task()
def scanned():
    if False:
        return
    return {"a": 1, "b": "two"}


@case(outputs={"a": 1, "b": "two"})
def outputs_from_the_returned_literal() -> Workflow:
    with Workflow() as w:
        scanned()
    return w


class Pair(TypedDict):
    low: int
    high: float


@task
def pair() -> Pair:
    return {"low": 1, "high": 2}


@case(outputs={"low": 1, "high": 2})
def outputs_from_a_typed_dict_and_int_for_float() -> Workflow:
    with Workflow() as w:
        pair()
    return w


@Target.input("x", type=int)
@Target.output("y", type=int)
@task
def decorated(x):
    return {"y": x + 1}


@case(outputs={"y": 2}, inputs={"x": 1})
def targets_from_decorators() -> Workflow:
    with Workflow() as w:
        decorated()
    return w


class SetUp(Task):
    def setup_targets(self) -> None:
        super().setup_targets()
        self.add_input("x", int)
        self.add_output("y", int)

    def run(self, **inputs: object) -> object:
        return {"y": inputs["x"]}


@case(outputs={"y": 5}, inputs={"x": 5}, nodes={"set_up": "Succeeded"})
def targets_from_setup_targets() -> Workflow:
    with Workflow() as w:
        SetUp()
    return w


@task
def with_default(x: int, factor: int = 10, label: str | None = None) -> {"y": int, "label": str | None}:
    return {"y": factor * x, "label": label}


@case(outputs={"y": 30, "label": None}, inputs={"x": 3})
def defaults_are_honoured() -> Workflow:
    with Workflow() as w:
        with_default()
    return w


@case(outputs={"y": 6, "label": "b"}, inputs={"x": 3})
def keywords_and_bind_override() -> Workflow:
    with Workflow() as w:
        with_default(factor=2).bind(label="b")
    return w


@task
def scaled(x: int, multiplier: Parameter(int)) -> {"y": int}:
    return multiplier * x


@case(outputs={"y": 12}, inputs={"x": 3}, config={"parameters": {"scaled": {"multiplier": 4}}})
def parameters_come_from_the_config() -> Workflow:
    with Workflow() as w:
        scaled()
    return w


@task(with_self=True)
def named(self) -> {"name": str}:
    return self.name


@case(outputs={"name": "named"})
def with_self_gives_the_task() -> Workflow:
    with Workflow() as w:
        named()
    return w


class LoggedTask(Task):
    def __call__(self, *args: object, **kwargs: object) -> object:
        outputs = super().__call__(*args, **kwargs)
        return {name: value + 100 for name, value in outputs.items()}


@LoggedTask.as_task
def logged(x: int) -> {"y": int}:
    return x


@case(outputs={"y": 101}, inputs={"x": 1})
def a_template_class_wraps_every_call() -> Workflow:
    with Workflow() as w:
        logged()
    return w


@task
def lying() -> {"raw_data": int}:
    return {"raw_data": "text"}


@case(
    phase="Failed",
    error=Error("lying", "TargetError", ("In task 'lying': output \"raw_data\" must be int; got str",)),
)
def a_wrong_output_type_fails() -> Workflow:
    with Workflow() as w:
        lying()
    return w


@task
def lying_list() -> {"xs": list[int]}:
    return [1, 2, "3"]


@case(phase="Failed", error=Error("lying-list", "TargetError", ('output "xs" must be list[int]', "str")))
def every_element_is_checked() -> Workflow:
    with Workflow() as w:
        lying_list()
    return w


@task
def forgetful() -> {"a": int, "b": int}:
    return {"a": 1}


@case(phase="Failed", error=Error("forgetful", "TargetError", ("forgetful", "b")))
def a_missing_output_fails() -> Workflow:
    with Workflow() as w:
        forgetful()
    return w


@task
def chatty() -> {"a": int}:
    return {"a": 1, "c": 2}


@case(phase="Failed", error=Error("chatty", "TargetError", ("chatty", "c")))
def an_extra_output_fails() -> Workflow:
    with Workflow() as w:
        chatty()
    return w


@task
def anything() -> {"x": object}:
    return "not a number"


@case(
    phase="Failed",
    nodes={"anything": "Succeeded", "double": "Failed"},
    error=Error("double", "TargetError", ("In task 'double': input \"x\" must be int; got str",)),
)
def a_wrong_input_type_fails() -> Workflow:
    with Workflow() as w:
        anything() | double()
    return w


@task
def two() -> {"a": int, "b": int}:
    return 1


@case(phase="Failed", error=Error("two", "TargetError", ("two",)))
def two_outputs_must_be_a_dict() -> Workflow:
    with Workflow() as w:
        two()
    return w


@task
def nothing(x: int) -> None:
    assert x == 3


@case(outputs={}, nodes={"nothing": "Succeeded"})
def a_task_without_outputs() -> Workflow:
    with Workflow() as w:
        gen() | nothing()
    return w


@case(outputs={"y": 8}, inputs={"x": 4})
def a_task_defined_in_a_function() -> Workflow:
    factor = 2

    @task
    def local(x: int) -> {"y": int}:
        return factor * x

    with Workflow() as w:
        local()
    return w
