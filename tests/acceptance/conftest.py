"""Runs flowctl as a process of its own, as a person at a shell does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FLOWCTL = str(Path(sys.executable).parent / "flowctl")


class Shell:
    """A folder in which flowctl is called."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.environ = {**os.environ, "HEADWATER_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        self._running: list[subprocess.Popen[str]] = []

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [FLOWCTL, *arguments],
            cwd=self.folder,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    def json(self, *arguments: str, **environ: str) -> Any:
        return json.loads(self(*arguments, "--output", "json", **environ).stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [FLOWCTL, *arguments],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self._running.append(process)
        return process

    def end(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What a process prints, up to the line with these words."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"{words!r} was never printed:\n{seen}")


@pytest.fixture
def until() -> Callable[..., str]:
    return read_until


@pytest.fixture
def shell(tmp_path: Path, headwater_home: Path) -> Iterator[Shell]:
    made = Shell(tmp_path, headwater_home)
    yield made
    made.end()
