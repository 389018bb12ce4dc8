"""What happens to a bridge's job: held, cancelled in part, its disk full, the token over while it runs."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from headwater.document.unit import UnitSpec, read_report
from headwater.slurm.tokens import mint

from tests.chaos.slurm.runs import give_nodes_back, restart_controller, scontrol
from tests.slurm.bridges import Pod, rest_of, said_until, unit_of
from tests.slurm.disks import small_disk
from tests.slurm.jobs import unique, until
from tests.slurm.places import Slot

XS = [20, 21, 22, 23]
ONCE = {f"ran-{x}": "x" for x in XS}


def _map(tmp_path: Path, name: str, seconds: float) -> UnitSpec:
    return unit_of(
        tmp_path, unique(name), does="items", xs=XS, items="0-3", per_pod=1, inputs={"seconds": seconds},
        over={"x": {"json": XS}},
    )  # fmt: skip


def test_an_administrator_holds_the_job_and_releases_it(slurm: Slot, tmp_path: Path) -> None:
    pod = Pod(tmp_path, slurm, "local", _map(tmp_path, "held", 3), parallelism=1)
    process = pod.start()
    job = said_until(process, "Slurm job").split("Slurm job ")[1].split()[0]
    until(lambda: len(pod.runs()) == 1)
    scontrol("hold", job)
    said_until(process, f"an administrator holds it: ask them for `scontrol release {job}`")
    scontrol("release", job)
    said = rest_of(process)
    assert process.returncode == 0, said
    assert pod.runs() == ONCE


def test_an_administrator_cancels_one_task(slurm: Slot, tmp_path: Path) -> None:
    pod = Pod(tmp_path, slurm, "local", _map(tmp_path, "cancelled", 4), parallelism=2)
    process = pod.start()
    job = said_until(process, "Slurm job").split("Slurm job ")[1].split()[0]
    until(lambda: len(pod.runs()) == 2)
    subprocess.run(["scancel", f"{job}_3"], check=True)
    said = rest_of(process)
    report = read_report(pod.report.read_text())
    assert (report.items, report.failed_items) == ("0-2", "3"), said
    assert f"Slurm job {job}_3 was cancelled by somebody else" in report.failed[3]["message"]


def test_its_disk_is_full_for_a_while_when_results_are_written(slurm: Slot, tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        (tmp_path / "work").symlink_to(disk.folder)
        pod = Pod(tmp_path, slurm, "local", _map(tmp_path, "full", 3))
        process = pod.start()
        until(lambda: len(pod.runs()) == len(XS))
        disk.fill()
        until(lambda: pod.has_ended(len(XS)))
        disk.free()
        said = rest_of(process)
        report = read_report(pod.report.read_text())
        assert (process.returncode, report.items) == (0, "0-3"), said
        assert pod.runs() == ONCE


def test_a_token_that_ends_while_the_job_runs_is_said_and_renewed(slurm: Slot, tmp_path: Path) -> None:
    pod = Pod(tmp_path, slurm, "rest", unit_of(tmp_path, unique("token"), inputs={"seconds": 6}))
    secret = tmp_path / "secret"
    key = (secret / "key").read_bytes()
    (secret / "key").unlink()
    token = secret / "token"
    token.write_text(mint(key, "root", int(time.time()), 4))
    process = pod.start()
    said = said_until(process, "ended at")
    assert "scontrol token lifespan=86400" in said
    token.write_text(mint(key, "root", int(time.time()), 600))
    said += rest_of(process)
    report = read_report(pod.report.read_text())
    assert (process.returncode, report.outputs) == (0, {"y": {"json": 8}}), said
    assert pod.runs() == {"ran-4": "x"}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", range(4))
def test_the_controller_is_killed_behind_it(alone: Slot, tmp_path: Path, seed: int) -> None:
    pod = Pod(tmp_path, alone, "local", _map(tmp_path, "controller", 3))
    process = pod.start()
    time.sleep(random.Random(seed).uniform(0, 6))
    restart_controller(alone, signal.SIGKILL)
    give_nodes_back()
    said = rest_of(process, 150)
    report = read_report(pod.report.read_text())
    assert report.failure is None, said
    # What Slurm has forgotten with its state is told as that, and is for the operator to try again.
    assert {each["type"] for each in report.failed.values()} <= {"SlurmJobLost", "SlurmJobEnded"}, said
    # A node may cancel a whole array whose id it knows of a job before: that looks like what a person does.
    assert {each["class"] for each in report.failed.values()} <= {"Infrastructure", "Error"}, said
    assert set(pod.runs().values()) <= {"x"}, said


@pytest.mark.timeout(400)
def test_its_disk_stays_full_when_results_are_written(alone: Slot, tmp_path: Path) -> None:
    """Two minutes long it is tried, then the failure says why, and that trying again may help."""
    with small_disk(tmp_path) as disk:
        (tmp_path / "work").symlink_to(disk.folder)
        pod = Pod(tmp_path, alone, "local", _map(tmp_path, "stays-full", 3))
        process = pod.start()

        def all_run() -> bool:
            give_nodes_back()
            return len(pod.runs()) == len(XS)

        until(all_run)
        disk.fill()
        said = rest_of(process, 200)
        report = read_report(pod.report.read_text())
        assert set(report.failed) == {0, 1, 2, 3}, said
        assert {each["class"] for each in report.failed.values()} == {"Infrastructure"}
        assert "Is the file system of `slurm.workdir` full or away?" in report.failed[0]["message"]
        assert pod.runs() == ONCE
