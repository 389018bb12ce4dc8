"""What is in a run: its graph, attempts, items of maps, events, exceptions in groups."""

from __future__ import annotations

import json
from typing import Any

import pytest
from headwater.engine.intervals import IntervalSet
from headwater.records.alchemy import AlchemyConnection
from headwater.records.connection import SqliteConnection
from headwater.records.model import Node, Run
from headwater_dashboard.failures import likeness
from headwater_dashboard.item_values import item_values
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


def test_the_bins_of_100_000_items_are_few_and_hold_them_all(
    ask: TestClient, insert: Insert, big_map: None
) -> None:
    ranges = ",".join(f"{at}-{at + 9}" for at in range(0, 100_000, 10))
    insert("map_slice", row("map_slice", run_id="r", path="m", first_index=0, ranges=ranges, version=1,
                            finished_at=30.0))  # fmt: skip
    times = ask.get("/api/v1/runs/r/items/times?path=m&bins=60").json()
    assert len(times["bins"]) == 60
    assert sum(each["succeeded"] for each in times["bins"]) == 98_000
    assert sum(each["failed"] for each in times["bins"]) == 2_000
    assert (times["bins"][0]["start"], times["bins"][-1]["stop"]) == (-5.0, pytest.approx(120.0))
    assert [item["index"] for item in times["last"][:2]] == [2999, 2998]
    assert times["last"][0]["error"]["message"] == "no 2999"


@pytest.fixture
def big_map(insert: Insert) -> None:
    """The map m of the run r, 2,000 of whose 100,000 items failed, the later the higher their index."""
    insert("run", run_row("r"))
    insert("block", row("block", run_id="r", path="m", kind="map", ref="", phase="Failed", attempt=1, message="",
                        version=1, total=100_000, started_at=-5.0, finished_at=120.0))  # fmt: skip
    error = {"error_type": "ValueError", "error_class": "Error"}
    insert("map_item", *(
        row("map_item", run_id="r", path="m", item_index=at, phase="Failed", attempt=1, version=1,
            error_message=f"no {at}", finished_at=at / 50, **error) for at in range(1000, 3000)
    ))  # fmt: skip
    insert("runtime_exception", *(
        row("runtime_exception", run_id="r", path="m", item_index=at, attempt=1, type="ValueError", version=1,
            message=f"no {at}", error_class="Error", traceback=f"of {at}", raised_at=at / 50)
        for at in range(1000, 3000)
    ))  # fmt: skip


def test_of_a_map_that_failed_a_page_reads_its_own_rows_and_no_others(
    ask: TestClient, big_map: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    for kind in (SqliteConnection, AlchemyConnection):
        rows = kind.rows

        def counted(self: Any, *given: Any, rows: Any = rows) -> Any:
            found = rows(self, *given)
            read.append(len(found))
            return found

        monkeypatch.setattr(kind, "rows", counted)
    failed = ask.get("/api/v1/runs/r/items?path=m&phase=Failed&offset=1990&limit=5").json()
    assert [item["error"]["message"] for item in failed["items"]] == [f"no {at}" for at in range(2990, 2995)]
    assert failed["counts"] == {"Cancelled": 98_000, "Failed": 2_000}
    mixed = ask.get("/api/v1/runs/r/items?path=m&offset=998&limit=4").json()["items"]
    assert [(item["index"], item["phase"]) for item in mixed] == [
        (998, "Cancelled"), (999, "Cancelled"), (1000, "Failed"), (1001, "Failed")
    ]  # fmt: skip
    assert len(ask.get("/api/v1/runs/r/items/states?path=m").json()["ranges"]) == 3
    assert len(ask.get("/api/v1/runs/r/items/times?path=m").json()["bins"]) == 60
    (raised,) = ask.get("/api/v1/runs/r/exceptions?path=m&index=2999").json()["items"]
    assert raised["traceback"] == "of 2999"
    assert ask.get("/api/v1/runs/r/exceptions?path=m&index=-1").json()["items"] == []
    (second,) = ask.get("/api/v1/runs/r/exceptions?offset=1&limit=1").json()["items"]
    assert second["index"] == 1001
    (event,) = ask.get("/api/v1/runs/r/events?offset=1999&limit=1").json()["items"]
    assert (event["index"], event["message"]) == (2999, "ValueError: no 2999")
    assert max(read) < 100


def test_a_graph_of_thousands_of_nodes_is_packed(ask: TestClient, insert: Insert) -> None:
    insert("run", run_row("r"))
    insert("block", *(row("block", run_id="r", path=f"n{at}", kind="task", ref="m:f", phase="Succeeded", attempt=1,
                          message="", version=1) for at in range(2000)))  # fmt: skip
    plain = ask.get("/api/v1/runs/r/nodes", headers={"Accept-Encoding": "identity"})
    whole = ask.get("/api/v1/runs/r/nodes")
    assert len(whole.json()["nodes"]) == len(plain.json()["nodes"]) == 2000
    assert int(whole.headers["content-length"]) < int(plain.headers["content-length"]) / 10


def test_a_phase_that_there_is_not_is_refused_with_those_that_there_are(
    ask: TestClient, big_map: None
) -> None:
    for path in ("runs?phase=Faild", "stats?phase=Faild", "runs/r/items?path=m&phase=Faild"):
        answer = ask.get(f"/api/v1/{path}")
        assert answer.status_code == 422
        assert "'Failed'" in answer.json()["message"]


def test_an_item_that_there_is_not_is_said(ask: TestClient, big_map: None) -> None:
    assert ask.get("/api/v1/runs/r/items/values?path=m&index=99999").status_code == 200
    answer = ask.get("/api/v1/runs/r/items/values?path=m&index=100000")
    assert answer.status_code == 404
    assert answer.json()["message"] == "there is no item 100000 in m: it has 100000"


@pytest.mark.parametrize(
    "document",
    [
        {"x": {"range": "abc"}},
        {"x": {"range": {"from": "inputs.n"}}},
        {"x": {"range": -5}},
        {"x": {"range": 10**12}},
        {"x": {"range": 3}},
        {"x": "text"},
        {"x": {"value": {"a": 1}}},
        [1],
    ],
    ids=str,
)
def test_no_document_is_too_odd_for_the_values_of_an_item(document: Any) -> None:
    blocks = [{"name": "main", "nodes": [{"name": "m", "map": {"task": "m:f", "over": document}}]}]
    run = Run("r1", "n", "default", "", "Succeeded", 10.0, 11.0)
    for written in ({"spec": {"blocks": blocks}}, {"spec": {"blocks": [{"nodes": []}]}}, {"spec": [1]}):
        found = item_values(written, run, {"m": Node("m", "Failed", outputs={"y": {"json": [1]}})}, "m", 5)
        assert found.outputs == {}
        assert set(found.inputs) <= {"x"}
        assert len(json.dumps(found.inputs)) < 100


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
    from headwater.records.map_items import StateRange, _merged, _states

    done = IntervalSet()
    for piece in slices:
        for index in piece:
            done.add(index, index + 1)
    items = {index: "Failed" if bad else "Succeeded" for index, bad in own.items()}
    rows = list(_merged(StateRange(at, at + 1, items[at]) for at in sorted(items)))
    ranges = list(_merged(_states(41, sorted(done.ranges()), rows, "Pending")))
    phases = {index: each.phase for each in ranges for index in range(each.start, each.stop)}
    assert sum(each.stop - each.start for each in ranges) == 41
    expected = {index: "Succeeded" if done.ranges() and index in done else "Pending" for index in range(41)}
    assert phases == {**expected, **items}


def test_messages_that_differ_in_numbers_and_names_are_alike() -> None:
    assert likeness("E", "no 'a' at 0x1f, 3.5e-7") == likeness("E", 'no "b" at 0x2e, 17')
    assert likeness("E", "can't open '/data/a/1.fits'") == likeness("E", "can't open '/scratch/b'")
    assert likeness("E", "no /data/a/1.fits here") == likeness("E", "no /scratch/b-2 here")
    jobs = ("2f1d3c4b-aaaa-bbbb-cccc-1234567890ab", "deadbeef-0000-4000-8000-000000000000")
    assert likeness("E", f"job {jobs[0]}") == likeness("E", f"job {jobs[1]}")
    assert likeness("E", "commit 3f9a77bc0d") == likeness("E", "commit deadbeef01")
    assert likeness("E", "it's a's b") != likeness("E", "it's c's b")
    assert likeness("E", "no a") != likeness("E", "no b")


def test_exceptions_of_too_many_kinds_are_counted_though_not_shown(ask: TestClient, insert: Insert) -> None:
    insert("run", run_row("r"))
    words = [f"{chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(300)]
    insert("runtime_exception", *(
        row("runtime_exception", run_id="r", path="m", item_index=at, attempt=1, type="E", version=1,
            message=f"no {word}", error_class="Error", traceback="", raised_at=float(at))
        for at, word in enumerate(words)
    ))  # fmt: skip
    found = ask.get("/api/v1/runs/r/errors").json()
    assert (len(found["groups"]), found["left_out"]) == (200, 100)


def test_an_item_says_what_it_was_given_and_gave(of_run: Any) -> None:
    assert of_run("items/values?path=halves&index=5")["inputs"] == {"x": {"json": 5}}
    assert of_run("items/values?path=halves&index=4")["inputs"] == {"x": {"json": 4}}
    assert of_run("items/values?path=halves&index=6")["fix"] == "Give one from 0 to 5."


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
