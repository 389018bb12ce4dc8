"""A database that is locked, damaged, full or read-only: the run goes on, and somebody is told once."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from headwater.engine.events import Failure
from headwater.errors import RecordsError
from headwater.records import Recorder, get_run, list_runs, nodes
from headwater.records import batch as batch_module
from headwater.records.batch import Batch

Start = Callable[..., Recorder]


def lock(path: Path) -> sqlite3.Connection:
    """Take the write lock of a database from outside, as another program would."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 384 KiB of its own; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=384k", "none", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


# ---------------------------------------------------------------- locks


def test_a_short_lock_is_waited_out(
    record: Start, path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = record()
    assert recorder.flush()
    holder = lock(path)
    recorder.node_changed("a", "Succeeded", 1, 11.0)
    threading.Timer(0.7, lambda: holder.execute("ROLLBACK")).start()
    assert recorder.close()
    holder.close()
    assert list(nodes(url, "r1")) == ["a"]
    assert warnings(caplog) == []


def test_a_long_lock_never_holds_up_the_run_and_the_warning_says_what_is_missing(
    record: Start, path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = record()
    assert recorder.flush()
    holder = lock(path)
    began = time.monotonic()
    for i in range(1000):
        recorder.node_changed(f"n{i}", "Running", 1, 11.0)
    reported = time.monotonic() - began
    recorder.run_finished("Succeeded", finished_at=12.0)
    assert recorder.close(timeout=0.6) is False
    ended = time.monotonic() - began
    holder.execute("ROLLBACK")
    holder.close()
    assert reported < 0.5
    assert ended < 2.5
    (warning,) = warnings(caplog)
    assert str(path) in warning
    assert "locked" in warning
    assert "r1 lack the run's own state, 1000 node states" in warning
    assert get_run(url, "r1").phase == "Running"


def test_what_happened_while_it_was_locked_is_written_afterwards(record: Start, path: Path, url: str) -> None:
    recorder = record()
    assert recorder.flush()
    holder = lock(path)
    recorder.node_changed("a", "Running", 1, 11.0)
    assert not recorder.flush(timeout=0.1)
    recorder.node_changed("a", "Succeeded", 1, 12.0)
    holder.execute("ROLLBACK")
    holder.close()
    assert recorder.close()
    assert nodes(url, "r1")["a"].finished_at == 12.0


def test_a_lock_on_a_database_not_yet_made_is_waited_out(record: Start, path: Path, url: str) -> None:
    path.parent.mkdir()
    holder = lock(path)
    holder.execute("CREATE TABLE theirs (x)")
    recorder = record()
    recorder.node_changed("a", "Succeeded", 1, 12.0)
    threading.Timer(0.3, lambda: holder.execute("COMMIT")).start()
    assert recorder.close()
    holder.close()
    assert list(nodes(url, "r1")) == ["a"]


def test_the_states_of_a_locked_database_do_not_pile_up() -> None:
    waiting = Batch("r1", 0)
    for i in range(10_000):
        waiting.node("a", "Running", i, 11.0)
        waiting.sized("a", i, 11.0)
    assert len(waiting.take()["block"]) == 1


def test_outputs_are_let_go_before_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "WEIGHT_LIMIT", 100_000)
    waiting = Batch("r1", 0)
    waiting.node("m", "Running", 1, 11.0, "map")
    for i in range(1000):
        waiting.items_done("m", ((i, i + 1),), "x" * 1000, 11.0)
        waiting.item_failed("m", 2000 + i, 1, Failure("E", "m", traceback="t" * 1000), 11.0)
    rows = waiting.take()
    assert len(rows["block"]) == 1
    assert sum(len(str(row)) for of_table in rows.values() for row in of_table) < 200_000
    assert waiting.dropped["map_slice"] > 900
    assert "map output slices" in waiting.describe()
    waiting.written()
    assert waiting.dropped["map_slice"] > 900, "what is lost stays lost, and is said at the end"


# ---------------------------------------------------------------- databases that cannot be used


def unusable(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> str:
    """Report a run's worth into a recorder that cannot record; the one warning."""
    for i in range(100):
        recorder.node_changed(f"n{i}", "Succeeded", 1, 11.0, outputs={"x": {"json": "y" * 10_000}})
        if i == 50:
            assert not recorder.flush()
    recorder.run_finished("Succeeded", finished_at=12.0)
    assert recorder.close() is False
    (warning,) = warnings(caplog)
    assert "The run r1 goes on without being recorded." in warning
    return warning


@pytest.mark.parametrize(
    "content", [b"not a database at all " * 100, b"SQLite format 3\x00" + b"\xff" * 8192]
)
def test_a_damaged_database(
    record: Start, path: Path, url: str, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    warning = unusable(record(), caplog)
    assert f"the run database {path} is damaged" in warning
    assert f"mv {path} {path}.damaged" in warning
    for question in (lambda: list_runs(url), lambda: get_run(url, "last"), lambda: nodes(url, "r1")):
        with pytest.raises(RecordsError, match=r"is damaged .*the next run creates a new one"):
            question()
    assert path.read_bytes() == content


def test_a_database_damaged_in_the_middle_of_its_life(
    record: Start, path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = record("r0")
    for i in range(2000):
        first.node_changed(f"n{i}", "Succeeded", 1, 11.0)
    assert first.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    assert "is damaged" in unusable(record(), caplog)
    with pytest.raises(RecordsError, match="is damaged"):
        list_runs(url)


def test_a_folder_where_the_database_should_be(
    record: Start, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.mkdir(parents=True)
    assert str(path) in unusable(record(), caplog)


def test_a_file_where_the_folder_should_be(
    record: Start, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.write_text("in the way")
    assert f"the run database {path} cannot be opened" in unusable(record(), caplog)


def test_a_full_disk(record: Start, small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = record(at=f"sqlite:///{small_disk}/headwater.db")
    warning = unusable(recorder, caplog)
    assert f"{small_disk}/headwater.db cannot be written" in warning
    assert "Free some space" in warning


def test_a_read_only_disk_can_be_read_and_is_not_recorded_to(
    record: Start, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{small_disk}/headwater.db"
    before = record("r0", at=url)
    before.node_changed("a", "Succeeded", 1, 11.0)
    assert before.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    warning = unusable(record(at=url), caplog)
    assert f"{small_disk}/headwater.db" in warning
    assert "permissions" in warning
    assert [run.run_id for run in list_runs(url)] == ["r0"]
    assert list(nodes(url, "r0")) == ["a"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write(
    record: Start, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o555)
    try:
        assert "permissions" in unusable(record(), caplog)
    finally:
        path.parent.chmod(0o755)


# ---------------------------------------------------------------- several at once

WRITER = """
import sys
from headwater.records import Recorder, RunInfo
url, run_id = sys.argv[1:]
sys.stdin.readline()
recorder = Recorder(url, RunInfo(run_id, "reduce", "default", started_at=10.0))
for i in range(300):
    recorder.node_changed(f"n{i}", "Succeeded", 1, 11.0)
recorder.run_finished("Succeeded", finished_at=12.0)
sys.exit(0 if recorder.close(10) else 1)
"""


def test_processes_that_all_begin_at_once_in_a_database_not_yet_there(url: str) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, f"r{i}"], stdin=subprocess.PIPE, text=True)
        for i in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.communicate(timeout=60)
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert {run.phase for run in list_runs(url)} == {"Succeeded"}
    assert [len(nodes(url, f"r{i}")) for i in range(4)] == [300] * 4


def test_runs_at_once_in_one_process(record: Start, url: str) -> None:
    recorders = [record(f"r{i}") for i in range(8)]
    for recorder in recorders:
        recorder.node_changed("a", "Succeeded", 1, 11.0)
        recorder.run_finished("Succeeded", finished_at=12.0)
    assert all(recorder.close(10) for recorder in recorders)
    assert len(list_runs(url, phase="Succeeded")) == 8
