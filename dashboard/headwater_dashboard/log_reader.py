"""Read a run's log file by pieces, whatever is in it: lines of 10 MB, bytes that are no text, lines half written."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, BinaryIO

from headwater.records.log_files import LogFilter

from headwater_dashboard.files import open_regular

LINE_BYTES = 256 * 1024
"""Of a longer line only the beginning is shown, and searched."""

TEXT_LIMIT = 4_000
"""Characters of a line that are shown."""

SCAN_BYTES = 8 * 1024 * 1024
"""How much of a file one request looks at for lines that are wanted, or for the end of a line."""

_STEP = 1024 * 1024
_LONGEST_ESCAPE = len("\\ud83d\\ude00")
_COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_TEXT_FIELD = re.compile(rb'"x":\s*"')


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines as text; offsets are bytes of the file. `at_end`: there is no further whole line."""

    text: str
    offset: int
    next_offset: int
    size: int
    at_end: bool


def read_chunk(
    file: Path, *, offset: int, limit: int, wanted: LogFilter, text: str = "", until: int | None = None
) -> Chunk:
    """The lines from an offset on, and before another: about `limit` bytes of those that are wanted and hold a text.

    Of a file that is none to be read there is nothing.

    >>> read_chunk(Path("/nowhere/r1.jsonl"), offset=0, limit=100, wanted=LogFilter())
    Chunk(text='', offset=0, next_offset=0, size=0, at_end=True)
    """
    try:
        stream = open_regular(file, file.parent)
    except OSError:
        return Chunk("", offset, offset, 0, True)
    with stream:
        size = os.fstat(stream.fileno()).st_size
        start, is_start = line_start(stream, min(offset, size))
        if not is_start:
            return Chunk("", start, start, size, start >= size)
        at = start
        end = start + SCAN_BYTES if until is None else min(until, start + SCAN_BYTES)
        room, lines, needle = limit, [], text.casefold()
        for entry, _, at in entries(stream, start):
            if wanted.has(entry) and holds(entry, needle):
                line = _shown(entry)
                lines.append(line)
                room -= len(line.encode()) + 1
            if room <= 0 or at >= end:
                return Chunk("".join(f"{line}\n" for line in lines), start, at, size, False)
    return Chunk("".join(f"{line}\n" for line in lines), start, at, size, True)


def entries(stream: BinaryIO, start: int) -> Iterator[tuple[dict[str, Any], int, int]]:
    """What each whole line says, where it begins and where it ends; of an endless one, how far it was looked at."""
    raw, end = _line(stream)
    while raw is not None:
        yield _entry(raw), start, end
        start = end
        raw, end = _line(stream)


def holds(entry: Mapping[str, Any], needle: str) -> bool:
    """Whether a line as it is shown, but uncut, holds a text; the text is casefolded already."""
    return not needle or needle in f"{_head(entry)}{_plain(entry)}".casefold()


def line_start(stream: BinaryIO, offset: int) -> tuple[int, bool]:
    """The first place from the offset on where a line begins, and True; or how far was looked in vain."""
    if offset == 0:
        return 0, True
    stream.seek(offset - 1)
    last = _last_piece(stream, stream.readline(_STEP))
    return stream.tell(), last.endswith(b"\n")


def _line(stream: BinaryIO) -> tuple[bytes | None, int]:
    """The beginning of the next line and where it ends; None when it is not written to its end yet."""
    raw = stream.readline(LINE_BYTES)
    last = _last_piece(stream, raw)
    return (raw if last else None), stream.tell()


def _last_piece(stream: BinaryIO, piece: bytes) -> bytes:
    """The end of a line of which a piece has been read: nothing at the file's end, some piece of an endless line."""
    looked = len(piece)
    while piece and not piece.endswith(b"\n") and looked < SCAN_BYTES:
        piece = stream.readline(_STEP)
        looked += len(piece)
    return piece


def _entry(raw: bytes) -> dict[str, Any]:
    """What a line says; a line that is none of ours is text itself."""
    if not raw.endswith(b"\n"):
        raw = _closed(raw)
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict) or not isinstance(entry.get("x"), str):
        return {"p": "", "x": raw.decode("utf-8", "replace").rstrip("\n")}
    kinds: dict[str, type | UnionType] = {"p": str, "i": int | str}
    return {key: value for key, value in entry.items() if isinstance(value, kinds.get(key, object))}


def _closed(raw: bytes) -> bytes:
    """The beginning of a line that is too long, made whole: its text ends before an escape that may be cut."""
    found = _TEXT_FIELD.search(raw)
    if found is None:
        return raw
    text = raw[found.end() :]
    escape = text.rfind(b"\\", max(0, len(text) - _LONGEST_ESCAPE))
    kept = text if escape < 0 else text[:escape].rstrip(b"\\")
    shown = kept.decode("utf-8", "ignore").encode()
    return raw[: found.end()] + shown + ' … (a very long line)"}'.encode()


def _shown(entry: Mapping[str, Any]) -> str:
    text = str(entry["x"])
    if len(text) > TEXT_LIMIT:
        text = f"{text[:TEXT_LIMIT]} … ({len(text):,} characters)"
    return f"{_head(entry)}{text}".encode("utf-8", "replace").decode()


def _head(entry: Mapping[str, Any]) -> str:
    """When and where a line was written."""
    index = f"[{entry['i']}]" if "i" in entry else ""
    where = f"{entry.get('p', '')}{index}"
    return f"{_clock(entry.get('t'))}{where}: " if where else _clock(entry.get("t"))


def _plain(entry: Mapping[str, Any]) -> str:
    """The text without what a terminal takes as colour."""
    text = str(entry["x"])
    return _COLOURS.sub("", text) if "\x1b" in text else text


def _clock(at: object) -> str:
    """The time of day, or nothing for what is no time."""
    try:
        return time.strftime("%H:%M:%S ", time.localtime(at)) if isinstance(at, int | float) else ""
    except (OverflowError, ValueError, OSError):
        return ""
