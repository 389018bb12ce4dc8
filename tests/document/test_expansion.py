"""Called templates become blocks of the document that calls them."""

from __future__ import annotations

from typing import Any

from headwater.document.expansion import expand
from headwater.document.linting import problems_of

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
    assert found["spec"]["blocks"][1]["outputs"] == {
        "words": {"from": "say.words"}, "first__x": {"from": "first.x"}, "say__words": {"from": "say.words"},
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
