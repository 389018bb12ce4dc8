"""A work queue that holds every key once, however often it is added, and never gives it to two workers."""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict, deque
from typing import Generic, TypeVar

K = TypeVar("K")


class WorkQueue(Generic[K]):
    """Keys to work on, now or later.

    >>> async def example() -> list[str]:
    ...     queue: WorkQueue[str] = WorkQueue()
    ...     queue.add("a"); queue.add("b"); queue.add("a")
    ...     return [await queue.get(), await queue.get()]
    >>> asyncio.run(example())
    ['a', 'b']
    """

    def __init__(self) -> None:
        self._ready: OrderedDict[K, None] = OrderedDict()
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._count = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._ready) + len(self._again)

    def add(self, key: K) -> None:
        """Have the key worked on as soon as a worker is free; after the present work on it, if there is some."""
        if key in self._working:
            self._again.add(key)
        else:
            self._ready[key] = None
            self._wake()

    def add_after(self, key: K, seconds: float) -> None:
        """Have it worked on after so many seconds, at the latest: an earlier date wins."""
        if seconds <= 0:
            self.add(key)
            return
        due = asyncio.get_running_loop().time() + seconds
        if self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        self._count += 1
        heapq.heappush(self._later, (due, self._count, key))
        self._wake()

    async def get(self) -> K:
        """The next key; `done` must follow."""
        while True:
            patience = self._move_due()
            if self._ready:
                key, _ = self._ready.popitem(last=False)
                self._working.add(key)
                if self._ready:
                    self._wake()
                return key
            await self._sleep(patience)

    def done(self, key: K) -> None:
        """The work on a key has ended; it comes again if it was added meanwhile."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self._ready[key] = None
            self._wake()

    def _wake(self) -> None:
        """Wake one worker; it wakes the next where there is more to do."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _sleep(self, patience: float | None) -> None:
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiting.append(waiter)
        timer = None if patience is None else loop.call_later(patience, _resolve, waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake()  # the call was for us, and we go: somebody else must hear it
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _move_due(self) -> float | None:
        now = asyncio.get_running_loop().time()
        while self._later:
            due, _, key = self._later[0]
            if self._due.get(key) != due:
                heapq.heappop(self._later)
            elif due <= now:
                heapq.heappop(self._later)
                del self._due[key]
                self.add(key)
            else:
                return due - now
        return None


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
