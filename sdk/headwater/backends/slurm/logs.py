"""What workers print and log, brought from their files into the run's log and onto this terminal."""

from __future__ import annotations

import contextlib
import json
import os
import sys

from headwater.slurm.script import LOG, marker

LIVE_SECONDS = 1.0
MOST_LIVE = 50


class WorkerLogs:
    """Follows the log of each task that runs; whole lines only, each once."""

    def __init__(self, out: str, log: str | None, *, echo: bool) -> None:
        self._out = out
        self._log = log
        self._echo = echo
        self._read: dict[tuple[str, int], int] = {}
        self._next = 0.0

    def begun(self, name: str, index: int) -> None:
        """A task runs."""
        self._read.setdefault((name, index), 0)

    def ended(self, name: str, index: int) -> None:
        """A task has ended: the rest of its log."""
        self._bring(name, index)
        self._read.pop((name, index), None)

    def look(self, now: float) -> None:
        """Bring what is new of some tasks, now and then: to read along is worth little of anybody's time."""
        if now < self._next:
            return
        self._next = now + LIVE_SECONDS
        for name, index in list(self._read)[:MOST_LIVE]:
            self._bring(name, index)

    def _bring(self, name: str, index: int) -> None:
        path = f"{self._out}/{marker(name, index, LOG)}"
        start = self._read.get((name, index), 0)
        try:
            with open(path, "rb") as file:
                file.seek(start)
                content = file.read()
        except OSError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        if not whole:
            return
        self._read[name, index] = start + len(whole)
        if self._log is not None:
            self._append(whole)
        if self._echo:
            _print(whole)

    def _append(self, lines: bytes) -> None:
        assert self._log is not None
        with contextlib.suppress(OSError):  # a full disk must not end the run
            descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, lines)
            finally:
                os.close(descriptor)


def _print(lines: bytes) -> None:
    for line in lines.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        stream = sys.__stdout__ if entry.get("s") == "stdout" else sys.__stderr__
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                print(entry.get("x", ""), file=stream, flush=True)
