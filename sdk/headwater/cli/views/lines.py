"""A run as plain lines: for pipes, files and CI."""

from __future__ import annotations

import sys
import time
from typing import IO, Any

from headwater.backends.result import RunError, RunResult
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import clipped, program, seconds
from headwater.cli.views.approval import Send, ask_on_terminal, send_to_mailbox

PROGRESS_SECONDS = 1.0


class LinesView:
    """Writes a line when a node starts or ends, and how far a map has come once a second."""

    send: Send = staticmethod(send_to_mailbox)

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stdout  # the real one: a run captures `sys.stdout`
        self._started: dict[str, float] = {}
        self._phases: dict[str, tuple[str, int]] = {}
        self._counts: dict[str, tuple[int, int, int]] = {}
        self._said: dict[str, float] = {}
        self._reasons: dict[str, str] = {}
        self._latest = 0.0

    def _say(self, text: str, at: float | None = None) -> None:
        # A cluster's clocks are others: no line is from before the line above it.
        self._latest = max(self._latest, at or time.time())
        stamp = time.strftime("%H:%M:%S", time.localtime(self._latest))
        self._stream.write(f"{stamp}  {text}\n")
        self._stream.flush()

    def begin(self, run_id: str, name: str, _graph: object) -> None:
        """The run starts."""
        self._say(f"run {run_id} of {name}")

    def changed(
        self,
        path: str,
        phase: str,
        attempt: int,
        at: float,
        *,
        message: str = "",
        error: RunError | None,
        **_: Any,
    ) -> None:
        """A node has a new phase, or another reason to wait."""
        if phase in ("Pending", "Running") and " " in message and self._reasons.get(path) != message:
            self._reasons[path] = message  # a word alone is the name of the node that it waits for
            self._say(f"{path}: {clipped(message, 500)}")
        if phase == "Running":
            self._started[path] = at
        if self._phases.get(path) == (phase, attempt):
            return
        self._phases[path] = (phase, attempt)
        if phase == "Running":
            self._say(f"{path}: started" + (f", attempt {attempt}" if attempt > 1 else ""), at)
        elif phase not in ("Pending", "Skipped", "Suspended") or phase == "Skipped":
            if phase == "Pending":
                return
            took = f" after {seconds(at - self._started[path])}" if path in self._started else ""
            total, done, failed = self._counts.get(path, (0, 0, 0))
            items = f", {done} of {total} items" + (f", {failed} failed" if failed else "") if total else ""
            why = (
                f": {error.type}: {clipped(error.message, 500)}"
                if error is not None and phase == "Failed"
                else ""
            )
            self._say(f"{path}: {phase.lower()}{took}{items}{why}", at)

    def note(self, text: str) -> None:
        """Something is to be said about the run as a whole."""
        self._say(text)

    def items(self, path: str, total: int, done: int, failed: int, _running: int) -> None:
        """A map has come further."""
        self._counts[path] = (total, done, failed)
        now = time.monotonic()
        if now - self._said.setdefault(path, now) >= PROGRESS_SECONDS and done + failed < total:
            self._said[path] = now
            self._say(f"{path}: {done + failed}/{total} items" + (f", {failed} failed" if failed else ""))

    def approval(self, run_id: str, path: str, message: str) -> None:
        """A node waits for a person."""
        self._say(f"{path}: waits for approval" + (f": {message}" if message else ""))
        self._say(f"  approve it with: {program()} approve {run_id} {path}{GLOBALS.place}")
        ask_on_terminal(self.send, run_id, path, message)

    def finished(self, _result: RunResult) -> None:
        """The run is over."""
