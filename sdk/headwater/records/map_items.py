"""The items of a map as ranges of one state each, so that 100,000 of them are a few numbers.

Items that failed have a row each, with what they raised: the database makes ranges of these rows, and gives those that
a page shows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headwater.engine.intervals import Range
from headwater.records.model import Item, Node
from headwater.records.reading import Database, reading
from headwater.records.rows import ITEM, is_time, item_of, names, ranges_of

_OF_MAP = "FROM map_item WHERE run_id = :run AND path = :path"

# Rows without a gap between them have the same `island`.
_OWN = (
    "SELECT min(item_index), max(item_index) + 1, phase FROM (SELECT item_index, phase, item_index - "
    f"row_number() OVER (PARTITION BY phase ORDER BY item_index) AS island {_OF_MAP}) AS numbered "
    "GROUP BY phase, island ORDER BY 1"
)


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
    own: tuple[StateRange, ...]
    times: tuple[tuple[Range, float | None], ...]

    def counts(self) -> dict[str, int]:
        """How many items are in which phase."""
        counts: dict[str, int] = {}
        for each in self.ranges:
            counts[each.phase] = counts.get(each.phase, 0) + each.stop - each.start
        return counts

    def page(self, *, phase: str | None = None, offset: int = 0, limit: int = 1000) -> list[Item]:
        """Some of the items, or of those in one phase, in order, without what rows of their own say."""
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
        if phase != "Succeeded":
            return Item(index, phase, attempt=0)
        place = bisect_right(self.times, index, key=lambda piece: piece[0][0]) - 1
        return Item(index, phase, 1, self.times[place][1] if place >= 0 else None)


def map_items(database: Database, run_id: str, node: Node) -> MapItems:
    """The items of a map. Those of which nothing is known wait, or were never begun when the map has ended."""
    given = {"run": run_id, "path": node.path}
    with reading(database) as connection:
        if connection is None:
            return MapItems(0, (), (), ())
        slices = connection.rows(
            "SELECT ranges, finished_at FROM map_slice WHERE run_id = :run AND path = :path "
            "ORDER BY first_index",
            given,
        )
        own = tuple(
            StateRange(start, stop, str(phase)) for start, stop, phase in connection.rows(_OWN, given)
        )
    pieces = [(piece, at if is_time(at) else None) for text, at in slices for piece in _ranges(text)]
    times = tuple(sorted(pieces, key=lambda piece: piece[0]))
    done = [piece for piece, _ in times]
    ends = [stop for _, stop in done] + [each.stop for each in own]
    total = max(node.total or 0, max(ends, default=0))
    rest = "Pending" if node.finished_at is None and node.phase != "Lost" else "Cancelled"
    return MapItems(total, tuple(_merged(_states(total, done, own, rest))), own, times)


def _ranges(text: object) -> tuple[Range, ...]:
    """Ranges as they are recorded; a damaged row has none."""
    try:
        return ranges_of(str(text))
    except ValueError:
        return ()


def page_of_items(
    database: Database, run_id: str, path: str, items: MapItems, *, phase: str | None, offset: int, limit: int
) -> list[Item]:
    """Some of the items of a map, or of those in one phase, in order, with all that is known of them."""
    page = items.page(phase=phase, offset=offset, limit=limit)
    if not page:
        return []
    sql = f"SELECT {names(ITEM)} {_OF_MAP} AND item_index BETWEEN :first AND :last"
    given: dict[str, object] = {"run": run_id, "path": path, "first": page[0].index, "last": page[-1].index}
    if (
        phase is not None
    ):  # else the page is one range; of one phase, it may be far from its first to its last
        sql, given["phase"] = f"{sql} AND phase = :phase", phase
    with reading(database) as connection:
        rows = [] if connection is None else connection.rows(sql, given)
    own = {item.index: item for item in map(item_of, rows)}
    return [own.get(item.index, item) for item in page]


def _states(total: int, done: Sequence[Range], own: Sequence[StateRange], rest: str) -> Iterator[StateRange]:
    """Every item is in one range; what an item says of itself counts more than the range that it is in."""
    background = [StateRange(start, stop, "Succeeded") for start, stop in done]
    marks = iter(own)
    mark = next(marks, None)
    for piece in _filled(total, background, rest):
        start = piece.start
        while mark is not None and mark.start < piece.stop:
            if mark.start > start:
                yield StateRange(start, mark.start, piece.phase)
            stop = min(mark.stop, piece.stop)
            yield StateRange(max(start, mark.start), stop, mark.phase)
            start = stop
            if mark.stop > piece.stop:
                break
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
