"""From a compiled workflow to what is created: arguments, exact constants, names."""

from __future__ import annotations

import base64
import pickle
from dataclasses import replace

import pytest
from headwater import Workflow, task
from headwater.backends.kubernetes.manifest import exact, manifest, spec_of, with_arguments
from headwater.backends.kubernetes.submission import prepare
from headwater.configuration import config
from headwater.document import validate
from headwater.document.exact import is_exact
from headwater.errors import UsageError


@task
def scale(x: float, factor: float = 2.0) -> {"y": float}:
    return x * factor


def workflow() -> Workflow:
    with Workflow() as w:
        scale(factor=4.0)
    return w


def opened(text: str) -> object:
    return pickle.loads(base64.b64decode(text))


def test_plain_json_stands_in_the_arguments() -> None:
    spec = with_arguments(spec_of(workflow().compiled()), {"x": 1.5})
    assert spec["arguments"] == {"x": 1.5}


@pytest.mark.parametrize("value", [1.0, (1, 2), {1: "a"}, b"x", 2**70, float("inf"), {"deep": [1.0]}])
def test_what_json_or_the_api_server_would_change_is_pickled_into_the_default(value: object) -> None:
    assert not is_exact(value)
    spec = with_arguments(spec_of(workflow().compiled()), {"x": value})
    assert "arguments" not in spec
    declared = spec["blocks"][0]["inputs"]["x"]
    assert opened(declared["pickle"]) == value
    assert declared["required"] is False
    validate(manifest("a-b", spec))


def test_constants_of_the_workflow_keep_their_type_too() -> None:
    spec = exact(spec_of(workflow().compiled()))
    (node,) = spec["blocks"][0]["nodes"]
    text = str(spec["blocks"])
    assert "4.0" not in text
    assert "pickle" in text
    assert node["name"] == "scale"


def test_constants_are_exact_where_they_stand_in_sources_defaults_and_initial_values() -> None:
    blocks = [
        {
            "name": "main",
            "inputs": {"a": {"default": 1.0}, "b": {"default": 1}},
            "nodes": [
                {"name": "n", "task": "m:f", "inputs": {"x": {"value": 2.0}, "y": {"value": 2}}},
                {"name": "i", "iterate": {"block": "b", "maxIterations": 2, "initial": {"z": 3.0, "k": 3}}},
            ],
        }
    ]
    (block,) = exact({"blocks": blocks})["blocks"]
    assert opened(block["inputs"]["a"]["pickle"]) == 1.0
    assert block["inputs"]["b"] == {"default": 1}
    assert opened(block["nodes"][0]["inputs"]["x"]["pickle"]) == 2.0
    assert block["nodes"][0]["inputs"]["y"] == {"value": 2}
    assert opened(block["nodes"][1]["iterate"]["initial"]["z"]["pickle"]) == 3.0
    assert block["nodes"][1]["iterate"]["initial"]["k"] == 3


def test_a_template_takes_json_only() -> None:
    with pytest.raises(UsageError, match=r"x of a template must be JSON"):
        with_arguments({"template": {"name": "reduce"}}, {"x": (1,)})


def test_the_image_is_that_of_the_command_line_then_of_the_document_then_of_the_config() -> None:
    compiled = workflow().compiled()
    with config.override({"image": "lab/from-config:1"}):
        assert prepare(compiled, {"x": 1.5}).image == "lab/from-config:1"
        assert prepare(compiled, {"x": 1.5}, image="lab/given:1").image == "lab/given:1"
    assert prepare(compiled, {"x": 1.5}).image is None


def test_an_input_that_cannot_be_pickled_is_refused() -> None:
    import threading

    with pytest.raises(UsageError, match="cannot be pickled"):
        prepare(workflow().compiled(), {"x": threading.Lock()})


def test_the_arguments_of_a_command_reach_the_context_of_its_pods() -> None:
    import argparse

    from headwater.configuration import context
    from headwater.pipeline.arguments import ARGUMENTS, encoded_arguments
    from headwater.runtime.pod import surroundings

    text = encoded_arguments(argparse.Namespace(size=3, password="hunter2"))
    compiled = replace(workflow().compiled(), annotations={ARGUMENTS: text})
    spec = prepare(compiled, {"x": 1.5}).spec
    try:
        with config.override({}):
            surroundings.settle(spec["parameters"])
            assert config.get("parameters") is None
        assert context.args == argparse.Namespace(size=3, password="***")
    finally:
        del context.args


@pytest.mark.parametrize("image", ["my image", "Upper/Case:1", "https://registry/tool"])
def test_an_image_that_cannot_be_one_is_refused_before_anything_is_sent(image: str) -> None:
    with pytest.raises(UsageError, match="is not the name of an image"):
        prepare(workflow().compiled(), {"x": 1.5}, image=image)
