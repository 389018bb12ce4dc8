"""What a pool has to do: calls, and jobs of many items handed out in chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

CHUNK_SECONDS = 0.02
CHUNK_BYTES = 4 << 20
LEAST_CHUNK_SECONDS = 0.001
GROWTH = 16

GetItems = Callable[[int, int], list[object]]


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """An object pickled for the workers; `number` is what they know it by."""

    number: int
    pickled: bytes
    buffers: Sequence[memoryview]


@dataclass(slots=True, eq=False)
class CallJob:
    """One call."""

    id: Hashable
    shared: Shared
    pickled: bytes
    buffers: Sequence[memoryview]
    timeout: float | None = None
    over: bool = False
    started: bool = False
    blameless_deaths: int = 0


@dataclass(slots=True, eq=False)
class ItemsJob:
    """Items to be called one by one.

    `pending` are half-open ranges of indices that no worker has; `workers` counts those that are at it;
    `suspects` are ranges in which something cannot be pickled or loaded: they go one by one.
    """

    id: Hashable
    shared: Shared
    get_items: GetItems
    limit: int | None
    timeout: float | None = None
    pending: deque[tuple[int, int]] = field(default_factory=deque)
    remaining: int = 0
    outstanding: int = 0
    workers: int = 0
    over: bool = False
    suspects: list[tuple[int, int]] = field(default_factory=list)
    served: int = 0
    blameless_deaths: int = 0
    last_count: int = 0
    item_seconds: float | None = None
    item_bytes: float = 0.0

    def add(self, ranges: Iterable[tuple[int, int]]) -> None:
        """More items."""
        for start, stop in ranges:
            if stop > start:
                self.pending.append((start, stop))
                self.remaining += stop - start

    def give_back(self, start: int, stop: int) -> None:
        """Items that a worker had and did not do: they are next."""
        if stop > start:
            self.pending.appendleft((start, stop))
            self.remaining += stop - start

    def take(self, workers: int) -> tuple[int, int]:
        """The next range for a worker, sized by what is known about the items, when up to `workers` share them."""
        start, stop = self.pending.popleft()
        suspect = any(begin <= start < end for begin, end in self.suspects)
        count = 1 if suspect else min(self._chunk(workers), stop - start)
        if start + count < stop:
            self.pending.appendleft((start + count, stop))
        self.remaining -= count
        self.last_count = count
        return start, start + count

    def _chunk(self, workers: int) -> int:
        seconds = self.item_seconds
        if seconds is None:
            return 1
        seconds = max(seconds, 1e-7)
        # A fair part of what is left keeps the tail balanced; below a millisecond balance costs more than it gives.
        part = max(self.remaining // (2 * workers), int(LEAST_CHUNK_SECONDS / seconds))
        by_bytes = int(CHUNK_BYTES / self.item_bytes) if self.item_bytes else part
        return max(1, min(int(CHUNK_SECONDS / seconds), part, by_bytes, self.last_count * GROWTH))

    def learn(self, count: int, busy: float) -> None:
        """`count` items took `busy` seconds."""
        self.blameless_deaths = 0
        each = busy / count
        self.item_seconds = each if self.item_seconds is None else (self.item_seconds + each) / 2

    @property
    def is_quick(self) -> bool:
        """Whether a worker would wait for us between chunks if it did not have the next one already."""
        return self.item_seconds is not None and self.item_seconds < CHUNK_SECONDS / 2

    @property
    def is_open(self) -> bool:
        """Whether another worker may join."""
        return bool(self.pending) and not self.over and (self.limit is None or self.workers < self.limit)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to wait for."""
        return not self.pending and not self.outstanding


Job = CallJob | ItemsJob


@dataclass(slots=True, eq=False)
class Chunk:
    """Consecutive items that a worker has. Of them `next` is the first whose fate is unknown, `stop` the end."""

    serial: int
    start: int
    stop: int
    next: int
    cut: bool = False

    def index_of(self, serial: int) -> int:
        """The index of the item that a serial stands for."""
        return self.start + serial - self.serial
