"""A run whose process is gone is `Lost`, and what it had done is there."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from headwater.records import Attempt, Recorder, attempts, get_run, known, list_runs, mark_lost, nodes
from headwater.records import process as process_module
from headwater.records.process import host_name, is_gone, process_mark

Start = Callable[..., Recorder]

BUSY = """
import sys
from headwater.records import Recorder, RunInfo
recorder = Recorder(sys.argv[1], RunInfo("r1", "reduce", "default", started_at=10.0))
recorder.node_changed("done", "Succeeded", 1, 11.0, outputs={"x": {"json": 1}})
recorder.node_changed("going", "Running", 1, 12.0)
recorder.attempt_started("going", 1, 12.0)
recorder.node_changed("m", "Running", 1, 12.0, kind="map")
recorder.items_done("m", ((0, 5),), {"json": [1]}, 12.5)
print("reported", flush=True)
while True:
    pass
"""


@pytest.fixture
def killed(url: str) -> subprocess.Popen[str]:
    """A process that was killed in the middle of a run, not before what it reported was written."""
    process = subprocess.Popen([sys.executable, "-c", BUSY, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "reported\n"
    while "going" not in nodes(url, "r1"):
        assert process.poll() is None
    assert get_run(url, "r1").phase == "Running"
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return process


def test_a_killed_run_is_lost_when_next_seen_and_its_records_are_there(
    killed: subprocess.Popen[str], url: str
) -> None:
    # The parent has not asked after its child yet: the pid still exists, as a zombie.
    run = get_run(url, "r1")
    assert (run.phase, run.ended, run.finished_at) == ("Lost", True, 12.0)
    assert run.message == f"the process {killed.pid} on {host_name()} ended without a word"
    found = nodes(url, "r1")
    assert {path: node.phase for path, node in found.items()} == {
        "done": "Succeeded",
        "going": "Lost",
        "m": "Lost",
    }
    assert attempts(url, "r1") == [Attempt("going", 1, "Lost", 12.0)]
    resumable = known(url, "r1")
    assert set(resumable) == {"done", "m"}
    assert resumable["m"].done == ((0, 5),)
    killed.wait()


def test_lost_runs_are_found_by_any_question(killed: subprocess.Popen[str], url: str) -> None:
    assert mark_lost(url) == ["r1"]
    assert mark_lost(url) == []
    assert [run.phase for run in list_runs(url, phase="Lost")] == ["Lost"]
    killed.wait()


def test_a_database_that_cannot_be_written_still_tells_of_the_loss(
    killed: subprocess.Popen[str], url: str, path: Path
) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert get_run(url, "r1").phase == "Lost"
    assert [run.phase for run in list_runs(url)] == ["Lost"]
    assert holder.execute("SELECT phase FROM run").fetchall() == [("Running",)]
    holder.close()
    killed.wait()


def test_a_run_that_goes_on_is_not_lost(record: Start, url: str) -> None:
    recorder = record()
    recorder.node_changed("a", "Running", 1, 11.0)
    assert recorder.flush()
    assert mark_lost(url) == []
    assert get_run(url, "last").phase == "Running"


def test_a_pid_that_another_process_has_now_does_not_save_a_lost_run(
    record: Start, url: str, path: Path
) -> None:
    recorder = record()
    assert recorder.flush()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE run SET process = process || '0'")
    assert mark_lost(url) == ["r1"]


def test_a_run_on_another_machine_is_lost_when_it_is_silent(record: Start, url: str, path: Path) -> None:
    recorder = record(started_at=1e12)
    assert recorder.flush()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE run SET host = 'elsewhere'")
    assert mark_lost(url) == []
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE run SET heartbeat_at = 10.0")
    assert mark_lost(url) == ["r1"]


def test_a_run_held_for_lost_by_mistake_is_right_again_when_it_ends(
    record: Start, url: str, path: Path
) -> None:
    recorder = record()
    recorder.node_changed("a", "Running", 1, 11.0)
    assert recorder.flush()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE run SET process = 'gone'")
    assert mark_lost(url) == ["r1"]
    recorder.node_changed("a", "Succeeded", 1, 12.0)
    recorder.run_finished("Succeeded", finished_at=13.0)
    assert recorder.close()
    assert get_run(url, "r1").phase == nodes(url, "r1")["a"].phase == "Succeeded"


# ---------------------------------------------------------------- processes


def test_this_process_lives_and_no_process_lives_twice() -> None:
    mark = process_mark(os.getpid())
    assert mark is not None
    assert not is_gone(host_name(), os.getpid(), mark)
    assert is_gone(host_name(), os.getpid(), mark + "0")
    assert not is_gone("elsewhere", os.getpid(), "x")
    assert process_mark(2**22 + 5) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_another_boot_has_ended_every_process_and_another_container_says_nothing() -> None:
    kind, boot, namespace, started = (process_mark(os.getpid()) or "").split(":")
    assert is_gone(host_name(), os.getpid(), f"{kind}:before:{namespace}:{started}")
    assert not is_gone(host_name(), os.getpid(), f"{kind}:{boot}:0:1")


def test_without_proc_it_works_too() -> None:
    mark = process_module._portable_mark(os.getpid())
    assert mark is not None
    assert mark == process_module._portable_mark(os.getpid())
    assert process_module._portable_mark(2**22 + 5) is None
