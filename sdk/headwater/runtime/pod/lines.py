"""In a pod that runs several tasks, what each prints says whose it is: `gen-data | text`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from headwater.runtime import capture
from headwater.runtime.pod import surroundings


class Lines:
    """Stands in for a stream; each line gets the path of the task that runs put before it.

    Text goes on at once, also half a line: what child processes print in between stays in its place.
    """

    def __init__(self, through: IO[str], prefixes: bool = True) -> None:
        self._through = through
        self._prefixes = prefixes
        self._at_start = True
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Pass text on, a prefix before each line that begins."""
        length = len(text)
        text = surroundings.scrubbed(text)
        where = capture.where() if self._prefixes else None
        if where is None:
            self._through.write(text)
            return length
        path, _, index = where
        prefix = f"{path} | " if index is None else f"{path}[{index}] | "
        with self._lock:
            self._through.write(self._prefixed(text, prefix))
        return length

    def _prefixed(self, text: str, prefix: str) -> str:
        *whole, rest = text.split("\n")
        found = []
        for line in whole:
            found.append((prefix if self._at_start else "") + line + "\n")
            self._at_start = True
        if rest:
            found.append((prefix if self._at_start else "") + rest)
            self._at_start = False
        return "".join(found)

    def finish_line(self) -> None:
        """End a line that was begun: what follows is another task's."""
        with self._lock:
            if not self._at_start:
                self._at_start = True
                self._through.write("\n")

    def writelines(self, lines: Any) -> None:
        """Pass several texts on."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._through, name)


class _Both:
    def __init__(self, streams: list[Lines]) -> None:
        self._streams = streams

    def finish_lines(self) -> None:
        for stream in self._streams:
            stream.finish_line()


@contextmanager
def prefixed_lines(wanted: bool) -> Iterator[None]:
    """Where it is wanted, lines get their prefixes inside; secrets are hidden in any case."""
    if not wanted and not surroundings.has_secrets():
        yield
        return
    real = sys.stdout, sys.stderr
    streams = [Lines(stream, wanted) for stream in real]
    sys.stdout, sys.stderr = streams  # they behave as streams do
    capture.on_leave(_Both(streams))
    try:
        yield
    finally:
        capture.on_leave(None)
        sys.stdout, sys.stderr = real
