"""When the items of a map ended: how many in each stretch of time, and which came last.

When an item began is not recorded, nor how long it took: 100,000 items would be 100,000 rows. Those that failed have a
row each; the database counts them.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from headwater.records.connection import Connection
from headwater.records.map_items import MapItems, StateRange
from headwater.records.model import Item, Node
from headwater.records.rows import ITEM, item_of, names

# Neither what is no time, which SQLite puts after all numbers, nor what is infinite.
_OWN = "FROM map_item WHERE run_id = :run AND path = :path AND finished_at > -1e15 AND finished_at < 1e15"


@dataclass(frozen=True, slots=True)
class Bin:
    """How many items ended from `start` on and before `stop`; those that did not succeed are `failed`."""

    start: float
    stop: float
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class ItemTimes:
    """The bins between the map's beginning and its end, or the latest item's; `last` ended last, the latest first."""

    total: int
    bins: tuple[Bin, ...]
    last: tuple[Item, ...]


def item_times(
    connection: Connection, run_id: str, items: MapItems, node: Node, *, bins: int, last: int
) -> ItemTimes:
    """When the items of a map ended, in so many bins, and the last of them."""
    given: dict[str, object] = {"run": run_id, "path": node.path}
    ((first, latest),) = connection.rows(f"SELECT min(finished_at), max(finished_at) {_OWN}", given)
    ends = list(_ends(items))
    times = [at for at, _ in ends] + [at for at in (first, latest) if at is not None]
    if not times:
        return ItemTimes(items.total, (), ())
    start, stop = min(times), max(times)
    start = start if node.started_at is None else min(start, node.started_at)
    stop = stop if node.finished_at is None else max(stop, node.finished_at)
    width = (stop - start) / bins
    counts = [[0, 0] for _ in range(bins)]
    for at, many in ends:
        counts[min(bins - 1, int((at - start) / width)) if width else 0][0] += many
    place = "(finished_at - :start) / :width"
    place = f"CAST({place} AS INTEGER)" if connection.dialect == "sqlite" else f"floor({place})"
    sql = f"SELECT {place}, phase = 'Succeeded', count(*) {_OWN} GROUP BY 1, 2"
    for at, succeeded, many in connection.rows(sql, {**given, "start": start, "width": width or 1.0}):
        counts[min(bins - 1, int(at))][0 if succeeded else 1] += many
    sql = f"SELECT {names(ITEM)} {_OWN} ORDER BY finished_at DESC, item_index DESC LIMIT :last"
    own = [item_of(row) for row in connection.rows(sql, {**given, "last": last})]
    found = heapq.nlargest(
        last, [*own, *_latest(items, last)], key=lambda it: (it.finished_at or 0.0, it.index)
    )
    return ItemTimes(
        items.total,
        tuple(
            Bin(start + at * width, start + (at + 1) * width, *counted) for at, counted in enumerate(counts)
        ),
        tuple(found),
    )


def _ends(items: MapItems) -> Iterator[tuple[float, int]]:
    """When, and how many succeeded without a row of their own."""
    before = [0, *accumulate(each.stop - each.start for each in items.own)]
    for (start, stop), at in items.times:
        many = stop - start - (_own_below(items.own, before, stop) - _own_below(items.own, before, start))
        if at is not None and many:
            yield at, many


def _own_below(own: Sequence[StateRange], before: Sequence[int], index: int) -> int:
    """How many items below an index have a row of their own; `before` counts those before each range."""
    place = bisect_right(own, index, key=lambda each: each.start) - 1
    return 0 if place < 0 else before[place] + min(index, own[place].stop) - own[place].start


def _latest(items: MapItems, most: int) -> Iterator[Item]:
    """Items without a row of their own, among which are the ones that ended last."""
    for (start, stop), at in items.times:
        if at is None:
            continue
        free = (index for index in range(stop - 1, start - 1, -1) if not _is_own(items.own, index))
        for index, _ in zip(free, range(most), strict=False):
            yield Item(index, "Succeeded", 1, at)


def _is_own(own: Sequence[StateRange], index: int) -> bool:
    place = bisect_right(own, index, key=lambda each: each.start) - 1
    return place >= 0 and index < own[place].stop
