"""Called templates become blocks of the document that calls them."""

from __future__ import annotations

from typing import Any

import pytest
from headwater.document.expansion import expand
from headwater.document.linting import problems_of
from headwater.errors import UsageError

Object = dict[str, Any]
SAY: Object = {"name": "say", "container": {"image": "a"}, "outputs": {"words": {"type": "str"}}}


def expanded(template: Object, **spec: Any) -> Object:
    document = {"apiVersion": "headwater.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "it"}}
    return expand({**document, "spec": spec}, lambda name, version: {"spec": template})


def calling(*nodes: Object, **block: Any) -> list[Object]:
    call = {"name": "greet", "call": {"template": "greeting"}}
    return [{"name": "main", "nodes": [call, *nodes], **block}]


def test_a_document_of_one_block_needs_no_entrypoint_to_call_a_template() -> None:
    found = expanded({"blocks": [{"name": "main", "nodes": [SAY]}]}, blocks=calling())
    assert found["spec"]["entrypoint"] == "main"
    assert problems_of(found) == []


def test_a_template_offers_what_its_end_nodes_give() -> None:
    first = {"name": "first", "container": {"image": "a"}, "outputs": {"x": {}}}
    last = {**SAY, "inputs": {"x": {"from": "first.x"}}}
    template = {"blocks": [{"name": "main", "nodes": [first, last]}]}
    found = expanded(template, blocks=calling(outputs={"words": {"from": "greet.words"}}))
    assert problems_of(found) == []
    assert found["spec"]["blocks"][1]["outputs"] == {"words": {"from": "say.words"}}


@pytest.mark.parametrize(
    "asks",
    [
        {"outputs": {"x": {"from": "greet.first__x"}}},
        {"outputs": {"x": {"from": ["greet.first__x", "greet.words"]}}},
    ],
)
def test_a_template_offers_what_the_nodes_inside_give_to_who_asks_for_it(asks: Object) -> None:
    first = {"name": "first", "container": {"image": "a"}, "outputs": {"x": {}}}
    last = {**SAY, "inputs": {"x": {"from": "first.x"}}}
    found = expanded({"blocks": [{"name": "main", "nodes": [first, last]}]}, blocks=calling(**asks))
    assert found["spec"]["blocks"][1]["outputs"] == {
        "words": {"from": "say.words"}, "first__x": {"from": "first.x"},
    }  # fmt: skip


def test_a_template_offers_what_the_block_at_its_end_gives() -> None:
    call = {"name": "inside", "call": {"block": "inner"}}
    blocks = [{"name": "main", "nodes": [call]}, {"name": "inner", "nodes": [SAY]}]
    found = expanded(
        {"entrypoint": "main", "blocks": blocks}, blocks=calling(outputs={"w": {"from": "greet.words"}})
    )
    assert problems_of(found) == []


def test_several_blocks_still_need_an_entrypoint() -> None:
    template = {"blocks": [{"name": "main", "nodes": [SAY]}]}
    found = expanded(template, blocks=[*calling(), {"name": "other", "nodes": [SAY]}])
    assert [problem.path for problem in problems_of(found)] == ["spec.entrypoint"]


def test_what_a_template_merges_into_all_its_pods_is_merged_with_what_a_node_says() -> None:
    template = {
        "defaults": {
            "podTemplate": {"spec": {"priorityClassName": "low", "volumes": [{"name": "a", "emptyDir": {}}]}}
        },
        "blocks": [
            {
                "name": "main",
                "nodes": [
                    {
                        "name": "fit",
                        "task": "m:fit",
                        "podTemplate": {"spec": {"volumes": [{"name": "b", "emptyDir": {}}]}},
                    }
                ],
            }
        ],
    }
    (node,) = expanded(template, blocks=calling())["spec"]["blocks"][1]["nodes"]
    assert node["podTemplate"]["spec"] == {
        "priorityClassName": "low",
        "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}],
    }


def test_the_defaults_of_a_template_go_with_its_nodes() -> None:
    template = {
        "defaults": {"retry": {"limit": 2}, "timeout": "1m", "labels": {"a": "1", "b": "1"}},
        "blocks": [{"name": "main", "nodes": [{**SAY, "timeout": "1h", "labels": {"b": "2"}}]}],
    }
    (node,) = expanded(template, blocks=calling(), defaults={"timeout": "1s"})["spec"]["blocks"][1]["nodes"]
    assert (node["retry"], node["timeout"]) == ({"limit": 2}, "1h")
    assert node["labels"] == {"a": "1", "b": "2"}


def test_a_template_brings_its_code() -> None:
    task = {"name": "a", "task": "m:a"}
    template = {
        "code": {"image": "theirs", "configMap": "code-1"},
        "blocks": [{"name": "main", "nodes": [task]}],
    }
    spec = expanded(template, blocks=calling(task), code={"image": "ours"})["spec"]
    assert spec["code"] == {"image": "ours", "configMap": "code-1"}
    assert spec["blocks"][1]["nodes"][0]["image"] == "theirs"
    assert "image" not in spec["blocks"][0]["nodes"][1]


def test_two_bundles_in_one_run_are_refused() -> None:
    template = {"code": {"configMap": "code-1"}, "blocks": [{"name": "main", "nodes": [SAY]}]}
    with pytest.raises(UsageError, match=r"code of its own \(code-1\), and the run has code-2"):
        expanded(template, blocks=calling(), code={"configMap": "code-2"})
