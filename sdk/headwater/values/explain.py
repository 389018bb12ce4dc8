"""Why a node missed the cache: its key against the nearest entry that is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol


class Known(Protocol):
    """What is asked of an entry of the cache."""

    @property
    def mode(self) -> str: ...
    @property
    def created(self) -> float: ...
    @property
    def run(self) -> str: ...
    @property
    def parts(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `kind` is input, parameter, code or mode; `name` says which one."""

    kind: str
    name: str
    what: Literal["changed", "added", "removed"]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.what}" if self.name else f"{self.kind} {self.what}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the cache says of a node: hit or miss, the `nearest` entry and how it differs from the key."""

    node: str
    status: Literal["hit", "miss"]
    nearest: Known | None
    changes: tuple[Change, ...]

    @property
    def message(self) -> str:
        """One sentence for people.

        >>> Explanation("fit", "miss", None, ()).message
        'fit: nothing is cached for it.'
        """
        if self.status == "hit":
            return f"{self.node}: cached."
        if self.nearest is None:
            return f"{self.node}: nothing is cached for it."
        what = ", ".join(map(str, self.changes)) or "the entry was lost or asked to be computed anew"
        return f"{self.node}: {what}."


def compare(node: str, mode: str, parts: Mapping[str, str], entries: Iterable[Known]) -> Explanation:
    """How the parts of a key differ from the nearest of the entries: the fewest changes, then the newest."""
    best: tuple[int, float] | None = None
    nearest: Known | None = None
    changes: tuple[Change, ...] = ()
    for entry in entries:
        found = _changes(mode, parts, entry)
        rank = (len(found), -entry.created)
        if best is None or rank < best:
            best, nearest, changes = rank, entry, found
    return Explanation(node, "miss", nearest, changes)


def _changes(mode: str, parts: Mapping[str, str], entry: Known) -> tuple[Change, ...]:
    found = [] if mode == entry.mode else [Change("mode", "", "changed")]
    for name in sorted(parts.keys() | entry.parts.keys()):
        if parts.get(name) == entry.parts.get(name):
            continue
        kind, _, rest = name.partition(" ")
        if name not in parts:
            found.append(Change(kind, rest, "removed"))
        elif name not in entry.parts:
            found.append(Change(kind, rest, "added"))
        else:
            found.append(Change(kind, rest, "changed"))
    return tuple(found)
