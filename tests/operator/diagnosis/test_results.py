"""The results of containers."""

from __future__ import annotations

from typing import Any

import pytest
from headwater.engine.events import Failure
from headwater_operator.diagnosis import container_outputs, outcome

from tests.operator.diagnosis.seen import seen

DECLARED = {"x": {"type": "int"}, "y": {}}


def test_a_result() -> None:
    assert container_outputs('{"x": 3, "y": null, "more": [1]}\n', DECLARED) == {
        "x": {"json": 3}, "y": {"json": None}, "more": {"json": [1]},
    }  # fmt: skip


def test_a_container_that_declares_nothing_may_write_what_it_likes() -> None:
    assert container_outputs("", {}) == {}
    assert container_outputs("all is well", {}) == {}
    assert container_outputs("[1]", {}) == {}
    assert container_outputs('{"x": 1}', {}) == {"x": {"json": 1}}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "",
            "it wrote no result, so outputs 'x', 'y' are missing: write one JSON object, {\"x\": ..., \"y\": ...}",
        ),
        ('{"x": 3}', "output 'y' is missing from its result, which has 'x'"),
        ('{"x": 3', "its result is not JSON"),
        ("[3]", "its result is a list, not an object"),
        ('{"x": NaN, "y": 1}', "NaN is not JSON"),
        ('{"x": 3, "y": 1e999}', "output 'y' holds a number that is too large for a float"),
        ('{"x": 3, "y": "\\ud800"}', "output 'y' holds '\\ud800' with half a character in it"),
        ('{"x": 18446744073709551617, "y": 1}', "output 'x' holds a whole number of more than 64 bits"),
        ('{"x": 3, "y": 1, "\\ud800": 2}', "output '\\ud800' holds '\\ud800' with half a character in it"),
        ('{"x": 3, "y": ' + "[" * 200 + "]" * 200 + "}", "output 'y' is nested deeper than 100"),
        ('{"x": 3, "y": ' + "[" * 1990 + "]" * 1990 + "}", "its result is nested deeper than 100"),
        ('{"x": "3", "y": 1}', "output 'x' must be int; it wrote a str"),
        ('{"x": true, "y": 1}', "output 'x' must be int; it wrote a boolean"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(message: str, said: str) -> None:
    found = container_outputs(message, DECLARED)
    assert isinstance(found, Failure)
    assert said in found.message


def test_an_int_is_a_float() -> None:
    assert container_outputs('{"x": 3}', {"x": {"type": "float"}}) == {"x": {"json": 3}}


def test_a_result_that_the_kubelet_has_cut_is_called_too_long() -> None:
    ended: Any = outcome(seen("result-too-long")["pod"])
    for message in ('x": [' + "1, " * 1400, ended.message):
        found = container_outputs(message[-4096:], DECLARED)
        assert isinstance(found, Failure)
        assert "4,096 bytes" in found.message
