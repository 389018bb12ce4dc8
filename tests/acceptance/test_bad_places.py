"""Disks that are full or read-only, files that are damaged, several runs at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

CACHED = """
from headwater import task, workflow


@task(cache=True)
def costly(x: int, scratch: str) -> {"y": int}:
    with open(f"{scratch}/calls", "a") as file:
        file.write("x")
    return x + 1


@workflow
def flow():
    costly()
"""


@pytest.fixture
def cached(shell, tmp_path: Path) -> list[str]:
    shell.write("pipeline.py", CACHED)
    return ["run", "pipeline.py", "-p", "x=1", "-p", f"scratch={tmp_path}"]


def calls(folder: Path) -> int:
    return len((folder / "calls").read_text())


def test_a_place_that_cannot_be_written_to_is_a_warning(shell, cached) -> None:
    ran = shell(*cached, HEADWATER_HOME="/proc/headwater")
    assert ran.returncode == 0
    assert "y: 2" in ran.stdout
    assert "/proc/headwater" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def _fill(file: IO[bytes]) -> None:
    while True:
        file.write(bytes(4096))


@pytest.mark.parametrize("backend", ["default", "parallel"])
def test_a_full_disk_does_not_end_the_run(shell, cached, tiny_disk: Path, backend: str) -> None:
    (tiny_disk / "home").mkdir()
    with open(tiny_disk / "filler", "wb", buffering=0) as filler, pytest.raises(OSError, match="No space"):
        _fill(filler)
    ran = shell(*cached, "-b", backend, HEADWATER_HOME=str(tiny_disk / "home"))
    assert ran.returncode == 0, ran.stderr
    assert "y: 2" in ran.stdout
    assert "Traceback" not in ran.stderr


def test_a_disk_that_fills_up_in_the_middle_does_not_end_the_run(shell, tiny_disk: Path) -> None:
    shell.write(
        "pipeline.py",
        "from headwater import MapWorkflow, task\n\n"
        '@task(cache=True)\ndef make(x: int) -> {"data": bytes}:\n'
        '    print("x" * 2000)\n    return bytes([x]) * 20_000\n\n'
        '@MapWorkflow.as_workflow(map_on={"xs": "x"})\ndef flow():\n    make()\n',
    )
    xs = f"xs={list(range(60))}"
    ran = shell("run", "pipeline.py", "-p", xs, "-o", "json", HEADWATER_HOME=str(tiny_disk / "home"))
    assert ran.returncode == 0, ran.stderr
    assert '"phase": "Succeeded"' in ran.stdout
    assert "No space left" in ran.stderr


def test_a_damaged_cache_entry_is_computed_anew(shell, cached, headwater_home: Path, tmp_path: Path) -> None:
    assert shell(*cached).returncode == 0
    for file in (headwater_home / "cache").rglob("*"):
        if file.is_file():
            file.write_bytes(b"\x00garbage")
    again = shell(*cached)
    assert again.returncode == 0
    assert "y: 2" in again.stdout
    assert calls(tmp_path) == 2
    assert shell(*cached).returncode == 0
    assert calls(tmp_path) == 2


def test_a_damaged_database_does_not_stop_the_run_and_is_named(shell, cached, headwater_home: Path) -> None:
    (headwater_home / "headwater.db").write_bytes(b"this is no database" * 1000)
    ran = shell(*cached)
    assert "headwater.db" in ran.stderr
    assert "Traceback" not in ran.stderr
    listed = shell("list")
    assert listed.returncode == 1
    assert "headwater.db" in listed.stderr
    assert "Traceback" not in listed.stderr


def test_a_locked_database_does_not_stop_the_run(shell, cached, headwater_home: Path) -> None:
    assert shell(*cached).returncode == 0
    holder = sqlite3.connect(headwater_home / "headwater.db")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        ran = shell(*cached)
    finally:
        holder.rollback()
        holder.close()
    assert ran.returncode == 0
    assert "y: 2" in ran.stdout


def test_runs_at_once_share_one_cache_and_one_database(shell, cached, tmp_path: Path) -> None:
    processes = [shell.start(*cached) for _ in range(6)]
    for process in processes:
        said = process.communicate(timeout=60)[0]
        assert process.returncode == 0, said
        assert "y: 2" in said
    assert calls(tmp_path) == 1
    assert len(shell.json("list")) == 6
    assert {run["phase"] for run in shell.json("list")} == {"Succeeded"}


def test_a_run_does_not_depend_on_the_hash_seed(shell, cached, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        assert shell(*cached, PYTHONHASHSEED=seed).returncode == 0
    assert calls(tmp_path) == 1


def test_a_pipe_that_is_closed_is_no_error(shell, cached) -> None:
    shell(*cached)
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as closed:
        done = subprocess.run(
            [*shell.start("--version").args[:1], "list"],
            env=shell.environ,
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "Traceback" not in done.stderr
