"""Where in a run's log file a text is found: the whole file, by pieces, without its lines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from headwater.records.log_files import LogFilter

from headwater_dashboard.files import open_regular
from headwater_dashboard.log_reader import SCAN_BYTES, entries, holds, line_start


@dataclass(frozen=True, slots=True)
class LogMatch:
    """A line that holds the text: the byte at which it begins, and its number among the lines that are wanted."""

    offset: int
    line: int


@dataclass(frozen=True, slots=True)
class LogMatches:
    """What a piece of the file holds. `next_line` is the number of the line at `next_offset`.

    `at_end`: there is no further whole line.
    """

    matches: tuple[LogMatch, ...]
    next_offset: int
    next_line: int
    size: int
    at_end: bool


def find_lines(
    file: Path, *, text: str, offset: int = 0, line: int = 0, limit: int, wanted: LogFilter
) -> LogMatches:
    """The next lines that hold a text, at most `limit`, from an offset on, where the line with this number begins.

    >>> find_lines(Path("/nowhere/r1.jsonl"), text="x", limit=10, wanted=LogFilter())
    LogMatches(matches=(), next_offset=0, next_line=0, size=0, at_end=True)
    """
    try:
        stream = open_regular(file, file.parent)
    except OSError:
        return LogMatches((), offset, line, 0, True)
    found: list[LogMatch] = []
    needle = text.casefold()
    with stream:
        size = os.fstat(stream.fileno()).st_size
        start, is_start = line_start(stream, min(offset, size))
        if not is_start:
            return LogMatches((), start, line, size, start >= size)
        at = start
        for entry, begins, at in entries(stream, start):
            if wanted.has(entry):
                if holds(entry, needle):
                    found.append(LogMatch(begins, line))
                line += 1 + str(entry["x"]).count("\n")
            if len(found) >= limit or at - start >= SCAN_BYTES:
                return LogMatches(tuple(found), at, line, size, False)
    return LogMatches(tuple(found), at, line, size, True)
