"""What changes is told at once to all who listen, over a real connection."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from headwater.configuration import database_url, state_dir
from headwater.records import upgrade
from headwater.records.changes import Seen, changed_runs
from headwater.records.connection import connect
from headwater.records.log_files import log_file
from headwater_dashboard.options import Options

from tests.dashboard.conftest import AT_ONCE, Insert, reduce, row, run_row, served

Event = tuple[str, Any]
ON = {"phase": "Running", "finished_at": None, "pid": 0}


@contextmanager
def events(address: str, path: str, **headers: str) -> Iterator[Iterator[Event]]:
    """The server-sent events of a path, as they come."""
    with httpx.stream("GET", f"{address}/api/v1{path}", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _parsed(answer.iter_lines())


def _parsed(lines: Iterator[str]) -> Iterator[Event]:
    name = ""
    for line in lines:
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value)


def after(found: Iterator[Event], name: str) -> Any:
    """The data of the next event of this name."""
    return next(data for event, data in found if event == name)


@pytest.fixture
def address(url: str) -> Iterator[str]:
    with served(Options(url, requests_per_second=AT_ONCE)) as found:
        yield found


def test_a_run_that_begins_and_one_that_ends_are_told_to_all(address: str, insert: Insert) -> None:
    insert("run", run_row("old", started_at=1.0), run_row("r1", **ON))
    with events(address, "/stream") as first, events(address, "/stream") as second:
        assert after(first, "ping") == after(second, "ping") == {}
        insert("run", run_row("r2", started_at=11.0, **ON))
        for listener in (first, second):
            assert after(listener, "run")["run_id"] == "r2"
        insert("run", run_row("r1", version=2))
        for listener in (first, second):
            told = after(listener, "run")
            assert (told["run_id"], told["phase"]) == ("r1", "Succeeded")


def test_one_run_is_told_as_it_stands_and_then_what_changes(address: str, insert: Insert) -> None:
    node = {"run_id": "r1", "kind": "task", "ref": "m:f", "attempt": 1, "message": ""}
    insert("run", run_row("r1", **ON), run_row("r2", **ON))
    insert("block", row("block", path="a", phase="Running", version=1, **node))
    with events(address, "/runs/r1/stream") as told:
        assert after(told, "run")["phase"] == "Running"
        assert [each["path"] for each in after(told, "nodes")["nodes"]] == ["a"]
        assert after(told, "ping") == {}
        insert(
            "block",
            row("block", path="b", phase="Running", version=2, **node),
            row("block", path="a", phase="Succeeded", version=2, **node),
        )
        changed = {each["path"]: each["phase"] for each in after(told, "nodes")["nodes"]}
        while len(changed) < 2:
            changed |= {each["path"]: each["phase"] for each in after(told, "nodes")["nodes"]}
        assert changed == {"a": "Succeeded", "b": "Running"}
        insert("run", run_row("r2", version=2))
        insert("run", run_row("r1", version=3, phase="Failed"))
        assert after(told, "run")["phase"] == "Failed"


def test_a_real_run_is_seen_while_the_page_is_open() -> None:
    with (
        served(Options(database_url(), requests_per_second=AT_ONCE)) as address,
        events(address, "/stream") as told,
    ):
        after(told, "ping")
        result = reduce.run(check=False)
        run = after(told, "run")
        while run["phase"] != "Failed":
            run = after(told, "run")
    assert run["run_id"] == result.run_id


def test_many_runs_that_change_at_once_are_all_told_to_one_who_listens(address: str, insert: Insert) -> None:
    with events(address, "/stream") as told:
        after(told, "ping")
        insert("run", *(run_row(f"r{at}", started_at=10.0) for at in range(1500)))
        assert {after(told, "run")["run_id"] for _ in range(1500)} == {f"r{at}" for at in range(1500)}
        insert("run", run_row("r7", version=2, phase="Failed"))
        assert after(told, "run")["phase"] == "Failed"


def test_a_run_whose_clock_was_wrong_hides_none_that_begins_after_it(address: str, insert: Insert) -> None:
    insert("run", run_row("future", started_at=1e11))
    with events(address, "/stream") as told:
        after(told, "ping")
        insert("run", run_row("r1", started_at=time.time(), finished_at=time.time()))
        assert after(told, "run")["run_id"] == "r1"


class Reviews:
    """A cluster that answers who may see what."""

    visible: ClassVar[set[str]] = set()

    def create(self, _path: str, review: dict[str, Any]) -> dict[str, Any]:
        return {"status": {"allowed": review["spec"]["resourceAttributes"]["namespace"] in self.visible}}


@pytest.fixture
def reviewed(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a dashboard that asks a cluster at every look who may see what."""
    monkeypatch.setattr("headwater_dashboard.app.Cluster", Reviews)
    monkeypatch.setattr("headwater_dashboard.access.KEPT_SECONDS", 0.0)
    monkeypatch.setattr("headwater_dashboard.store.KEPT_SECONDS", 0.0)
    monkeypatch.setattr("headwater_dashboard.live.RENEWED_SECONDS", 0.0)
    monkeypatch.setattr("headwater_dashboard.live.PING_SECONDS", 0.0)
    monkeypatch.setattr(Reviews, "visible", {"lab"})
    options = Options(url, trust_proxy_headers=True, per_namespace=True, requests_per_second=AT_ONCE)
    with served(options) as found:
        yield found


def test_a_stream_ends_with_the_right_to_see_its_run(reviewed: str, insert: Insert) -> None:
    insert("run", run_row("r1", namespace="lab", **ON))
    ada = {"X-Forwarded-User": "ada"}
    with (
        events(reviewed, "/runs/r1/stream", **ada) as one,
        events(reviewed, "/runs/r1/logs/stream", **ada) as log,
        events(reviewed, "/stream", **ada) as all_,
    ):
        for told in (one, log, all_):
            after(told, "ping")
        Reviews.visible = set()
        assert {name for name, _ in one} <= {"ping"}
        assert {name for name, _ in log} <= {"ping"}
        Reviews.visible = {"field"}  # a namespace that was not there before
        for version in range(1, 100):
            insert("run", run_row("r2", namespace="field", version=version, **ON))
            name, run = next(all_)
            if name == "run":
                break
        assert run["run_id"] == "r2"


def test_streams_of_logs_count_among_those_that_may_be_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headwater_dashboard.live.MOST_STREAMS", 2)
    upgrade(database_url())
    connection = connect(database_url())
    connection.write({"run": [run_row("r1", **ON)]})
    connection.close()
    options = Options(database_url(), requests_per_second=AT_ONCE)
    with (
        served(options) as address,
        events(address, "/runs/r1/logs/stream") as first,
        events(address, "/runs/r1/logs/stream") as second,
    ):
        after(first, "ping"), after(second, "ping")
        for path in ("stream", "runs/r1/stream", "runs/r1/logs/stream"):
            assert httpx.get(f"{address}/api/v1/{path}").status_code == 503


def test_a_log_is_followed_to_its_end() -> None:
    upgrade(database_url())
    connection = connect(database_url())
    connection.write({"run": [run_row("r1", **ON)]})
    (state_dir() / "logs").mkdir(parents=True)
    line = '{{"t": 0, "p": "a", "a": 1, "s": "stdout", "x": "{}"}}\n'
    log_file("r1").write_text(line.format("one"))
    options = Options(database_url(), requests_per_second=AT_ONCE)
    with served(options) as address, events(address, "/runs/r1/logs/stream") as told:
        assert after(told, "log")["text"].endswith("a: one\n")
        with Path(log_file("r1")).open("a") as file:
            file.write(line.format("two"))
        assert after(told, "log")["text"].endswith("a: two\n")
        connection.write({"run": [run_row("r1", version=2)]})
        assert after(told, "end") == {"next_offset": log_file("r1").stat().st_size}
        assert list(told) == []
    connection.close()


def test_the_first_look_tells_nothing_and_later_ones_only_what_changed(url: str, insert: Insert) -> None:
    insert("run", run_row("a", **ON), run_row("b", started_at=-1000.0))
    connection = connect(url)
    runs, seen = changed_runs(connection, Seen(), 20.0)
    assert runs == []
    assert changed_runs(connection, seen, 20.0)[0] == []
    insert("run", run_row("b", started_at=-1000.0, version=2), run_row("c", started_at=9.0))
    runs, seen = changed_runs(connection, seen, 20.0)
    assert [run.run_id for run in runs] == ["c"]  # what ended long ago is not looked at again
    insert("run", run_row("a", version=2))
    runs, seen = changed_runs(connection, seen, 20.0)
    assert [run.run_id for run in runs] == ["a"]
    assert changed_runs(connection, seen, 20.0)[0] == []
    connection.close()
