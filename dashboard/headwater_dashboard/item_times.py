"""When the items of a map ended: how many in each stretch of time, and which came last.

When an item began is not recorded, nor how long it took: 100,000 items would be 100,000 rows.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from headwater.records.map_items import MapItems
from headwater.records.model import Item, Node


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


def item_times(items: MapItems, node: Node, *, bins: int, last: int) -> ItemTimes:
    """When items ended, in so many bins, and the last of them.

    >>> found = MapItems(3, (), {2: Item(2, "Failed", 1, 14.0)}, (((0, 2), 11.0),))
    >>> times = item_times(found, Node("halves", "Failed", started_at=10.0, finished_at=14.0), bins=2, last=1)
    >>> times.bins
    (Bin(start=10.0, stop=12.0, succeeded=2, failed=0), Bin(start=12.0, stop=14.0, succeeded=0, failed=1))
    >>> [item.index for item in times.last]
    [2]
    """
    ends = list(_ends(items))
    if not ends:
        return ItemTimes(items.total, (), ())
    start = min(at for at, _, _ in ends)
    stop = max(at for at, _, _ in ends)
    start = start if node.started_at is None else min(start, node.started_at)
    stop = stop if node.finished_at is None else max(stop, node.finished_at)
    width = (stop - start) / bins
    counts = [[0, 0] for _ in range(bins)]
    for at, many, succeeded in ends:
        place = min(bins - 1, int((at - start) / width)) if width else 0
        counts[place][0 if succeeded else 1] += many
    latest = heapq.nlargest(
        last, _latest(items, last), key=lambda item: (item.finished_at or 0.0, item.index)
    )
    return ItemTimes(
        items.total,
        tuple(
            Bin(start + at * width, start + (at + 1) * width, *counted) for at, counted in enumerate(counts)
        ),
        tuple(latest),
    )


def _ends(items: MapItems) -> Iterator[tuple[float, int, bool]]:
    """When, how many, and whether they succeeded."""
    own = sorted(items.own)
    for item in items.own.values():
        if item.finished_at is not None:
            yield item.finished_at, 1, item.phase == "Succeeded"
    for (start, stop), at in items.times:
        many = stop - start - (bisect_left(own, stop) - bisect_left(own, start))
        if at is not None and many:
            yield at, many, True


def _latest(items: MapItems, most: int) -> Iterator[Item]:
    """Items among which are the ones that ended last."""
    yield from (item for item in items.own.values() if item.finished_at is not None)
    for (start, stop), at in items.times:
        if at is None:
            continue
        free = (index for index in range(stop - 1, start - 1, -1) if index not in items.own)
        for index, _ in zip(free, range(most), strict=False):
            yield Item(index, "Succeeded", 1, at)
