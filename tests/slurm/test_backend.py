"""Pipelines on the real Slurm: logs, limits, directives, what dies and what is found again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from headwater import MapWorkflow, Task, Workflow, task
from headwater.backends.result import RunResult
from headwater.configuration import config, state_dir
from headwater.errors import DefinitionError

from tests.slurm.jobs import until
from tests.slurm.places import Slot
from tests.slurm.processes import start

PIPELINE = Path(__file__).with_name("pipeline_for_tests.py")


def _run(workflow: Workflow, **inputs: object) -> RunResult:
    with config.override({"slurm": {"grace_seconds": 3}}):
        result: RunResult = workflow.run(backend="slurm", check=False, **inputs)
    return result


def _jobs_of(run_id: str) -> list[str]:
    """The jobs of a run that are in the queue."""
    shown = subprocess.run(["squeue", "-h", "-o", "%j"], capture_output=True, text=True, check=True).stdout
    return [name for name in shown.split() if run_id in name]


def _start(home: Path, *words: str) -> subprocess.Popen[str]:
    """A submitting process of its own."""
    environment = {**os.environ, "HEADWATER_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    return start([str(Path(sys.executable).with_name("flowctl")), *words], env=environment, cwd=home)


def _flowctl(home: Path, *words: str) -> tuple[int, str]:
    process = _start(home, *words)
    said, _ = process.communicate(timeout=110)
    return process.returncode, said


@task
def talks(n: int) -> {"n": int}:
    print(f"printed by {n}")
    return n


@task
def greedy(bytes_wanted: int) -> {"size": int}:
    return len(bytearray(bytes_wanted))


def _asking(function: Callable[..., object], **slurm: object) -> type[Task]:
    """A task of its own that asks Slurm for this."""
    made: type[Task] = task(slurm=slurm)(function)
    return made


def _talk(n: int) -> {"n": int}:
    return n


def _grow(bytes_wanted: int) -> {"size": int}:
    return len(bytearray(bytes_wanted))


def test_what_jobs_print_is_in_the_log_of_the_run(slurm: Slot) -> None:
    with Workflow() as w:
        MapWorkflow(talks(), map_on={"ns": "n"}, name="talking")
    result = _run(w, ns=[1, 2, 3])
    log = (state_dir() / "logs" / f"{result.run_id}.jsonl").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    printed = {(line["p"], line["i"], line["x"]) for line in lines if line["s"] == "stdout"}
    assert printed == {("talking", i, f"printed by {i + 1}") for i in range(3)}


def test_nothing_is_left_of_a_run_that_is_over(slurm: Slot) -> None:
    with Workflow() as w:
        talks()
    result = _run(w, n=1)
    assert result.phase == "Succeeded"
    assert not (state_dir() / "slurm").exists()
    until(lambda: _jobs_of(result.run_id) == [])


def test_over_memory_is_oom_and_names_the_job_the_state_and_the_fix(slurm: Slot) -> None:
    with Workflow() as w:
        _asking(_grow, mem="150M")(bytes_wanted=900_000_000)
    result = _run(w)
    assert result.error is not None
    assert result.error.error_class == "Oom"
    for words in ("Slurm job", "OUT_OF_MEMORY", "slurm={'mem': ...}"):
        assert words in result.error.message


def test_an_item_over_memory_fails_alone(slurm: Slot) -> None:
    with Workflow() as w:
        MapWorkflow(greedy(), map_on={"sizes": "bytes_wanted"}, name="m", mem="200M", items_per_pod=4)
    result = _run(w, sizes=[10, 20, 900_000_000, 40, 50])
    items = result.nodes["m"].items
    assert items is not None
    assert (items.succeeded, items.failed) == (4, 1)
    assert items.failures[2].error_class == "Oom"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"partition": "nowhere"}, "the cluster has no partition 'nowhere'. It has: debug (up to 1-00:00:00"),
        ({"partition": "short", "time": "2h"}, "2:00:00 is above the 0:01:00 of partition 'short'"),
        ({"mem": "100G"}, "102400 MB of memory are more than a node of partition 'debug' has (4000 MB)"),
        ({"cpus_per_task": 64}, "64 CPUs are more than a node of partition 'debug' has (4)"),
        ({"partiton": "debug"}, "Did you mean 'partition'?"),
    ],
)
def test_what_the_cluster_cannot_give_is_refused_before_anything_runs(
    slurm: Slot, asked: dict[str, object], says: str
) -> None:
    with Workflow() as w:
        _asking(_talk, **asked)()
    with pytest.raises(DefinitionError) as refused:
        _run(w, n=1)
    assert says in str(refused.value)
    assert not (state_dir() / "slurm").exists()


def test_a_run_whose_process_was_killed_is_gone_on_with_and_no_job_is_submitted_again(
    slurm: Slot, tmp_path: Path
) -> None:
    scratch = tmp_path / "ran"
    scratch.mkdir()
    first = _start(
        tmp_path, "run", str(PIPELINE), "-b", "slurm", "-p", f"scratch={scratch}", "-p", "seconds=6"
    )
    until(lambda: len(list(scratch.iterdir())) >= 2)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    run_id = json.loads(_flowctl(tmp_path, "list", "--output", "json")[1])[0]["run"]
    assert _jobs_of(run_id), "its jobs go on"
    code, said = _flowctl(tmp_path, "resume", run_id, "-b", "slurm")
    assert code == 0, said
    assert {file.name: file.read_text() for file in scratch.iterdir()} == {str(i): "x" for i in range(4)}


def test_ctrl_c_cancels_the_jobs_and_the_records_say_so(slurm: Slot, tmp_path: Path) -> None:
    scratch = tmp_path / "ran"
    scratch.mkdir()
    process = _start(
        tmp_path, "run", str(PIPELINE), "-b", "slurm", "-p", f"scratch={scratch}", "-p", "seconds=60"
    )
    until(lambda: len(list(scratch.iterdir())) >= 1)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert time.monotonic() - began < 15
    assert process.returncode == 130, said
    listed = json.loads(_flowctl(tmp_path, "list", "--output", "json")[1])
    assert [each["phase"] for each in listed] == ["Cancelled"]
    until(lambda: _jobs_of(listed[0]["run"]) == [])


def test_a_held_job_is_said_with_what_to_do_and_goes_on_when_released(
    slurm: Slot, caplog: pytest.LogCaptureFixture
) -> None:
    with Workflow() as w:
        _asking(_talk, sbatch=["--hold"])()

    def release() -> None:
        def held() -> list[str]:
            shown = subprocess.run(["squeue", "-h", "-o", "%F %r"], capture_output=True, text=True).stdout
            return [line.split()[0] for line in shown.splitlines() if "JobHeldUser" in line]

        until(lambda: "scontrol release" in caplog.text)
        subprocess.run(["scontrol", "release", *held()], check=True)

    with ThreadPoolExecutor(1) as helper:
        helping = helper.submit(release)
        result = _run(w, n=1)
        helping.result()
    assert result.phase == "Succeeded"
    assert "it is held: scontrol release" in caplog.text


def test_a_queued_job_says_so_where_the_run_is_looked_at_until_it_begins(slurm: Slot, tmp_path: Path) -> None:
    pipeline = tmp_path / "later.py"
    pipeline.write_text(
        "from headwater import Workflow, task\n\n\n"
        "@task(slurm={'sbatch': ['--begin=now+4']})\ndef later() -> {'n': int}:\n    return 1\n\n\n"
        "with Workflow() as w:\n    later()\n"
    )
    code, said = _flowctl(tmp_path, "run", f"{pipeline}:w", "-b", "slurm")
    assert code == 0, said
    assert re.search(r"later: Slurm job \d+ is queued \(BeginTime\)", said), said
    run_id = json.loads(_flowctl(tmp_path, "list", "--output", "json")[1])[0]["run"]
    assert "is queued" not in _flowctl(tmp_path, "show", run_id)[1]


def test_a_detached_run_goes_on_without_its_terminal(slurm: Slot, tmp_path: Path) -> None:
    scratch = tmp_path / "ran"
    scratch.mkdir()
    words = ["run", str(PIPELINE), "-b", "slurm", "-p", f"scratch={scratch}", "-p", "seconds=1"]
    code, said = _flowctl(tmp_path, *words, "--detach", "--output", "json")
    assert code == 0, said
    run_id = json.loads(said)["run"]

    def ended() -> bool:
        listed = json.loads(_flowctl(tmp_path, "list", "--output", "json")[1])
        return [(each["run"], each["phase"]) for each in listed] == [(run_id, "Succeeded")]

    until(ended)
    assert len(list(scratch.iterdir())) == 4
