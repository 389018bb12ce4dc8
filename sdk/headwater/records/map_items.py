"""The items of a map as ranges of one state each, so that 100,000 of them are a few numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headwater.engine.intervals import Range
from headwater.records.model import Item, Node
from headwater.records.reading import Database, reading
from headwater.records.rows import ITEM, item_of, names, ranges_of


@dataclass(frozen=True, slots=True)
class StateRange:
    """Items from `start` up to, but without, `stop`, all in one phase."""

    start: int
    stop: int
    phase: str


@dataclass(frozen=True, slots=True)
class MapItems:
    """All items of a map: `own` are those with a row of their own, `times` says when ranges succeeded, in order."""

    total: int
    ranges: tuple[StateRange, ...]
    own: dict[int, Item]
    times: tuple[tuple[Range, float | None], ...]

    def counts(self) -> dict[str, int]:
        """How many items are in which phase."""
        counts: dict[str, int] = {}
        for each in self.ranges:
            counts[each.phase] = counts.get(each.phase, 0) + each.stop - each.start
        return counts

    def page(self, *, phase: str | None = None, offset: int = 0, limit: int = 1000) -> list[Item]:
        """Some of the items, or of those in one phase, in order."""
        found: list[Item] = []
        for each in self.ranges:
            if phase not in (None, each.phase):
                continue
            size = each.stop - each.start
            if offset >= size:
                offset -= size
                continue
            stop = min(each.stop, each.start + offset + limit - len(found))
            found += [self._item(index, each.phase) for index in range(each.start + offset, stop)]
            offset = 0
            if len(found) >= limit:
                break
        return found

    def _item(self, index: int, phase: str) -> Item:
        own = self.own.get(index)
        if own is not None:
            return own
        if phase != "Succeeded":
            return Item(index, phase, attempt=0)
        place = bisect_right(self.times, index, key=lambda piece: piece[0][0]) - 1
        return Item(index, phase, 1, self.times[place][1] if place >= 0 else None)


def map_items(database: Database, run_id: str, node: Node) -> MapItems:
    """The items of a map. Those of which nothing is known wait, or were never begun when the map has ended."""
    given = {"run": run_id, "path": node.path}
    with reading(database) as connection:
        if connection is None:
            return MapItems(0, (), {}, ())
        at = "WHERE run_id = :run AND path = :path"
        slices = connection.rows(
            f"SELECT ranges, finished_at FROM map_slice {at} ORDER BY first_index", given
        )
        rows = connection.rows(f"SELECT {names(ITEM)} FROM map_item {at} ORDER BY item_index", given)
    own = {item.index: item for item in map(item_of, rows)}
    pieces = [(piece, at) for text, at in slices for piece in ranges_of(text)]
    times = tuple(sorted(pieces, key=lambda piece: piece[0]))
    done = [piece for piece, _ in times]
    ends = [stop for _, stop in done] + [index + 1 for index in own]
    total = max(node.total or 0, max(ends, default=0))
    rest = "Pending" if node.finished_at is None and node.phase != "Lost" else "Cancelled"
    return MapItems(total, tuple(_merged(_states(total, done, own, rest))), own, times)


def _states(total: int, done: Sequence[Range], own: dict[int, Item], rest: str) -> Iterator[StateRange]:
    """Every item is in one range; what an item says of itself counts more than the range that it is in."""
    background = [StateRange(start, stop, "Succeeded") for start, stop in done]
    marks = iter(sorted(own))
    mark = next(marks, None)
    for piece in _filled(total, background, rest):
        start = piece.start
        while mark is not None and mark < piece.stop:
            if mark > start:
                yield StateRange(start, mark, piece.phase)
            yield StateRange(mark, mark + 1, own[mark].phase)
            start = mark + 1
            mark = next(marks, None)
        if start < piece.stop:
            yield StateRange(start, piece.stop, piece.phase)


def _filled(total: int, pieces: Sequence[StateRange], rest: str) -> Iterator[StateRange]:
    at = 0
    for piece in pieces:
        start = max(piece.start, at)
        if start > at:
            yield StateRange(at, start, rest)
        if piece.stop > start:
            yield StateRange(start, piece.stop, piece.phase)
        at = max(at, piece.stop)
    if at < total:
        yield StateRange(at, total, rest)


def _merged(pieces: Iterator[StateRange]) -> Iterator[StateRange]:
    last: StateRange | None = None
    for piece in pieces:
        if last is not None and last.phase == piece.phase and last.stop == piece.start:
            last = StateRange(last.start, piece.stop, last.phase)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last
