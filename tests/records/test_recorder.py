"""What is told to a recorder is found in the database."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest
from headwater.engine import Phase
from headwater.engine.events import Failure
from headwater.records import (
    Attempt,
    Error,
    Item,
    Node,
    Recorder,
    attempts,
    configuration,
    document,
    edges,
    exceptions,
    get_run,
    items,
    nodes,
)
from headwater.records.connection import connect

Start = Callable[..., Recorder]
Fail = Callable[..., Failure]


def count(url: str, table: str) -> int:
    connection = connect(url)
    found: int = connection.rows(f"SELECT count(*) FROM {table}")[0][0]
    connection.close()
    return found


def test_a_run_is_there_as_soon_as_it_started(record: Start, url: str) -> None:
    recorder = record(
        target="reduce.py",
        document=lambda: {"spec": {"entrypoint": "main"}},
        config={"databases": {"default": {"user": "ada:***"}}},
        inputs={"x": {"json": 1}},
        code={"m:f": "sha256:1"},
        resumed_from="r0",
    )
    assert recorder.flush()
    run = get_run(url, "r1")
    assert (run.phase, run.ended, run.target, run.resumed_from) == ("Running", False, "reduce.py", "r0")
    assert (run.pid, run.host, bool(run.user)) == (os.getpid(), os.uname().nodename, True)
    assert (run.inputs, run.code, run.started_at, run.finished_at) == (
        {"x": {"json": 1}},
        {"m:f": "sha256:1"},
        10.0,
        None,
    )
    assert document(url, run) == {"spec": {"entrypoint": "main"}}
    assert configuration(url, run) == {"databases": {"default": {"user": "ada:***"}}}


def test_the_end_of_a_run_is_recorded_with_its_cause(record: Start, url: str, failure: Fail) -> None:
    recorder = record()
    recorder.run_finished(
        "Failed",
        finished_at=12.0,
        error=failure(node="compute"),
        outputs={"y": {"json": None}},
        exit_code=3,
        message="1 of 2 failed",
    )
    assert recorder.close()
    run = get_run(url, "r1")
    assert (run.phase, run.finished_at, run.exit_code, run.message) == ("Failed", 12.0, 3, "1 of 2 failed")
    assert run.error == Error("KeyError", "no such key", "Error", "compute")
    assert run.outputs == {"y": {"json": None}}
    assert run.ended


def test_equal_documents_and_configurations_are_kept_once(record: Start, url: str) -> None:
    for run_id in ("r1", "r2", "r3"):
        config = {"parameters": {"t": {"x": run_id == "r3"}}}
        record(run_id, document={"spec": {}}, config=config).close()
    assert (count(url, "run"), count(url, "document"), count(url, "configuration")) == (3, 1, 2)


def test_the_states_of_a_node_become_one_row_with_both_times(record: Start, url: str) -> None:
    recorder = record()
    recorder.node_changed("gen-data", Phase.PENDING, 0, 10.0, ref="m:GenData")
    recorder.node_changed("gen-data", Phase.RUNNING, 1, 11.0, ref="m:GenData", inputs={"n": {"json": 2}})
    recorder.node_changed("gen-data", Phase.SUCCEEDED, 1, 12.0, ref="m:GenData", outputs={"x": {"json": [1]}})
    assert recorder.close()
    assert nodes(url, "r1") == {
        "gen-data": Node(
            "gen-data",
            "Succeeded",
            "task",
            "m:GenData",
            1,
            started_at=11.0,
            finished_at=12.0,
            inputs={"n": {"json": 2}},
            outputs={"x": {"json": [1]}},
        )
    }


def test_it_makes_no_difference_whether_states_are_written_together_or_one_by_one(
    record: Start, url: str, failure: Fail
) -> None:
    def report(recorder: Recorder, pause: Callable[[], object]) -> None:
        for tell in (
            lambda: recorder.node_changed("a", "Running", 1, 11.0, kind="map", inputs={"i": {"json": 0}}),
            lambda: recorder.attempt_started("a", 1, 11.0),
            lambda: recorder.map_sized("a", 3, 11.5),
            lambda: recorder.items_done("a", ((0, 1),), {"json": [0]}, 12.0),
            lambda: recorder.item_failed("a", 1, 1, failure(), 12.5),
            lambda: recorder.items_done("a", ((1, 3),), {"json": [1, 2]}, 13.0, cached=1),
            lambda: recorder.attempt_ended("a", 1, 13.0, "Failed", failure()),
            lambda: recorder.node_changed("a", "Running", 2, 14.0, kind="map"),
            lambda: recorder.attempt_started("a", 2, 14.0),
            lambda: recorder.attempt_ended("a", 2, 15.0, "Succeeded"),
            lambda: recorder.node_changed("a", "Succeeded", 2, 15.0, kind="map", outputs={"o": {"json": 1}}),
            lambda: recorder.run_finished("Succeeded", finished_at=15.5),
        ):
            tell()
            pause()
        assert recorder.close()

    together, one_by_one = record("r1", interval=5.0), record("r2")
    report(together, lambda: None)
    report(one_by_one, one_by_one.flush)
    for question in (nodes, attempts, exceptions):
        assert question(url, "r1") == question(url, "r2")
    assert items(url, "r1", "a") == items(url, "r2", "a")
    node = nodes(url, "r1")["a"]
    assert (node.started_at, node.finished_at, node.attempt) == (11.0, 15.0, 2)
    assert (node.total, node.succeeded, node.failed, node.cached) == (3, 3, 0, 1)
    assert node.inputs == {"i": {"json": 0}}


def test_values_are_taken_as_they_were_when_reported(record: Start, url: str) -> None:
    recorder = record(interval=5.0)
    value = [1, 2]
    recorder.node_changed("a", "Succeeded", 1, 11.0, outputs={"x": {"json": value}})
    value.append(3)
    assert recorder.close()
    assert nodes(url, "r1")["a"].outputs == {"x": {"json": [1, 2]}}


def test_skipped_and_cached_nodes_have_both_times(record: Start, url: str) -> None:
    recorder = record()
    recorder.node_changed("a", "Skipped", 0, 11.0, message="condition 'c' was false")
    recorder.node_changed("b", "Cached", 1, 11.0, started_at=10.5, answer=True)
    assert recorder.close()
    found = nodes(url, "r1")
    assert (found["a"].started_at, found["a"].finished_at, found["a"].message) == (
        11.0,
        11.0,
        "condition 'c' was false",
    )
    assert (found["b"].started_at, found["b"].finished_at, found["b"].answer) == (10.5, 11.0, True)


def test_attempts_and_what_they_raised(record: Start, url: str, failure: Fail) -> None:
    recorder = record()
    recorder.attempt_started("a", 1, 10.0)
    recorder.attempt_ended("a", 1, 11.0, "Failed", failure("first"))
    recorder.attempt_started("a", 2, 12.0)
    recorder.attempt_ended("a", 2, 13.0, "Failed", failure("second"))
    recorder.node_changed("a", "Failed", 2, 13.0, error=failure("second"))
    recorder.node_changed("around", "Failed", 1, 13.0, kind="call", error=failure("second", node="a"))
    assert recorder.close()
    assert attempts(url, "r1", "a") == [
        Attempt("a", 1, "Failed", 10.0, 11.0, Error("KeyError", "first")),
        Attempt("a", 2, "Failed", 12.0, 13.0, Error("KeyError", "second")),
    ]
    raised = exceptions(url, "r1")
    assert [(e.path, e.attempt, e.message, e.traceback) for e in raised] == [
        ("a", 1, "first", "Traceback ..."),
        ("a", 2, "second", "Traceback ..."),
    ]
    assert nodes(url, "r1")["around"].error == Error("KeyError", "second", "Error", "a")
    assert exceptions(url, "r1", "around") == []


def test_a_failure_inside_a_unit_is_kept_where_it_began(record: Start, url: str, failure: Fail) -> None:
    recorder = record()
    recorder.node_changed("unit", "Failed", 1, 13.0, kind="call", error=failure(node="unit/inner"))
    assert recorder.close()
    assert [(e.path, e.index) for e in exceptions(url, "r1")] == [("unit/inner", None)]


def test_items_are_slices_with_a_row_only_for_those_that_failed(
    record: Start, url: str, failure: Fail
) -> None:
    recorder = record()
    recorder.node_changed("m", "Running", 1, 10.0, kind="map")
    recorder.map_sized("m", 10_000, 10.0)
    recorder.items_done("m", ((0, 17), (18, 5000)), {"ref": "sha256:1"}, 11.0)
    recorder.item_failed("m", 17, 1, failure("seventeen"), 11.0)
    recorder.item_failed("m", 17, 2, failure("seventeen"), 12.0)
    recorder.item_failed("m", 5000, 1, failure("flaky"), 12.0)
    recorder.items_done("m", ((5000, 10_000),), {"ref": "sha256:2"}, 13.0)
    recorder.node_changed("m", "Succeeded", 1, 13.0, kind="map")
    recorder.run_finished("Succeeded", finished_at=13.0)
    assert recorder.close()
    assert (count(url, "map_slice"), count(url, "map_item")) == (2, 2)
    found = items(url, "r1", "m")
    assert [item.index for item in found] == list(range(10_000))
    assert items(url, "r1", "m", "Failed") == [
        Item(17, "Failed", 2, 12.0, Error("KeyError", "seventeen")),
    ]
    assert found[5000] == Item(5000, "Succeeded", 2, 13.0)
    assert len(items(url, "r1", "m", "Succeeded")) == 9_999
    assert [(e.index, e.attempt) for e in exceptions(url, "r1", "m")] == [(17, 1), (17, 2), (5000, 1)]
    node = nodes(url, "r1")["m"]
    assert (node.total, node.succeeded, node.failed) == (10_000, 9_999, 1)
    assert get_run(url, "r1").failed_items == 1


def test_the_progress_of_a_map_can_be_followed(record: Start, url: str) -> None:
    recorder = record()
    recorder.node_changed("m", "Running", 1, 10.0, kind="map", ref="m:f")
    recorder.map_sized("m", 4, 10.0)
    assert recorder.flush()
    assert nodes(url, "r1")["m"].total == 4
    recorder.items_done("m", ((0, 3),), {"json": []}, 11.0)
    assert recorder.flush()
    node = nodes(url, "r1")["m"]
    assert (node.phase, node.ref, node.succeeded, node.failed) == ("Running", "m:f", 3, 0)


def test_an_item_that_reports_after_its_map_ended_does_not_wake_it(record: Start, url: str) -> None:
    recorder = record()
    recorder.node_changed("m", "Running", 1, 10.0, kind="map")
    recorder.node_changed("m", "Cancelled", 1, 11.0, kind="map")
    recorder.items_done("m", ((0, 3),), {"json": []}, 12.0)
    recorder.items_done("m", (), None, 12.0)
    assert recorder.close()
    assert nodes(url, "r1")["m"].phase == "Cancelled"
    assert len(items(url, "r1", "m")) == 3


def test_nothing_stays_running_after_the_end(record: Start, url: str) -> None:
    recorder = record()
    recorder.node_changed("a", "Running", 1, 10.0)
    recorder.attempt_started("a", 1, 10.0)
    recorder.node_changed("b", "Suspended", 1, 10.0)
    recorder.node_changed("c", "Pending", 0, 10.0)
    recorder.run_finished("Cancelled", finished_at=12.0)
    assert recorder.close()
    found = nodes(url, "r1")
    assert {path: node.phase for path, node in found.items()} == {
        "a": "Cancelled",
        "b": "Cancelled",
        "c": "Pending",
    }
    assert attempts(url, "r1") == [Attempt("a", 1, "Cancelled", 10.0, 12.0)]


def test_edges_artifacts_and_cache_entries(record: Start, url: str) -> None:
    recorder = record()
    recorder.edges([("a", "b"), ("a", "c")])
    recorder.edges([("a", "b")])
    recorder.artifact("sha256:1", 10, "npy", 11.0)
    recorder.artifact("sha256:1", 10, "npy", 12.0)
    recorder.cache_entry("k1", "a", 11.0, size=5)
    assert recorder.close()
    assert edges(url, "r1") == [("a", "b"), ("a", "c")]
    assert (count(url, "artifact"), count(url, "cache_entry")) == (1, 1)


@pytest.mark.parametrize("text", ["a\x00b", "lone \udc80 surrogate", "e\u0301\U0001f600", "x" * 1_000_000])
def test_any_text_can_be_recorded(record: Start, url: str, failure: Fail, text: str) -> None:
    recorder = record(name=text, inputs={"x": {"json": text}})
    recorder.node_changed("a", "Failed", 1, 11.0, message=text, error=failure(text, traceback=text))
    assert recorder.close()
    run, (raised,) = get_run(url, "r1"), exceptions(url, "r1")
    assert run.inputs == {"x": {"json": text}}
    assert len(raised.message) <= 8_300
    assert len(raised.traceback) <= 66_000
    if text.isprintable() and len(text) < 100:
        assert raised.message == nodes(url, "r1")["a"].message == run.name == text


def test_many_threads_may_report_at_once(record: Start, url: str) -> None:
    recorder = record()

    def report(worker: int) -> None:
        for i in range(200):
            recorder.node_changed(f"{worker}/{i}", "Running", 1, 10.0)
            recorder.node_changed(f"{worker}/{i}", "Succeeded", 1, 11.0)

    threads = [threading.Thread(target=report, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.close()
    assert {node.phase for node in nodes(url, "r1").values()} == {"Succeeded"}
    assert len(nodes(url, "r1")) == 800


def test_a_run_recorded_again_under_its_id_replaces_what_was(record: Start, url: str) -> None:
    first = record()
    first.node_changed("a", "Failed", 1, 11.0, message="before")
    first.run_finished("Failed", finished_at=12.0)
    assert first.close()
    again = record()
    again.node_changed("a", "Succeeded", 1, 21.0)
    again.run_finished("Succeeded", finished_at=22.0)
    assert again.close()
    assert nodes(url, "r1")["a"].phase == get_run(url, "r1").phase == "Succeeded"


def test_closing_twice_and_reporting_afterwards_do_no_harm(record: Start) -> None:
    recorder = record()
    assert recorder.close()
    recorder.node_changed("a", "Running", 1, 11.0)
    assert recorder.close()


def test_an_interval_later_it_is_in_the_database_without_being_asked(record: Start, url: str) -> None:
    recorder = record()
    recorder.node_changed("a", "Running", 1, 11.0)
    seen = threading.Event()
    for _ in range(2000):
        if nodes(url, "r1"):
            seen.set()
            break
    assert seen.is_set()
