"""Values, times and tables as text, and values as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headwater.cli.globals import GLOBALS

_PHASES = {
    "Pending": ("·", "2"), "Running": ("▶", "34"), "Succeeded": ("✔", "32"), "Failed": ("✖", "31"),
    "Skipped": ("↷", "2"), "Cached": ("●", "36"), "Cancelled": ("■", "33"), "Lost": ("?", "35"),
    "Suspended": ("⏸", "33"),
}  # fmt: skip
MOST_ELEMENTS = 1000
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def print_json(value: object) -> None:
    """One JSON value on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def as_json(value: Any) -> Any:
    """A value as JSON can carry it: itself where it can, else its likeness.

    >>> as_json({"a": (1, 2), "b": {3}, "c": ValueError("no")})
    {'a': [1, 2], 'b': [3], 'c': {'error': 'ValueError', 'message': 'no'}}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        return [as_json(part) for part in value]
    if isinstance(value, BaseException):
        return {"error": type(value).__name__, "message": str(value)}
    if hasattr(value, "tolist") and getattr(value, "size", 0) <= MOST_ELEMENTS:
        return as_json(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return short(value, 200)


def plain(text: str) -> str:
    """Text that somebody else wrote, without what would steer the terminal.

    >>> plain("\\x1b[31mred\\x1b[0m, \\x07 and\\n the rest")
    'red, � and\\n the rest'
    """
    return _CONTROL.sub("�", _ANSI.sub("", text))


def clipped(text: str, width: int = 80) -> str:
    """Text of somebody else in one line of at most `width` characters.

    >>> clipped("one\\n  two three", 10)
    'one two t…'
    """
    text = " ".join(plain(text).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def short(value: Any, width: int = 60) -> str:
    """A value in one line of at most `width` characters.

    >>> short(list(range(100)), 20)
    '[0, 1, 2, 3, 4, 5, …'
    """
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"array{tuple(value.shape)} of {value.dtype}"
    if isinstance(value, str):
        text = value if value.isprintable() else repr(value)
    elif isinstance(value, bytes):
        text = f"{len(value):,} bytes"
    elif isinstance(value, list | tuple) and len(value) > width:
        text = repr(value[:width])
    else:
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def recorded(encoded: Mapping[str, Any] | None, width: int = 60) -> str:
    """An encoded value of the records in one line."""
    if not encoded:
        return "(not kept)"
    if "json" in encoded:
        return short(encoded["json"], width)
    length = f", length {encoded['length']}" if "length" in encoded else ""
    size = f", {encoded['size']:,} bytes" if "size" in encoded else ""
    return f"({encoded.get('format', 'value')}{length}{size})"


def seconds(duration: float | None) -> str:
    """A duration for people.

    >>> seconds(0.0123), seconds(75), seconds(7300)
    ('12 ms', '1m15s', '2h01m')
    """
    if duration is None:
        return ""
    if duration < 0.9995:
        return f"{duration * 1000:.0f} ms"
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def clock(at: float | None) -> str:
    """A moment in local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else ""


def glyph(phase: str) -> str:
    """The sign of a phase, coloured on a terminal."""
    sign, colour = _PHASES.get(phase, ("·", "0"))
    return styled(sign, colour)


def program() -> str:
    """How flowctl is called from here: by its name where the shell finds it, else by its path."""
    own = Path(sys.argv[0])
    if own.name != "flowctl" or shutil.which("flowctl") is not None:
        return "flowctl"
    return os.path.relpath(own)


def styled(text: str, style: str) -> str:
    """Text in an ANSI style, on a terminal only."""
    return f"\x1b[{style}m{text}\x1b[0m" if GLOBALS.color and sys.stdout.isatty() else text


def phase_style(phase: str) -> str:
    """The ANSI style of a phase."""
    return _PHASES.get(phase, ("", "0"))[1]


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Columns that line up; the last one is cut at the terminal's edge."""
    widths = [max(_seen(row[column]) for row in [header, *rows]) for column in range(len(header))]
    edge = terminal_width()
    lines = []
    for row in [header, *rows]:
        padded = (cell + " " * (width - _seen(cell)) for cell, width in zip(row, widths, strict=True))
        line = "  ".join(padded).rstrip()
        over = _seen(line) - edge
        lines.append(line if over <= 0 else line[: -over - 1] + "…")
    return "\n".join([styled(lines[0], "1"), *lines[1:]])


def terminal_width() -> int:
    """How many characters fit into a line; in a pipe or a file, as many as there are."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def _seen(text: str) -> int:
    """How many characters are seen of a text with styles in it."""
    return len(_ANSI.sub("", text))
