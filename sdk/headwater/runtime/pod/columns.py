"""The outputs of a map's items, as one sequence: read from the files that its pods have left in the store."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

from headwater.document.unit import ItemFiles, items_file
from headwater.errors import StoreError, WorkerDied
from headwater.runtime.pod.shares import Shares
from headwater.runtime.pod.values import Values, in_parallel

_KEPT = 4

Entry = dict[str, Any]
Place = tuple[int, int]


class Column:
    """One element for each item: its output, its exception where it failed, None where it was skipped.

    Files are read when an element of them is asked for; the last few stay in memory.
    """

    def __init__(self, files: ItemFiles, values: Values) -> None:
        self.files = files
        self.values = values
        self._waves = [(attempt, Shares(items, per_pod)) for attempt, items, per_pod in files.waves]
        self._read: OrderedDict[Place, dict[str, Entry]] = OrderedDict()

    def __len__(self) -> int:
        return self.files.total

    def __getitem__(self, index: int) -> object:
        if not 0 <= index < self.files.total:
            raise IndexError(f"item {index} of a map of {self.files.total}")
        return self.element(index, self.entry(index))

    def all(self) -> list[object]:
        """All elements, each file read once."""
        return [self.element(index, entry) for index, entry in enumerate(self.entries())]

    def entry(self, index: int) -> Entry | None:
        """What the pod that ran an item wrote of it; None where it died before it could."""
        place = self._place(index)
        entries = self._read.get(place)
        if entries is None:
            entries = self._read[place] = self._load(place)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        return entries.get(str(index))

    def entries(self) -> list[Entry | None]:
        """What the pods wrote of all items, in order."""
        indices: dict[Place, list[int]] = {}
        for index in range(self.files.total):
            indices.setdefault(self._place(index), []).append(index)
        found: list[Entry | None] = [None] * self.files.total
        loaded = in_parallel(self._load, list(indices), len(indices), self.values.url)
        for wanted, entries in zip(indices.values(), loaded, strict=True):
            for index in wanted:
                found[index] = entries.get(str(index))
        return found

    def element(self, index: int, entry: Entry | None) -> object:
        """One element of the sequence, of what was written of its item."""
        if entry is None:
            return WorkerDied(
                f"item {index} of map {self.files.path!r}: its pod ended before it could say what happened"
            )
        if "failure" in entry:
            from headwater.runtime.pod.failures import exception_of

            return exception_of(entry["failure"])
        outputs = entry["outputs"] or {}
        if self.files.output is not None:
            found = outputs.get(self.files.output)
            return None if found is None else self.values.decode(found)
        from headwater.runtime.items import grouped

        return grouped(self.values.inputs(outputs), [list(group) for group in self.files.groups])

    def _place(self, index: int) -> Place:
        for attempt, shares in reversed(self._waves):
            first = shares.first_for(index)
            if first is not None:
                return attempt, first
        raise StoreError(
            f"item {index} of map {self.files.path!r} was given to no pod", fix="Run the workflow again."
        )

    def _load(self, place: Place) -> dict[str, Entry]:
        content = self.values.store.read_file(items_file(self.files.run, self.files.path, *place))
        found: dict[str, Entry] = json.loads(content) if content is not None else {}
        return found


class CarriedColumn(Column):
    """A column whose entries have been gathered already."""

    def __init__(self, files: ItemFiles, values: Values, gathered: list[Entry | None]) -> None:
        super().__init__(files, values)
        self._gathered = gathered

    def entry(self, index: int) -> Entry | None:
        """As it was gathered."""
        return self._gathered[index]

    def entries(self) -> list[Entry | None]:
        """As they were gathered."""
        return self._gathered
