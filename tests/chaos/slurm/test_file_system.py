"""The file system of the run's folder is full or hangs: no result is lost, nothing runs twice, nothing is stuck."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater.engine.graph import ErrorClass
from headwater.slurm.follow import Ended, Follower, Seen

from tests.chaos.slurm.runs import ONCE, Run
from tests.slurm.disks import Disk, small_disk
from tests.slurm.jobs import cluster_by, job, unique, until
from tests.slurm.places import Slot


@pytest.fixture
def disk(slurm: Slot, tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path) as made:
        yield made


def test_it_is_full_when_results_are_written_and_free_again_later(disk: Disk, tmp_path: Path) -> None:
    run = Run(tmp_path, 3, disk.folder)
    until(lambda: run.has_begun(4))
    disk.fill()
    until(run.has_ended)
    disk.free()
    code, said = run.end()
    assert code == 0, said
    assert run.runs() == ONCE


def test_it_hangs_while_items_end(disk: Disk, tmp_path: Path) -> None:
    run = Run(tmp_path, 2, disk.folder)
    until(lambda: run.has_begun(4))
    with disk.hangs():
        until(run.has_ended)
    code, said = run.end()
    assert code == 0, said
    assert run.runs() == ONCE


def test_it_is_full_before_the_run_begins(disk: Disk, tmp_path: Path) -> None:
    disk.fill()
    run = Run(tmp_path, 0, disk.folder)
    code, said = run.end()
    assert code != 0, said
    assert "No space left on device" in said
    assert str(disk.folder) in said
    assert "Traceback" not in said
    assert run.runs() == {}


def test_it_is_full_when_a_job_begins(slurm: Slot, disk: Disk, tmp_path: Path) -> None:
    """The claim appears whole or not at all: an empty one would let two jobs of one name begin."""
    (tmp_path / "out").symlink_to(disk.folder)
    local = cluster_by("local", slurm, tmp_path, tmp_path)
    name = unique("no-room")
    wanted = job(tmp_path, name, "echo x >> $HEADWATER_SLURM_AT.ran")
    disk.fill()
    with closing(local.open()) as transport:
        follower = Follower(transport, local.files(), str(disk.folder), time.monotonic, grace_seconds=1)
        follower.follow(name, transport.submit(wanted), [0])
        seen: list[Seen] = []
        until(lambda: seen.extend(follower.look()) or not follower.jobs)
    ended = seen[-1]
    assert isinstance(ended, Ended)
    assert ended.cause.error_class is ErrorClass.INFRASTRUCTURE
    assert "could not write its files. Is the file system of `slurm.workdir` full" in ended.cause.message
    assert not list(disk.folder.glob(f"{name}.*"))
