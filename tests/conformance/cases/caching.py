"""The cache: what hits, what misses, what is never kept."""

from __future__ import annotations

from pathlib import Path

from headwater import MapWorkflow, Parameter, Workflow, task

from tests.conformance.case import Error, case


def _note(scratch: str, name: str) -> None:
    with open(f"{scratch}/{name}", "a") as file:
        file.write("x")


def _calls(**expected: int):
    def check(scratch: Path) -> None:
        found = {name: len((scratch / name).read_text()) for name in expected if (scratch / name).exists()}
        assert found == expected

    return check


@task(cache=True)
def costly(x: int, scratch: str) -> {"y": int}:
    _note(scratch, "costly")
    return x * 10


@case(outputs={"y": 30}, inputs={"x": 3}, check=_calls(costly=1), nodes={"costly": "Succeeded"})
def the_first_run_computes(scratch: str) -> Workflow:
    with Workflow() as w:
        costly(scratch=scratch)
    return w


def _warm(w: Workflow, **inputs: object) -> Workflow:
    w.run(**inputs)
    return w


@case(
    outputs={"y": 30},
    inputs={"x": 3},
    check=_calls(costly=1),
    nodes={"costly": "Cached"},
    attempts={"costly": 0},
)
def the_second_run_does_not(scratch: str) -> Workflow:
    with Workflow() as w:
        costly(scratch=scratch)
    return _warm(w, x=3)


@case(outputs={"y": 40}, inputs={"x": 4}, check=_calls(costly=2), nodes={"costly": "Succeeded"})
def other_inputs_miss(scratch: str) -> Workflow:
    with Workflow() as w:
        costly(scratch=scratch)
    return _warm(w, x=3)


@case(outputs={"y": True}, inputs={"x": True}, check=_calls(kept=2))
def true_is_not_one(scratch: str) -> Workflow:
    @task(cache=True)
    def kept(x: object) -> {"y": object}:
        _note(scratch, "kept")
        return {"y": x}

    with Workflow() as w:
        kept()
    return _warm(w, x=1)


@task
def item(x: int, scratch: str) -> {"y": int}:
    _note(scratch, "item")
    return x * 10


@case(
    outputs={"y": [10, 20, 30, 40]},
    inputs={"xs": [1, 2, 3, 4]},
    check=_calls(item=4),
    items={"m": (4, 4, 0, 2)},
)
def a_map_is_cached_item_by_item(scratch: str) -> Workflow:
    with Workflow() as w:
        MapWorkflow(item(scratch=scratch), map_on={"xs": "x"}, cache=True, name="m")
    return _warm(w, xs=[2, 4])


@task
def scaled(x: int, factor: Parameter(int)) -> {"y": int}:
    return x * factor


@case(
    outputs={"y": 15},
    inputs={"x": 3},
    config={"parameters": {"scaled": {"factor": 5}}},
    nodes={"w": "Succeeded"},
)
def a_nested_parameter_is_part_of_the_key() -> Workflow:
    from headwater.configuration import config

    def make() -> Workflow:
        with Workflow() as outer, Workflow(name="w", cache=True):
            scaled()
        return outer

    with config.override({"parameters": {"scaled": {"factor": 4}}}):
        _warm(make(), x=3)
    return make()


@case(outputs={"y": 30}, inputs={"x": 3}, check=_calls(item=1), nodes={"w": "Cached"})
def a_whole_workflow_is_cached(scratch: str) -> Workflow:
    with Workflow() as outer, Workflow(name="w", cache=True):
        item(scratch=scratch)
    return _warm(outer, x=3)


@task(cache=True)
def fails(x: int, scratch: str) -> {"y": int}:
    _note(scratch, "fails")
    raise ValueError("never kept")


@case(
    phase="Failed",
    inputs={"x": 1},
    check=_calls(fails=2),
    error=Error("fails", "ValueError", ("never kept",)),
)
def a_failure_is_never_kept(scratch: str) -> Workflow:
    with Workflow() as w:
        fails(scratch=scratch)
    w.run(check=False, x=1)
    return w


@task
def helper_task(x: int, scratch: str) -> {"y": int}:
    _note(scratch, "side")
    return x


@case(outputs={"a": 30, "b": 30}, inputs={"x": 3}, check=_calls(costly=1))
def identical_calls_run_once(scratch: str) -> Workflow:
    @task
    def first(y: int) -> {"a": int}:
        return y

    @task
    def second(y: int) -> {"b": int}:
        return y

    with Workflow() as w:
        costly(scratch=scratch) | first()
        costly(scratch=scratch) | second()
    return w
