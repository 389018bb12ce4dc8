"""Processes that a test starts: whatever becomes of the test, none of them outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_started: list[subprocess.Popen[str]] = []


def start(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None
) -> subprocess.Popen[str]:
    """Start a process in a session of its own, its output to be read from `stdout`."""
    process = subprocess.Popen(
        list(command), env=dict(env), cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    _started.append(process)
    return process


def ended_with_the_test() -> Iterator[None]:
    """The body of a fixture: at its end, kill what is left."""
    yield
    for process in _started:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    _started.clear()
