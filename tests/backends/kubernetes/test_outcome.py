"""From a status to a result: nodes, items, errors, values."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from typing import Any

import pytest
from headwater.backends.kubernetes.errors import ClusterError
from headwater.backends.kubernetes.order import in_order
from headwater.backends.kubernetes.outcome import exit_code_of, nodes_of, outputs_of, run_error_of
from headwater.backends.kubernetes.values import plain

SPEC = {
    "blocks": [
        {"name": "main", "nodes": [{"name": "gen"}, {"name": "process"}, {"name": "add"}]},
    ]
}


def pickled(value: object) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


def notes(engine: dict[str, Any], **beside: Any) -> str:
    blank = {"outputs": {}, "error": None, "stopping": None, "root": None, "exit": None}
    text = json.dumps([{**blank, **engine}, beside])
    return "1:" + base64.b64encode(zlib.compress(text.encode())).decode()


def workflow(**status: Any) -> dict[str, Any]:
    metadata = {"name": "reduce-x7k2p", "creationTimestamp": "2026-01-02T03:04:05Z"}
    return {"metadata": metadata, "spec": SPEC, "status": status}


def test_nodes_come_in_the_order_of_the_document_with_their_times() -> None:
    found = nodes_of(
        workflow(
            nodes={
                "add": {"phase": "Pending", "waiting": "process"},
                "gen": {"phase": "Succeeded", "attempts": 2, "at": [100.0, 0.5, 2.0]},
                "process": {
                    "phase": "Running",
                    "attempts": 1,
                    "at": [103.0, 1.0],
                    "items": {"total": 10, "succeeded": "0-4,7", "failed": "5", "running": 3, "cached": 1},
                },
            }
        )
    )
    assert list(found) == ["gen", "process", "add"]
    assert (found["gen"].started_at, found["gen"].finished_at, found["gen"].attempts) == (100.5, 102.5, 2)
    items = found["process"].items
    assert items is not None
    assert (items.total, items.succeeded, items.failed, items.running, items.cached) == (10, 6, 1, 3, 1)
    assert (found["process"].started_at, found["process"].finished_at) == (104.0, None)
    assert found["add"].message == "process"


def test_the_first_failed_node_says_why_where_the_status_does_not() -> None:
    run = workflow(
        phase="Failed",
        nodes={
            "process": {"phase": "Failed", "error": {"type": "MapFailed", "message": "1 of 2"}},
            "process/inner": {
                "phase": "Failed",
                "error": {"type": "ValueError", "message": "no", "class": "Error", "node": "process/inner"},
            },
        },
    )
    error = run_error_of(run, nodes_of(run))
    assert error is not None
    assert (error.node, error.type, error.message) == ("process/inner", "ValueError", "no")


def test_a_spec_that_cannot_run_is_told_with_its_reason() -> None:
    run = workflow(phase="Failed", reason="InvalidSpec", message="spec.blocks[0]: unknown field")
    error = run_error_of(run, nodes_of(run))
    assert error is not None
    assert (error.type, error.error_class, error.message) == (
        "InvalidSpec",
        "InvalidSpec",
        "spec.blocks[0]: unknown field",
    )


def test_a_cancelled_run_has_no_error() -> None:
    assert run_error_of(workflow(phase="Cancelled"), nodes_of(workflow())) is None


def test_the_operators_notes_are_exact_where_kubernetes_is_not() -> None:
    frame = {
        "block": "main",
        "prefix": "",
        "nodes": [
            {},
            {
                "items": {
                    "done": "0-2,4",
                    "running": "",
                    "failed": {"3": {"type": "LookupError", "message": "three", "class": "Error"}},
                }
            },
        ],
    }
    engine = {
        "outputs": {"x": {"json": 1.0}},
        "error": {
            "type": "ValueError",
            "message": "no",
            "class": "Error",
            "node": "gen",
            "traceback": "trace",
        },
        "stopping": {"code": 3},
        "root": frame,
    }
    run = workflow(
        phase="Failed",
        outputs={"x": 1},
        nodes={"process": {"phase": "Failed", "items": {"total": 5, "succeeded": "0-2,…", "failed": "3"}}},
        engine=notes(engine, pickles={"process": {"3": pickled(LookupError("three"))}}),
    )
    assert outputs_of(run) == {"x": {"json": 1.0}}
    assert isinstance(outputs_of(run)["x"]["json"], float)
    assert exit_code_of(run) == 3
    nodes = nodes_of(run)
    error = run_error_of(run, nodes)
    assert error is not None
    assert (error.node, error.traceback) == ("gen", "trace")
    assert (
        repr(error.exception) == "TaskFailed('ValueError: no')"
    )  # as on other backends, where none came along
    items = nodes["process"].items
    assert items is not None
    assert (items.succeeded, items.failed) == (4, 1)
    assert repr(items.failures[3].exception) == "LookupError('three')"
    assert items.failures[3].node == "process[3]"


@pytest.mark.parametrize(
    "engine", ["", "9:abc", "1:!!", notes({"outputs": None, "error": "x"}), "1:" + "A" * 8]
)
def test_notes_that_cannot_be_read_are_no_reason_to_fail(engine: str) -> None:
    run = workflow(phase="Succeeded", outputs={"x": [1]}, engine=engine)
    assert outputs_of(run) == {"x": {"json": [1]}}


def test_values_that_stand_in_the_status() -> None:
    failed = {"pickle": pickled(LookupError("three"))}
    value = plain("y", {"list": [{"json": 1}, failed, {"range": 2}, {"item": [{"json": ["a", "b"]}, 1]}]})
    assert isinstance(value, list)
    assert value[0] == 1
    assert repr(value[1]) == "LookupError('three')"
    assert value[2:] == [range(2), "b"]


def test_a_value_of_a_class_that_is_not_here_says_whose_it_is() -> None:
    data = base64.b64encode(b"cnowhere_at_all\nThing\n.").decode()
    with pytest.raises(ClusterError, match=r"output 'y' cannot be loaded here.*nowhere_at_all"):
        plain("y", {"pickle": data})


def test_passes_items_and_inner_nodes_are_ordered_by_number() -> None:
    paths = ["add", "process[10]/b", "process[9]/b", "process", "gen", "unknown"]
    assert in_order(paths, SPEC) == ["gen", "process", "process[9]/b", "process[10]/b", "add", "unknown"]
