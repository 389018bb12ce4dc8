"""Which items of a wave belong to which pod, and in which file of the store their outputs lie."""

from __future__ import annotations

from bisect import bisect_right

from headwater.engine.intervals import IntervalSet, Range


class Shares:
    """The indices of one wave, `per_pod` to each pod, in order.

    >>> shares = Shares("0-4,8-9", 3)
    >>> len(shares), shares.of(0), shares.of(1), shares.of(2)
    (3, [(0, 3)], [(3, 5), (8, 9)], [(9, 10)])
    >>> shares.first_for(8), shares.first_for(7)
    (3, None)
    """

    def __init__(self, items: str, per_pod: int) -> None:
        self.items = IntervalSet.parse(items)
        self.per_pod = max(per_pod, 1)
        self._ranges = self.items.ranges()
        self._starts = [start for start, _ in self._ranges]
        self._before = [0]
        for start, stop in self._ranges:
            self._before.append(self._before[-1] + stop - start)

    def __len__(self) -> int:
        return -(-len(self.items) // self.per_pod)

    def of(self, number: int) -> list[Range]:
        """The ranges of indices of one pod; none when there are not so many pods."""
        position = number * self.per_pod
        left = min(self.per_pod, len(self.items) - position)
        found: list[Range] = []
        while left > 0:
            at = bisect_right(self._before, position) - 1
            start = self._starts[at] + position - self._before[at]
            stop = min(self._ranges[at][1], start + left)
            found.append((start, stop))
            position += stop - start
            left -= stop - start
        return found

    def first_for(self, index: int) -> int | None:
        """The first index of the share that holds `index`; None where the wave does not have it."""
        if index not in self.items:
            return None
        at = bisect_right(self._starts, index) - 1
        position = self._before[at] + index - self._starts[at]
        return self.of(position // self.per_pod)[0][0]
