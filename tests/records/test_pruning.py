"""Retention: what ended long ago goes with all that belongs to it, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from headwater.engine.events import Failure
from headwater.errors import UsageError
from headwater.records import Recorder, exceptions, items, list_runs, nodes, pruning, upgrade
from headwater.records.connection import connect
from headwater.records.log_files import log_file
from headwater.records.pruning import prune, seconds_of

from tests.operator.mirror.conftest import server  # noqa: F401
from tests.operator.mirror.servers import Server

TABLES = ("run", "block", "edge", "attempt", "map_item", "map_slice", "runtime_exception")


@pytest.fixture(params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, url: str, record: Callable[..., Recorder], failure: Callable[..., Failure]
) -> str:
    """A database of three runs: two that ended, at 100 and at 200, and one that goes on."""
    if request.param == "postgresql":
        postgres: Server = request.getfixturevalue("server")
        url = postgres.url(request.getfixturevalue("emptied"))
        upgrade(url)
    for run_id, end in (("old", 100.0), ("new", 200.0), ("on", None)):
        document = {"spec": {"of": "all" if run_id != "old" else "old"}}
        recorder = record(run_id, at=url, document=document, config={"a": 1})
        recorder.edges([("a", "m")])
        recorder.node_changed("a", "Succeeded", 1, 11.0)
        recorder.attempt_started("a", 1, 10.0)
        recorder.map_sized("m", 3, 10.0)
        recorder.items_done("m", ((0, 2),), {"json": 1}, 12.0)
        recorder.item_failed("m", 2, 1, failure(), 12.0)
        if end is not None:
            recorder.run_finished("Failed", finished_at=end)
        assert recorder.close(20)
    for run_id in ("old", "new"):
        log_file(run_id).parent.mkdir(parents=True, exist_ok=True)
        log_file(run_id).write_text("{}")
    connection = connect(url)
    steps = [(f"UPDATE {table} SET created_at = 10", {}) for table in ("document", "configuration")]
    connection.write({}, [*steps, ("UPDATE run SET heartbeat_at = 1e11, host = 'elsewhere'", {})])
    connection.close()
    return url


@pytest.fixture
def emptied(server: Server):  # noqa: F811
    with server.database() as name:
        yield name


def counted(url: str) -> dict[str, int]:
    connection = connect(url)
    tables = (*TABLES, "document", "configuration")
    counts = {table: connection.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}
    connection.close()
    return counts


def test_counting_removes_nothing_and_says_what_would_go(filled: str) -> None:
    before = counted(filled)
    would_go = prune(filled, before=150.0, dry_run=True)
    assert counted(filled) == before
    assert would_go == {
        "run": 1, "block": 1, "edge": 1, "attempt": 1, "map_item": 1, "map_slice": 1, "runtime_exception": 1,
        "document": 1, "configuration": 0, "log": 1,
    }  # fmt: skip


def test_what_was_counted_goes(filled: str) -> None:
    would_go = prune(filled, before=150.0, dry_run=True)
    before = counted(filled)
    assert prune(filled, before=150.0) == would_go
    assert counted(filled) == {table: before[table] - would_go[table] for table in before}
    assert [log_file(run_id).exists() for run_id in ("old", "new")] == [False, True]
    assert {run.run_id for run in list_runs(filled)} == {"new", "on"}
    assert list(nodes(filled, "old")) == []
    assert len(items(filled, "new", "m")) == 3
    assert len(exceptions(filled, "new")) == 1
    assert prune(filled, before=150.0)["document"] == 0


def test_many_runs_go_in_several_transactions(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 1)
    assert prune(filled, before=1e10)["run"] == 2
    assert [run.run_id for run in list_runs(filled)] == ["on"]


@pytest.mark.parametrize("age", ["", "90", "d", "-1d", "1.5d", "9y", "90d; DROP TABLE run"])
def test_what_is_no_age_is_refused(age: str) -> None:
    with pytest.raises(UsageError, match="is not an age"):
        seconds_of(age)
