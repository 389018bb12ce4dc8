"""Sets of item indices as sorted, half-open ranges: a map of 100,000 items is a few pairs of numbers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Range = tuple[int, int]


class IntervalSet:
    """A mutable set of non-negative integers that costs memory by its gaps, not by its members.

    >>> done = IntervalSet([(0, 5)])
    >>> done.add(5, 42); done.add(43, 44); done.discard(7, 8)
    >>> str(done), len(done), 7 in done
    ('0-6,8-41,43', 42, False)
    """

    __slots__ = ("_count", "_starts", "_stops")

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._count = 0
        for start, stop in ranges:
            self.add(start, stop)

    @classmethod
    def parse(cls, text: str) -> IntervalSet:
        """Read the form that `str` writes.

        >>> list(IntervalSet.parse("0-2,7"))
        [0, 1, 2, 7]
        """
        ranges = IntervalSet()
        for part in filter(None, text.split(",")):
            first, _, last = part.partition("-")
            ranges.add(int(first), int(last or first) + 1)
        return ranges

    @classmethod
    def of(cls, indices: Iterable[int]) -> IntervalSet:
        """The set of these indices, in whatever order they come.

        >>> str(IntervalSet.of({7, 2, 1, 0}))
        '0-2,7'
        """
        found = IntervalSet()
        for index in sorted(set(indices)):
            if found._stops and found._stops[-1] == index:
                found._stops[-1] += 1
            else:
                found._starts.append(index)
                found._stops.append(index + 1)
            found._count += 1
        return found

    def add(self, start: int, stop: int) -> None:
        """Put the indices from `start` up to, but without, `stop` into the set."""
        if stop <= start:
            return
        left = bisect_left(self._stops, start)
        right = bisect_right(self._starts, stop)
        if left < right:
            self._count -= sum(self._stops[i] - self._starts[i] for i in range(left, right))
            start = min(start, self._starts[left])
            stop = max(stop, self._stops[right - 1])
        self._starts[left:right] = [start]
        self._stops[left:right] = [stop]
        self._count += stop - start

    def discard(self, start: int, stop: int) -> None:
        """Take the indices from `start` up to, but without, `stop` out of the set."""
        if stop <= start:
            return
        left = bisect_right(self._stops, start)
        right = bisect_left(self._starts, stop)
        if left >= right:
            return
        self._count -= sum(self._stops[i] - self._starts[i] for i in range(left, right))
        kept = [
            piece
            for piece in ((self._starts[left], start), (stop, self._stops[right - 1]))
            if piece[0] < piece[1]
        ]
        self._starts[left:right] = [piece[0] for piece in kept]
        self._stops[left:right] = [piece[1] for piece in kept]
        self._count += sum(piece[1] - piece[0] for piece in kept)

    def intersection(self, start: int, stop: int) -> list[Range]:
        """The parts of the set that lie between `start` and `stop`."""
        found = []
        for i in range(bisect_right(self._stops, start), len(self._starts)):
            if self._starts[i] >= stop:
                break
            found.append((max(self._starts[i], start), min(self._stops[i], stop)))
        return found

    def pop_first(self, count: int) -> list[Range]:
        """Take the `count` smallest indices out of the set and return them as ranges."""
        taken: list[Range] = []
        whole = 0
        for start, stop in zip(self._starts, self._stops, strict=True):
            if count <= 0:
                break
            size = min(stop - start, count)
            taken.append((start, start + size))
            count -= size
            self._count -= size
            if size == stop - start:
                whole += 1
            else:
                self._starts[whole] = start + size
        del self._starts[:whole]
        del self._stops[:whole]
        return taken

    def ranges(self) -> tuple[Range, ...]:
        """The set as sorted, disjoint, half-open ranges."""
        return tuple(zip(self._starts, self._stops, strict=True))

    def __contains__(self, index: int) -> bool:
        i = bisect_right(self._starts, index) - 1
        return i >= 0 and index < self._stops[i]

    def __iter__(self) -> Iterator[int]:
        for start, stop in zip(self._starts, self._stops, strict=True):
            yield from range(start, stop)

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntervalSet) and self.ranges() == other.ranges()

    __hash__ = None  # type: ignore[assignment]  # mutable, so never a key

    def __str__(self) -> str:
        return ",".join(
            str(start) if stop == start + 1 else f"{start}-{stop - 1}" for start, stop in self.ranges()
        )

    def __repr__(self) -> str:
        return f"IntervalSet({str(self)!r})"
