"""The API server's clock, told from the `Date` of its answers: operators on different machines agree on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime


class ServerClock:
    """Seconds since the epoch as the API server counts them; never goes back.

    A `Date` has whole seconds, so each answer says that the server's clock minus ours lies in an interval of one
    second and the answer's own duration; what all intervals share is narrow after a few answers.

    >>> ticks = iter([10.0, 10.2, 10.9, 11.0, 11.0])
    >>> clock = ServerClock(lambda: next(ticks))
    >>> clock.heard("Thu, 01 Jan 1970 00:01:40 GMT", sent_at=10.0)
    >>> 99.9 < clock.now() < 101.5
    True
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._low: float | None = None
        self._high = 0.0
        self._offset = time.time() - time.monotonic()
        self._last = 0.0

    @property
    def monotonic(self) -> Callable[[], float]:
        """The clock that durations are measured with."""
        return self._monotonic

    def heard(self, date: str, sent_at: float) -> None:
        """An answer with this `Date` has just come to a request sent at `sent_at` (monotonic)."""
        try:
            server = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            return
        low, high = server - self._monotonic(), server + 1.0 - sent_at
        if self._low is None or low > self._high or high < self._low:
            self._low, self._high = low, high  # the first answer, or one of the clocks was set
        else:
            self._low, self._high = max(self._low, low), min(self._high, high)
        self._offset = (self._low + self._high) / 2

    def now(self) -> float:
        """Seconds since the epoch."""
        self._last = max(self._last, self._monotonic() + self._offset)
        return self._last
