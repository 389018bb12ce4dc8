"""The same records in PostgreSQL, on a server of the tests' own; skipped without one or psycopg2."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from headwater.engine.events import Failure
from headwater.errors import RecordsError
from headwater.records import (
    Recorder,
    attempts,
    edges,
    exceptions,
    get_run,
    items,
    known,
    list_runs,
    mark_lost,
    nodes,
    upgrade,
)
from headwater.records.connection import connect
from headwater.records.schema import downgrade

pytest.importorskip("psycopg2")

Start = Callable[..., Recorder]
Fail = Callable[..., Failure]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the socket of a running server. PostgreSQL does not run as root: then as `nobody`."""
    initdb, postgres = shutil.which("initdb"), shutil.which("postgres")
    if initdb is None or postgres is None:
        pytest.skip("needs initdb and postgres on the PATH")
    folder = Path(tmp_path_factory.mktemp("pg", numbered=True))
    owner = {"user": "nobody"} if hasattr(os, "geteuid") and os.geteuid() == 0 else {}
    if owner:
        shutil.chown(folder, "nobody")
        for parent in folder.parents[:3]:  # pytest's folders are for their owner only
            if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
                parent.chmod(0o755)
    data = folder / "data"
    made = subprocess.run(
        [initdb, "-D", str(data), "-U", "ada", "-A", "trust", "--no-sync"],
        capture_output=True,
        check=False,
        **owner,  # type: ignore[call-overload]
    )
    if made.returncode:
        pytest.skip(f"initdb: {made.stderr!r}")
    options = ["-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([postgres, *options], stdout=log, stderr=log, **owner)
    while not (folder / ".s.PGSQL.5432").exists():
        assert running.poll() is None, (folder / "log").read_text()
    yield folder
    running.terminate()
    running.wait()


@pytest.fixture
def pg_url(server: Path) -> Iterator[str]:
    url = f"postgresql+psycopg2://ada:secret@/postgres?host={server}"
    while True:
        try:
            connect(url).close()
            break
        except RecordsError as error:
            if "starting up" not in str(error):
                raise
    upgrade(url)
    yield url
    downgrade(url, "base")


def test_a_run_reads_the_same_from_both_databases(
    record: Start, url: str, pg_url: str, failure: Fail
) -> None:
    for at in (url, pg_url):
        recorder = record(at=at, document={"spec": {}}, config={"a": 1})
        recorder.edges([("gen", "m")])
        recorder.node_changed("gen", "Running", 1, 11.0)
        recorder.attempt_started("gen", 1, 11.0)
        assert recorder.flush(20)
        recorder.attempt_ended("gen", 1, 12.0, "Failed", failure("a\x00b %s :x"))
        recorder.attempt_started("gen", 2, 12.0)
        recorder.attempt_ended("gen", 2, 13.0, "Succeeded")
        recorder.node_changed("gen", "Succeeded", 2, 13.0, outputs={"x": {"json": "\u00e9\x00"}}, answer=True)
        recorder.node_changed("m", "Running", 1, 13.0, kind="map")
        recorder.map_sized("m", 300, 13.0)
        for start in range(0, 299):
            recorder.items_done("m", ((start, start + 1),), {"json": start}, 14.0)
        recorder.item_failed("m", 299, 1, failure(), 14.0)
        recorder.item_failed("m", 7, 1, failure(), 14.0)
        recorder.items_done("m", ((7, 8),), {"json": 7}, 14.0)
        recorder.node_changed("m", "Failed", 1, 15.0, kind="map", error=failure(node="m"))
        recorder.run_finished("Failed", finished_at=16.0, error=failure(node="m"), outputs={}, exit_code=1)
        assert recorder.close(20)
    assert get_run(url, "last") == get_run(pg_url, "r")
    assert list_runs(url, phase="Failed", since=1.0, limit=5) == list_runs(
        pg_url, phase="Failed", since=1.0, limit=5
    )
    for question in (nodes, attempts, exceptions, edges, known):
        assert question(url, "r1") == question(pg_url, "r1")
    assert items(url, "r1", "m") == items(pg_url, "r1", "m")
    assert nodes(pg_url, "r1")["m"].succeeded == 299


def test_a_lost_run_is_marked(record: Start, pg_url: str) -> None:
    recorder = record(at=pg_url)
    recorder.node_changed("a", "Running", 1, 11.0)
    assert recorder.flush(20)
    assert mark_lost(pg_url) == []
    connection = connect(pg_url)
    connection.write({}, [("UPDATE run SET process = 'gone'", {})])
    connection.close()
    assert mark_lost(pg_url) == ["r1"]
    assert nodes(pg_url, "r1")["a"].phase == "Lost"


def test_a_machine_whose_clock_is_an_hour_behind_is_not_held_for_silent(
    record: Start, pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    with monkeypatch.context() as there:
        there.setattr(time, "time", lambda: right() - 3600)
        recorder = record(at=pg_url, started_at=time.time())
        assert recorder.flush(20)
    connection = connect(pg_url)
    connection.write({}, [("UPDATE run SET host = 'elsewhere'", {})])
    assert mark_lost(pg_url) == []
    connection.write({}, [("UPDATE run SET heartbeat_at = heartbeat_at - 300", {})])
    connection.close()
    assert mark_lost(pg_url) == ["r1"]


def test_a_database_without_the_migrations_says_which_command_applies_them(
    record: Start, pg_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    downgrade(pg_url, "base")
    assert record(at=pg_url).close(20) is False
    (warning,) = (entry.getMessage() for entry in caplog.records if entry.name == "headwater.records")
    assert "lacks the migration 'headwater_0005'. Run `flowctl db upgrade`." in warning
    assert "secret" not in warning
    assert list_runs(pg_url) == []


def test_a_server_that_is_not_there_is_a_warning_at_the_end(
    record: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"postgresql+psycopg2://ada:secret@/postgres?host={tmp_path}"
    recorder = record(at=url)
    recorder.node_changed("a", "Running", 1, 11.0)
    assert recorder.close(0.3) is False
    (warning,) = (entry.getMessage() for entry in caplog.records if entry.name == "headwater.records")
    assert "cannot be reached" in warning
    assert "lack the run's own state, 1 configuration, 1 node state" in warning
    assert "secret" not in warning
    with pytest.raises(RecordsError, match="cannot be reached"):
        list_runs(url)


def test_several_that_migrate_at_once_wait_for_each_other(pg_url: str) -> None:
    downgrade(pg_url, "base")
    with ThreadPoolExecutor(4) as several:
        for done in [several.submit(upgrade, pg_url) for _ in range(4)]:
            done.result()
    assert list_runs(pg_url) == []
