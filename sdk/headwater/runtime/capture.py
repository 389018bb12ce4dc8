"""What tasks print and log, line by line, with the node that it came from, appended to the run's log file.

One line of JSON each: `t` time, `p` path, `a` attempt, `i` item, `s` stream, `l` level, `x` text. Several
processes append to one file: a line is one write, so lines never mix.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

Where = tuple[str, int, int | None]

_where = threading.local()
_latest: Where | None = None


def enter(path: str, attempt: int, index: int | None) -> None:
    """From here on what this thread prints belongs to that node."""
    global _latest
    _where.now = _latest = (path, attempt, index)


def leave() -> None:
    """What is printed from here on belongs to nobody; an unfinished line is written."""
    global _latest
    if _capturing is not None:
        _capturing.finish_lines()
    _where.now = _latest = None


def where() -> Where | None:
    """Path, attempt and index of what this thread runs; in a thread that a task has started, the task's."""
    found: Where | None = getattr(_where, "now", None)
    return found or _latest


def _secrets_of_config() -> tuple[str, ...]:
    # Loaded here: a pod has streams to prefix but, mostly, no config.
    from headwater.configuration import config
    from headwater.configuration.masking import secret_values

    return secret_values(config)


def _scrubbed(text: str, secrets: tuple[str, ...]) -> str:
    from headwater.configuration.masking import scrubbed

    return scrubbed(text, secrets)


class HasLines(Protocol):
    """Something that holds lines which may be unfinished."""

    def finish_lines(self) -> None:
        """Write lines that have no end yet."""


def on_leave(told: HasLines | None) -> None:
    """Have this told whenever a task has ended, in a process that keeps no log of its own."""
    global _capturing
    _capturing = told


class _Past:
    """Passes text on to the real stream, where it is wanted there."""

    def __init__(self, through: IO[str] | None) -> None:
        self._through = through

    def write(self, text: str) -> int:
        if self._through is not None:
            self._through.write(text)
        return len(text)

    def flush(self) -> None:
        if self._through is not None:
            self._through.flush()


class _Stream:
    """Stands in for `sys.stdout` or `sys.stderr`: passes text on and writes whole lines to the log."""

    def __init__(self, name: str, through: IO[str], capture: Capture) -> None:
        self._name = name
        self._through = through
        self._capture = capture
        self._partial = threading.local()

    def write(self, text: str) -> int:
        if self._capture.echo:
            self._through.write(text)
        pending = getattr(self._partial, "text", "") + text
        *lines, self._partial.text = pending.split("\n")
        for line in lines:
            self._capture.line(self._name, "", line)
        return len(text)

    @property
    def past_the_log(self) -> _Past:
        """For handlers of logging: what they write is in the log already, as records."""
        return _Past(self._through if self._capture.echo else None)

    def finish_line(self) -> None:
        pending = getattr(self._partial, "text", "")
        if pending:
            self._partial.text = ""
            self._capture.line(self._name, "", pending)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._through, name)


class _Handler(logging.Handler):
    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._capture.line("log", record.levelname, self.format(record))
        except Exception:  # the process's edge: a bad log call must not end a task
            self.handleError(record)


class Capture:
    """While it is open, standard output, standard error and logging go to the run's log file too.

    `echo`: also pass what is printed on to the real streams.
    """

    def __init__(self, file: Path, *, echo: bool = True) -> None:
        self.file = file
        self.echo = echo
        self._fd = -1
        self._secrets: tuple[str, ...] = ()
        self._streams: list[tuple[str, IO[str], _Stream]] = []
        self._handler: _Handler | None = None

    def open(self) -> None:
        """Start to capture. A folder that cannot be written to means no log, with a warning."""
        global _capturing
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._secrets = _secrets_of_config()
            self._fd = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            logging.getLogger("headwater").warning("no log is kept of this run: %s", error)
            return
        for name in ("stdout", "stderr"):
            real = getattr(sys, name)
            stream = _Stream(name, real, self)
            self._streams.append((name, real, stream))
            setattr(sys, name, stream)
        self._handler = _Handler(self)
        logging.getLogger().addHandler(self._handler)
        _capturing = self

    def close(self) -> None:
        """Put everything back as it was."""
        global _capturing
        if self._fd < 0:
            return
        self.finish_lines()
        _capturing = None
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
        for name, real, stream in self._streams:
            if getattr(sys, name) is stream:
                setattr(sys, name, real)
        self._streams.clear()
        os.close(self._fd)
        self._fd = -1

    def finish_lines(self) -> None:
        """Write lines that have no end yet."""
        for _, _, stream in self._streams:
            stream.finish_line()

    def line(self, stream: str, level: str, text: str) -> None:
        """Append one line; nothing when it is closed and somebody still holds the stream."""
        if self._fd < 0:
            return
        path, attempt, index = getattr(_where, "now", None) or ("", 0, None)
        entry: dict[str, object] = {"t": round(time.time(), 4), "p": path, "a": attempt}
        if index is not None:
            entry["i"] = index
        entry["s"] = stream
        if level:
            entry["l"] = level
        entry["x"] = _scrubbed(text, self._secrets) if self._secrets else text
        try:
            os.write(self._fd, (json.dumps(entry, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        except OSError:
            self._stop_writing()

    def _stop_writing(self) -> None:
        # A full disk must not end the run; said once, on the real stream.
        fd, self._fd = self._fd, os.open(os.devnull, os.O_WRONLY)
        os.close(fd)
        for name, real, _ in self._streams:
            if name == "stderr":
                real.write(f"headwater: the log {self.file} cannot be written any more\n")


_capturing: HasLines | None = None


def open_in_worker(file: Path, *, echo: bool) -> None:
    """Capture into this run's log from now on; a worker goes from run to run."""
    if isinstance(_capturing, Capture):
        if _capturing.file == file:
            return
        _capturing.close()
    Capture(file, echo=echo).open()
