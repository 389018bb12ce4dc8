"""What is damaged, or odd beyond measure, takes nothing else with it: it is shown as unreadable."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater.configuration import database_url
from headwater.records import upgrade
from headwater.records.connection import connect, sqlite_path
from headwater_dashboard.app import create_app
from headwater_dashboard.live import Hub
from headwater_dashboard.options import Options
from headwater_dashboard.store import Store
from starlette.testclient import TestClient

from tests.dashboard.conftest import AT_ONCE, Insert, row, run_row, served
from tests.dashboard.test_live import ON, after, events

DEEP = "[" * 300 + "]" * 300
NODE = {"run_id": "r1", "kind": "task", "ref": "m:f", "attempt": 1, "message": "", "version": 1}


@pytest.fixture
def damaged(here: TestClient) -> Iterator[sqlite3.Connection]:
    """The database of this machine, with the runs r0 to r9, for a foreign hand."""
    upgrade(database_url())
    connection = connect(database_url())
    connection.write({"run": [run_row(f"r{at}", started_at=10.0 + at) for at in range(10)]})
    connection.close()
    hand = sqlite3.connect(sqlite_path(database_url()) or "")
    yield hand
    hand.close()


@pytest.mark.parametrize(
    "damage",
    [
        "labels = 'not json'",
        "labels = '[1]'",
        "started_at = 'text'",
        "started_at = 9e999",
        "started_at = 1e300, phase = 'Failed'",
        "finished_at = 'x'",
        "name = x'ff00fe'",
        "name = CAST(x'ff41' AS TEXT)",
        "progress_done = 'q'",
        "progress_done = 1.5",
        "phase = 'Running', finished_at = NULL, pid = 'x'",
        "phase = 'Running', finished_at = NULL, pid = 1, host = 'far', heartbeat_at = 'x'",
        "error_type = x'00', error_message = 7",
        "code = '{', inputs = '7', outputs = 'x'",
    ],
)
def test_one_damaged_row_hides_no_other(here: TestClient, damaged: sqlite3.Connection, damage: str) -> None:
    damaged.execute(f"UPDATE run SET {damage} WHERE run_id = 'r5'")
    damaged.commit()
    for path in ("runs", "runs/r5", "names", "stats", "stats?text=r", "runs?text=e", "runs?label=a=b"):
        answer = here.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
    assert {run["run_id"] for run in here.get("/api/v1/runs").json()["items"]} == {
        f"r{at}" for at in range(10)
    }
    found, cursor = [], ""
    while cursor is not None:
        page = here.get("/api/v1/runs", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += [run["run_id"] for run in page["items"]]
        cursor = page["next"]
    assert sorted(found) == [f"r{at}" for at in range(10)]


def test_what_cannot_be_read_of_a_run_is_said(here: TestClient, damaged: sqlite3.Connection) -> None:
    damaged.execute("UPDATE run SET labels = '{', finished_at = 'x' WHERE run_id = 'r5'")
    damaged.commit()
    run = here.get("/api/v1/runs/r5").json()
    assert run["message"] == "of its record cannot be read: finished_at, labels"
    assert (run["labels"], run["finished_at"], run["name"]) == ({}, None, "reduce")


@pytest.mark.parametrize("document", ["[1]", "{", "[" * 100_000], ids=["list", "half", "deep"])
def test_a_damaged_document_is_said(here: TestClient, damaged: sqlite3.Connection, document: str) -> None:
    damaged.execute("INSERT INTO document VALUES ('d1', ?, 1.0)", (document,))
    damaged.execute("UPDATE run SET document_digest = 'd1'")
    damaged.commit()
    answer = here.get("/api/v1/runs/r5/document")
    assert answer.status_code == 500
    assert answer.json()["message"].startswith("the document d1 is damaged")


@pytest.mark.parametrize(
    "value",
    [DEEP, '"\\ud800"', '{"\\udfff": NaN}', "1e999", "1" * 4000],
    ids=["deep", "half a character", "not a number", "infinite", "large"],
)
def test_values_that_json_cannot_carry_are_shown_as_far_as_it_can(
    ask: TestClient, insert: Insert, value: str
) -> None:
    insert("run", run_row("r1", outputs=f'{{"x": {value}}}', labels='{"a": "\\ud800"}'))
    insert("block", row("block", path="a", phase="Failed", outputs=f'{{"x": {value}}}', **NODE))
    for path in ("/runs", "/runs/r1", "/runs/r1/nodes"):
        answer = ask.get(f"/api/v1{path}")
        assert answer.status_code == 200
        json.loads(answer.content)


def test_a_page_that_is_open_on_odd_values_hears_of_them_and_all_others_go_on(
    url: str, insert: Insert
) -> None:
    insert("run", run_row("r1", **ON))
    insert("block", row("block", path="a", phase="Running", **NODE))
    with (
        served(Options(url, requests_per_second=AT_ONCE)) as address,
        events(address, "/runs/r1/stream") as one,
        events(address, "/stream") as all_,
    ):
        assert after(one, "ping") == after(all_, "ping") == {}
        outputs = f'{{"x": {DEEP}, "y": "\\ud800"}}'
        insert("block", row("block", path="a", phase="Failed", outputs=outputs, **{**NODE, "version": 2}))
        assert "nested too deep" in json.dumps(after(one, "nodes"), ensure_ascii=False)
        insert("run", run_row("r2", started_at=11.0, **ON))
        assert after(all_, "run")["run_id"] == "r2"


def test_the_poller_outlives_whatever_goes_wrong_in_a_look(
    url: str, insert: Insert, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, fails = Hub._look, iter([True, False, True])

    def sometimes(hub: Hub, watched: set[str]) -> object:
        if next(fails, False):
            raise TypeError("nobody foresaw this")
        return look(hub, watched)

    monkeypatch.setattr(Hub, "_look", sometimes)
    insert("run", run_row("r1", **ON))
    with (
        served(Options(url, requests_per_second=AT_ONCE)) as address,
        events(address, "/stream") as told,
    ):
        after(told, "ping")
        insert("run", run_row("r1", version=2))
        assert after(told, "run")["phase"] == "Succeeded"


def test_a_defect_is_answered_as_every_error_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater_dashboard.runs.page_of_runs", lambda *_, **__: 1 / 0)
    upgrade(database_url())
    with TestClient(
        create_app(Options(database_url())), base_url="http://127.0.0.1", raise_server_exceptions=False
    ) as client:
        answer = client.get("/api/v1/runs")
    assert answer.status_code == 500
    assert answer.json()["message"] == "/api/v1/runs failed: ZeroDivisionError"


def test_a_database_that_is_gone_is_said_and_comes_back(here: TestClient, tmp_path: Path) -> None:
    file = Path(sqlite_path(database_url()) or "")
    assert here.get("/api/v1/runs").json()["items"] == []  # not there yet: nothing is recorded
    upgrade(database_url())
    assert here.get("/api/v1/runs").status_code == 200
    file.rename(tmp_path / "away.db")
    answer = here.get("/api/v1/runs")
    assert answer.status_code == 503
    assert answer.json()["message"] == f"the run database {file} is gone"
    (tmp_path / "away.db").rename(file)
    assert here.get("/api/v1/runs").status_code == 200


def test_a_dashboard_for_looking_only_shows_lost_runs_and_writes_nothing() -> None:
    upgrade(database_url())
    connection = connect(database_url())
    connection.write({"run": [run_row("r1", host="far", **{**ON, "pid": 7})]})
    options = Options(database_url(), read_only=True, requests_per_second=AT_ONCE)
    with TestClient(create_app(options), base_url="http://127.0.0.1") as looking:
        assert looking.get("/api/v1/runs/r1").json()["phase"] == "Lost"
        assert [run["phase"] for run in looking.get("/api/v1/runs").json()["items"]] == ["Lost"]
    assert connection.rows("SELECT phase FROM run") == [("Running",)]
    connection.close()


def test_a_dashboard_for_looking_only_leaves_an_older_database_as_it_is() -> None:
    from headwater.errors import RecordsError
    from headwater.records.schema import downgrade, revisions

    upgrade(database_url())
    downgrade(database_url(), "headwater_0004")
    store = Store(database_url(), read_only=True)
    with pytest.raises(RecordsError, match="lacks the migration"), store.reading():
        pass
    connection = connect(database_url())
    assert revisions(connection) == {"headwater_0004"}
    connection.close()
