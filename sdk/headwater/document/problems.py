"""What is wrong with a document, where, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Path = tuple[str | int, ...]
Found = tuple[Path, str, str]
"""Where, what is wrong, and how to mend it."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: `path` as `spec.blocks[0].nodes[2].map`, the line in the file where it is known.

    >>> Problem("spec.timeout", "is no duration", "Write 90s.", 7).as_dict()["line"]
    7
    """

    path: str
    message: str
    fix: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        path = f"{self.path}: " if self.path else ""
        fix = f" {self.fix}" if self.fix else ""
        return f"{where}{path}{self.message}.{fix}"

    def as_dict(self) -> dict[str, Any]:
        """The form that `--output json` prints."""
        return asdict(self)


def path_text(path: Path) -> str:
    """A path as it is written in messages.

    >>> path_text(("spec", "blocks", 0, "name"))
    'spec.blocks[0].name'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion for a name that is not known.

    >>> nearest("nodez", ["nodes", "name"])
    "Did you mean 'nodes'? Known: 'nodes', 'name'."
    """
    listed = list(known)
    if name in ("true", "false"):
        return "Quote it: y, n, yes, no, on and off without quotes are true or false to Kubernetes' tools."
    if not listed:
        return "There is none."
    close = difflib.get_close_matches(name, listed, 1)
    shown = ", ".join(map(repr, listed[:12])) + (", …" if len(listed) > 12 else "")
    return f"Did you mean {close[0]!r}? Known: {shown}." if close else f"Known: {shown}."


def told(problems: Sequence[Problem]) -> str:
    """All problems in one line, as the status of a resource has it: the first one, and how many follow.

    >>> told([Problem("spec.timeout", "is no duration", "Write 90s."), Problem("spec.x", "unknown field 'x'")])
    'spec.timeout: is no duration. Write 90s. (and 1 more: `flowctl lint` lists all)'
    """
    if not problems:
        return ""
    rest = len(problems) - 1
    return f"{problems[0]}{f' (and {rest} more: `flowctl lint` lists all)' if rest else ''}"


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """The line of a path, or of what it lies in."""
    for end in range(len(path), -1, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def as_declared(wanted: str | None, value: Any) -> Any:
    """A value as its simple type has it: a whole number for a float is a float.

    >>> as_declared("float", 3), as_declared("int", 3)
    (3.0, 3)
    """
    return float(value) if wanted == "float" and type(value) is int else value


def wrong_type(wanted: str | None, value: Any) -> str:
    """How a value is not of a simple type, in words; nothing when it is, or when the type says too little.

    >>> wrong_type("int", "x"), wrong_type("float", 1)
    ('must be int; got str', '')
    """
    allowed = _TYPES.get(wanted or "")
    if allowed is None or value is None:
        return ""
    if isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool)):
        return ""
    return f"must be {wanted}; got {type(value).__name__}"
