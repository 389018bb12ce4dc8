"""Encoded values as Python objects, read no earlier and no further than they are needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headwater.document.unit import Encoded, ItemFiles, length_of
from headwater.errors import StoreError
from headwater.runtime.code import as_sequence, element, unpickled

if TYPE_CHECKING:
    from headwater.values.store import ArtifactStore


class Values:
    """Opens the encoded values of one run; `url` is its artifact store, "" where there is none.

    >>> values = Values("")
    >>> values.decode({"list": [{"json": 1}, {"range": 3}]})
    [1, range(0, 3)]
    >>> values.sequence({"json": "abc"})
    Traceback (most recent call last):
    headwater.errors.TargetError: a map cannot run over a str. Give it a list of them, or split it first.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._store: ArtifactStore | None = None

    @property
    def store(self) -> ArtifactStore:
        """The artifact store.

        Raises:
            StoreError: the run has none.
        """
        if self._store is None:
            if not self.url:
                raise StoreError(
                    "the run has no artifact store", fix="Start the operator with --store (a claim or a URL)."
                )
            from headwater.values.store import ArtifactStore

            self._store = ArtifactStore(self.url)
        return self._store

    def may_have(self, place: str) -> bool:
        """Whether it is worth it to open the store for what lies at a place below it."""
        if not self.url or ("://" in self.url and not self.url.startswith("file://")):
            return bool(self.url)
        return os.path.exists(os.path.join(self.url.removeprefix("file://"), place))

    def decode(self, encoded: Encoded) -> object:
        """The object that an encoded value stands for.

        Raises:
            StoreError: what it refers to is missing, corrupt, or cannot be loaded here.
        """
        if "json" in encoded:
            return encoded["json"]
        if "range" in encoded:
            return range(encoded["range"])
        if "list" in encoded:
            return self._many(encoded["list"])
        if "dict" in encoded:
            written = encoded["dict"]
            return dict(zip(written, self._many(list(written.values())), strict=True))
        if "items" in encoded:
            return self._column(encoded).all()
        if "file" in encoded:
            return _json_file(encoded["file"])
        if "item" in encoded:
            whole, index = encoded["item"]
            return element(self.sequence(whole), index)
        if "pickle" in encoded:
            return _opened(encoded["pickle"])
        from headwater.values.codec import decode

        return decode(encoded, self.store)

    def inputs(self, encoded: Mapping[str, Encoded]) -> dict[str, object]:
        """Several values by name."""
        return {name: self.decode(value) for name, value in encoded.items()}

    def sequence(self, encoded: Encoded) -> Any:
        """What a map runs over: it has a length, and its elements are decoded when they are asked for."""
        if "list" in encoded:
            return _Elements(self, encoded["list"])
        if "items" in encoded:
            return self._column(encoded)
        if "item" in encoded and "list" in encoded["item"][0]:
            whole, index = encoded["item"]
            return self.sequence(whole["list"][index])
        return as_sequence(self.decode(encoded))

    def length(self, encoded: Encoded) -> int:
        """How many elements a map finds in a value; looks into the value only where nothing else says it."""
        known = length_of(encoded)
        return len(self.sequence(encoded)) if known is None or "ref" in encoded else known

    def _column(self, encoded: Encoded) -> Any:
        from headwater.runtime.pod.columns import Column

        return Column(ItemFiles.from_encoded(encoded), self)

    def _many(self, parts: list[Encoded]) -> list[object]:
        references = sum("ref" in part or "items" in part for part in parts)
        return in_parallel(self.decode, parts, references, self.url)


def in_parallel(function: Any, parts: Any, slow: int, url: str) -> list[Any]:
    """`function` of each part, in order; in threads where `slow` of them wait for a store in the network."""
    if slow < 4 or "://" not in url:
        return [function(part) for part in parts]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(slow, 16)) as pool:
        return list(pool.map(function, parts))


class _Elements:
    """A list whose elements are decoded one by one."""

    def __init__(self, values: Values, parts: list[Encoded]) -> None:
        self._values = values
        self._parts = parts

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> object:
        return self._values.decode(self._parts[index])


def _opened(text: str) -> object:
    try:
        return unpickled(text)
    except Exception as error:  # unpickling raises anything
        raise StoreError(
            f"a value cannot be unpickled: {type(error).__name__}: {error}",
            fix="Its module must be in this pod's image or bundle, as where the value was made.",
        ) from error


def _json_file(path: str) -> object:
    import json

    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the mounted value {path} cannot be read: {error}",
            fix="The ConfigMap that holds it must be there for as long as the run.",
        ) from error
