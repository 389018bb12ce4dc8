"""Large values between processes: kept once in an artifact store, carried as a reference."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headwater.values.store import ArtifactStore

LARGE = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A value that lies in the store at `url`; `encoded` is what the codec needs to read it."""

    url: str
    encoded: Mapping[str, Any]

    def load(self) -> object:
        """Read it back. An array is mapped copy-on-write: a task may change it without changing the store."""
        from headwater.values.codec import decode

        return decode(dict(self.encoded), store_at(self.url))


class StoredList(list[object]):
    """A list some of whose elements are `Stored`: what a map of large items gives."""

    def load(self) -> list[object]:
        """The list with every element read back."""
        return [part.load() if type(part) is Stored else part for part in self]


@lru_cache(maxsize=8)
def store_at(url: str) -> ArtifactStore:
    """The store at a folder or URL, opened once in each process."""
    from headwater.values.store import ArtifactStore

    return ArtifactStore(url)


def size_of(value: Any) -> int:
    """Roughly how many bytes a value has; 0 when that cannot be told cheaply.

    >>> size_of(b"12345")
    5
    """
    if isinstance(value, bytes | bytearray | str):
        return len(value)
    nbytes = getattr(value, "nbytes", None)
    if isinstance(nbytes, int):
        return nbytes
    if "pandas" in sys.modules and hasattr(value, "memory_usage"):
        used = value.memory_usage(deep=False)
        return int(used if isinstance(used, int) else used.sum())
    if isinstance(value, list | tuple) and 0 < len(value) <= 1000:
        return sum(size_of(part) for part in value)
    return 0


def kept(values: Mapping[str, object], url: str | None) -> Mapping[str, object]:
    """The same values, the large ones put into the store and replaced by references."""
    if url is None or not any(size_of(value) >= LARGE for value in values.values()):
        return values
    from headwater.values.codec import encode

    return {
        name: Stored(url, encode(value, store_at(url))) if size_of(value) >= LARGE else value
        for name, value in values.items()
    }
