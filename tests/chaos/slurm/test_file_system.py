"""The file system of the run's folder is full or hangs: no result is lost, nothing runs twice, nothing is stuck."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.slurm.runs import ONCE, Run
from tests.slurm.disks import Disk, small_disk
from tests.slurm.jobs import until
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
