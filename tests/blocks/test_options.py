"""Options of tasks and workflows that cannot work are refused where they are written."""

from __future__ import annotations

from typing import Any

import pytest
from headwater import MapWorkflow, Parameter, Workflow, task, workflow
from headwater.backends.kubernetes.submission import prepare
from headwater.configuration import config
from headwater.errors import DefinitionError, DocumentError


def numbers(n: int = 3) -> {"xs": list[int]}:
    return list(range(n))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cahce": True}, "Did you mean 'cache'?"),
        ({"retry": 3}, "Write retries=2"),
        ({"retry": {"limt": 1}}, "unknown key 'limt' in `retry`. Did you mean 'limit'?"),
        ({"retry": {"limit": -1}}, "`retry.limit` must be a number of retries"),
        ({"retry": {"classes": ["Timout"]}}, "Did you mean 'Timeout'?"),
        ({"retry": {"classes": "Timeout"}}, "`retry.classes` must be a list"),
        ({"retry": {"backoff": {"intial": "1s"}}}, "Did you mean 'initial'?"),
        ({"retry": {"backoff": {"max": "soon"}}}, "`retry.backoff.max` must be a duration"),
        ({"retry": {"oomFactor": 0.5}}, "`retry.oomFactor` must be a number of at least 1"),
        ({"retries": -1}, "`retries` must be a number of retries from 0 to 1000; got -1"),
        ({"retries": "2"}, "`retries` must be a number"),
        ({"timeout": "soon"}, "`timeout` must be a duration"),
        ({"timeout": 0}, "`timeout` must be longer than nothing"),
        ({"cache": "yes"}, "`cache` must be True, False or 'inputs'; got 'yes'"),
        ({"cache": "input"}, "`cache` must be"),
        ({"resources": {"cpu": "1"}}, "Write resources={'requests'"),
        ({"executor": "slrum"}, "Did you mean 'slurm'?"),
        ({"image": 3}, "`image` must be the name of an image"),
    ],
)
@pytest.mark.parametrize("decorate", [task, workflow, MapWorkflow.as_workflow])
def test_they_are_refused_at_the_definition(decorate: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        decorate(**options)(numbers)
    assert words in str(refused.value)
    assert "numbers" in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {"retries": 0, "cache": False, "timeout": "1h30m", "queue_timeout": 0.5},
        {"retry": {"limit": 2, "classes": ("Oom",), "backoff": {"initial": 1, "factor": 1.5, "max": "1m"}}},
        {"cache": "inputs"},
        {"cache": "off", "resources": {"limits": {"memory": "1Gi"}}, "executor": "pod", "image": "a:b"},
    ],
)
def test_what_can_work_is_taken(options: dict[str, Any]) -> None:
    @workflow
    def flow():
        task(**options)(numbers)()

    prepare(flow().compiled(), {})


def test_cache_off_is_no_cache() -> None:
    @workflow
    def flow():
        task(cache="off")(numbers)()

    (node,) = flow().compiled().spec["blocks"][0]["nodes"]
    assert "cache" not in node


def test_what_only_a_cluster_refuses_is_refused_before_it_gets_there() -> None:
    @workflow
    def flow():
        task(resources={"limits": {"memory": "lots"}})(numbers)()

    with pytest.raises(DocumentError) as refused:
        prepare(flow().compiled(), {})
    assert "'flow' cannot run in a cluster" in str(refused.value)
    assert "lots" in str(refused.value)


def test_a_task_takes_its_inputs_by_name() -> None:
    made = task(numbers)
    with pytest.raises(DefinitionError, match=r"takes its inputs by name; got 1\. Write numbers\(NAME=1\)"):
        made(1)


def test_a_workflow_whose_function_wants_something_says_so() -> None:
    @workflow
    def flow(n):
        task(numbers)(n=n)

    with pytest.raises(DefinitionError, match=r"cannot be made: missing a required argument: 'n'"):
        flow()


def test_a_task_without_parentheses_is_no_block() -> None:
    @workflow
    def flow():
        numbers  # noqa: B018  # the slip that is meant

    with pytest.raises(DefinitionError, match="without parentheses makes none"):
        flow().compiled()


def test_the_default_of_a_parameter_holds_where_the_config_has_none() -> None:
    @task
    def scaled(x: int = 2, k: Parameter(int) = 5) -> {"y": int}:
        return x * k

    @workflow
    def flow():
        scaled()

    assert flow.run().outputs == {"y": 10}
    with config.override({"parameters": {"scaled": {"k": 3}}}):
        assert flow.run().outputs == {"y": 6}


def test_a_workflow_says_how_many_pods_it_wants() -> None:
    @task
    def one() -> {"x": int}:
        return 1

    @workflow(placement="unit")
    def inner():
        one()

    with Workflow(placement="nodes") as outer:
        inner()
    blocks = outer.compiled().spec["blocks"]
    assert {block["name"]: block.get("placement") for block in blocks} == {"main": "nodes", "inner": "unit"}


def test_a_placement_that_there_is_not_is_refused() -> None:
    with pytest.raises(DefinitionError, match="placement"):
        Workflow(placement="pod")
    with pytest.raises(DefinitionError, match="placement"):
        task(placement="unit")(len)


def test_on_this_machine_every_task_is_seen_whatever_the_placement() -> None:
    @task
    def one() -> {"x": int}:
        return 1

    with Workflow() as outer, Workflow(name="inner", placement="unit"):
        one()
    assert outer.run(track=False).nodes["inner/one"].phase == "Succeeded"
