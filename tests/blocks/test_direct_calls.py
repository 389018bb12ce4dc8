"""Tasks as plain callables, and what their definitions refuse."""

from __future__ import annotations

import pytest
from headwater import Skipped, Target, Task, Workflow, as_task, task
from headwater.errors import DefinitionError, TargetError


@task
def add(a: int, b: int = 4) -> {"result": int}:
    return a + b


def test_an_instance_is_called_with_keywords_or_positions() -> None:
    assert add()(a=2, b=4) == {"result": 6}
    assert add()(2, 4) == {"result": 6}
    assert add()(2) == {"result": 6}
    assert add().bind(a=1)(b=1) == {"result": 2}


def test_names_are_snake_case_and_camel_case() -> None:
    assert add.__name__ == "Add"
    assert add.name == "add"

    class GenData(Task):
        def run(self) -> {"x": int}:
            return 1

    assert GenData.name == "gen_data"


def test_a_wrong_input_is_named() -> None:
    with pytest.raises(TargetError, match=r"In task 'add': input \"a\" must be int; got str"):
        add()(a="x", b=1)
    with pytest.raises(TargetError, match=r"In task 'add': there is no input 'c'"):
        add()(a=1, c=2)


def test_int_is_accepted_for_float_but_not_the_other_way() -> None:
    @task
    def half(x: float) -> {"y": float}:
        return x / 2

    assert half()(x=3) == {"y": 1.5}
    with pytest.raises(TargetError, match="must be int; got float"):
        add()(a=1.5)


def test_a_scan_of_returns_is_not_misled() -> None:
    @as_task
    def tricky(flag=True):
        def inner():
            return {"not": "this"}

        key = lambda: {"nor": "that"}  # noqa: E731
        if not flag:
            return
        inner()
        key()
        return {"value": 1, "other": 2}

    assert list(tricky().outputs) == ["value", "other"]


def test_a_definition_error_names_the_ways_out() -> None:
    def unclear(x):
        return x

    with pytest.raises(DefinitionError) as refused:
        task(unclear)()
    for words in ("unclear", "Annotate", "literal dict", "Target.output", "setup_targets"):
        assert words in str(refused.value)


def test_outputs_that_have_a_type_but_no_name_are_to_be_named() -> None:
    def unnamed(x) -> list[int]:
        return [x]

    with pytest.raises(DefinitionError) as refused:
        task(unnamed)()
    assert 'Give what it returns a name (-> {"x": list[int]})' in str(refused.value)


def test_keyword_only_arguments_are_refused() -> None:
    def strange(*, x: int) -> {"y": int}:
        return x

    with pytest.raises(DefinitionError, match=r"strange.*keyword-only"):
        task(strange)()


def test_targets_from_decorators_add_up() -> None:
    @Target.output("b", type=int)
    @Target.output("a", type=int)
    @task
    def made():
        return {"a": 1, "b": 2}

    assert made()() == {"a": 1, "b": 2}


def test_skipped_as_class_or_instance() -> None:
    @task
    def skip(how: int) -> {"x": int}:
        return Skipped if how else Skipped()

    assert isinstance(skip()(how=0), Skipped)
    assert isinstance(skip()(how=1), Skipped)


def test_ten_thousand_nodes_compile() -> None:
    @task
    def step(x: int) -> {"x": int}:
        return x + 1

    with Workflow() as w:
        last = step()
        for _ in range(9_999):
            last = last | step()
    spec = w.compiled().spec
    assert len(spec["blocks"][0]["nodes"]) == 10_000
    assert spec["blocks"][0]["nodes"][-1]["name"] == "step-10000"


def test_what_is_compiled_is_kept_until_the_graph_changes() -> None:
    with Workflow() as w:
        first = add(a=1)
    compiled = w.compiled()
    assert w.compiled() is compiled
    first.bind(b=2)
    assert w.compiled() is not compiled
