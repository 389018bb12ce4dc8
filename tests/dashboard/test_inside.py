"""What is in a run: its graph, attempts, items of maps, events, exceptions in groups."""

from __future__ import annotations

from typing import Any

import pytest
from headwater.engine.intervals import IntervalSet
from headwater.records.map_items import MapItems
from headwater.records.model import Item, Node
from headwater_dashboard.failures import likeness
from headwater_dashboard.item_times import item_times
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.dashboard.conftest import Insert, fails, reduce, row, run_row


@pytest.fixture
def of_run(here: TestClient) -> Any:
    """What a route says of a real run whose map failed in two of six items."""
    reduce.run(check=False)
    (run,) = here.get("/api/v1/runs").json()["items"]
    return lambda part: here.get(f"/api/v1/runs/{run['run_id']}/{part}").json()


def test_the_graph_has_nodes_in_the_order_of_their_start_and_edges(of_run: Any) -> None:
    graph = of_run("nodes")
    assert [(node["path"], node["kind"], node["phase"]) for node in graph["nodes"]] == [
        ("gen", "task", "Succeeded"),
        ("halves", "map", "Failed"),
    ]
    assert graph["edges"] == [{"from": "gen", "to": "halves"}]
    halves = graph["nodes"][1]
    assert (halves["total"], halves["succeeded"], halves["failed"]) == (6, 4, 2)
    assert graph["nodes"][0]["outputs"] == {"xs": {"json": [0, 1, 2, 3, 4, 5]}}


def test_attempts_are_those_of_the_run_or_of_one_node(of_run: Any) -> None:
    assert {each["path"] for each in of_run("attempts")["items"]} == {"gen", "halves"}
    (only,) = of_run("attempts?path=gen")["items"]
    assert (only["attempt"], only["phase"], only["error"]) == (1, "Succeeded", None)


def test_items_of_a_map_come_by_page_and_by_phase(of_run: Any) -> None:
    page = of_run("items?path=halves&offset=1&limit=2")
    assert page["total"] == 6
    assert page["counts"] == {"Succeeded": 4, "Failed": 2}
    assert [(item["index"], item["phase"]) for item in page["items"]] == [(1, "Succeeded"), (2, "Failed")]
    assert page["items"][1]["error"]["message"] == "no half of 2"
    failed = of_run("items?path=halves&phase=Failed")["items"]
    assert [item["index"] for item in failed] == [2, 5]
    assert of_run("items?path=halves&phase=Failed&offset=9")["items"] == []


def test_the_states_of_all_items_are_ranges(of_run: Any) -> None:
    assert of_run("items/states?path=halves") == {
        "total": 6,
        "ranges": [
            {"start": 0, "stop": 2, "phase": "Succeeded"},
            {"start": 2, "stop": 3, "phase": "Failed"},
            {"start": 3, "stop": 5, "phase": "Succeeded"},
            {"start": 5, "stop": 6, "phase": "Failed"},
        ],
    }


def test_when_items_ended_is_counted_in_bins_and_the_last_are_named(of_run: Any) -> None:
    times = of_run("items/times?path=halves&bins=4&last=2")
    assert times["total"] == 6
    assert len(times["bins"]) == 4
    assert (sum(b["succeeded"] for b in times["bins"]), sum(b["failed"] for b in times["bins"])) == (4, 2)
    ends = [item["finished_at"] for item in times["last"]]
    assert len(ends) == 2
    assert ends == sorted(ends, reverse=True)
    assert of_run("items/times?path=gen") == {"total": 0, "bins": [], "last": []}


def test_the_bins_of_100_000_items_are_few_and_hold_them_all() -> None:
    own = {at * 1999: Item(at * 1999, "Failed", 2, 40.0) for at in range(50)}
    pieces = tuple(((at, at + 10), float(at % 97)) for at in range(0, 100_000, 10))
    node = Node("simulate", "Failed", started_at=-5.0, finished_at=120.0)
    times = item_times(MapItems(100_000, (), own, pieces), node, bins=60, last=10)
    assert len(times.bins) == 60
    assert sum(each.succeeded for each in times.bins) == 99_950
    assert sum(each.failed for each in times.bins) == 50
    assert (times.bins[0].start, times.bins[-1].stop) == (-5.0, pytest.approx(120.0))
    assert {item.finished_at for item in times.last} == {96.0}


def test_a_node_that_is_not_there_is_said_with_those_that_are(of_run: Any) -> None:
    answer = of_run("items?path=../gen")
    assert answer["message"].startswith("there is no node '../gen' in ")
    assert answer["fix"] == "Nodes: gen, halves."


def test_events_are_in_the_order_of_time(of_run: Any) -> None:
    events = of_run("events")["items"]
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert [(event["path"], event["phase"]) for event in events][:2] == [
        ("gen", "Running"),
        ("gen", "Succeeded"),
    ]
    assert {event["index"] for event in events if event["message"].startswith("ValueError")} >= {2, 5}
    assert {event["path"] for event in of_run("events?path=gen")["items"]} == {"gen"}


def test_exceptions_have_their_tracebacks(of_run: Any) -> None:
    found = of_run("exceptions?path=halves")["items"]
    raised = [each for each in found if each["type"] == "ValueError"]
    assert [each["index"] for each in raised] == [2, 5]
    assert "no half of 2" in raised[0]["traceback"]


def test_errors_are_grouped_by_likeness_the_first_cause_first(of_run: Any) -> None:
    groups = of_run("errors")["groups"]
    assert [(group["type"], group["count"]) for group in groups] == [("ValueError", 2), ("MapFailed", 1)]
    assert groups[0]["nodes"] == ["halves"]
    assert groups[0]["example"]["index"] == 2
    assert "ValueError" in groups[0]["example"]["traceback"]


def test_html_in_an_exception_is_data(here: TestClient) -> None:
    fails.run(check=False)
    (run,) = here.get("/api/v1/runs").json()["items"]
    answer = here.get(f"/api/v1/runs/{run['run_id']}/errors")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<b>bold</b>" in answer.json()["groups"][0]["message"]


def test_items_that_were_never_begun_wait_or_were_cancelled(ask: TestClient, insert: Insert) -> None:
    common = {"run_id": "r", "kind": "map", "ref": "", "attempt": 1, "message": "", "version": 1, "total": 10}
    insert("run", run_row("r"))
    insert(
        "block",
        row("block", path="on", phase="Running", **common),
        row("block", path="over", phase="Failed", finished_at=9.0, **common),
    )
    for path in ("on", "over"):
        insert("map_slice", row("map_slice", run_id="r", path=path, first_index=0, ranges="0-3,6", version=1))
    for path, rest in (("on", "Pending"), ("over", "Cancelled")):
        found = ask.get(f"/api/v1/runs/r/items?path={path}&offset=3&limit=2").json()
        assert found["counts"] == {"Succeeded": 5, rest: 5}
        assert [(item["phase"], item["attempt"]) for item in found["items"]] == [("Succeeded", 1), (rest, 0)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sets(st.integers(0, 40), min_size=1), max_size=4),
    st.dictionaries(st.integers(0, 40), st.booleans()),
)
def test_every_item_is_in_exactly_one_range(slices: list[set[int]], own: dict[int, bool]) -> None:
    from headwater.records.map_items import _merged, _states
    from headwater.records.model import Item

    done = IntervalSet()
    for piece in slices:
        for index in piece:
            done.add(index, index + 1)
    items = {index: Item(index, "Failed" if bad else "Succeeded") for index, bad in own.items()}
    ranges = list(_merged(_states(41, sorted(done.ranges()), items, "Pending")))
    phases = {index: each.phase for each in ranges for index in range(each.start, each.stop)}
    assert sum(each.stop - each.start for each in ranges) == 41
    expected = {index: "Succeeded" if done.ranges() and index in done else "Pending" for index in range(41)}
    assert phases == {**expected, **{index: item.phase for index, item in items.items()}}


def test_messages_that_differ_in_numbers_and_names_are_alike() -> None:
    assert likeness("E", "no 'a' at 0x1f, 3.5e-7") == likeness("E", 'no "b" at 0x2e, 17')
    assert likeness("E", "no a") != likeness("E", "no b")


def test_an_item_says_what_it_was_given_and_gave(of_run: Any) -> None:
    assert of_run("items/values?path=halves&index=5")["inputs"] == {"x": {"json": 5}}
    assert of_run("items/values?path=halves&index=4")["inputs"] == {"x": {"json": 4}}
    assert of_run("items/values?path=halves&index=99")["inputs"] == {"x": {"json": [0, 1, 2, 3, 4, 5]}}


def test_nodes_that_have_not_begun_are_in_the_graph_while_the_run_goes_on(
    ask: TestClient, insert: Insert
) -> None:
    insert("run", run_row("r1", phase="Running", finished_at=None, pid=0, backend="kubernetes", host=""))
    insert(
        "block",
        row(
            "block",
            run_id="r1",
            path="a",
            kind="task",
            ref="",
            phase="Running",
            attempt=1,
            message="",
            version=1,
        ),
    )
    insert(
        "edge",
        row("edge", run_id="r1", from_path="a", to_path="b"),
        row("edge", run_id="r1", from_path="x/c", to_path="x/d"),
    )
    nodes = ask.get("/api/v1/runs/r1/nodes").json()["nodes"]
    assert [(node["path"], node["phase"]) for node in nodes] == [("a", "Running"), ("b", "Pending")]
