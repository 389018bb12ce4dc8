"""Names of runs: short, in the order of their start, never the same twice."""

from __future__ import annotations

import os
import threading
import time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_lock = threading.Lock()
_last = 0


def new_run_id(now: float | None = None, entropy: bytes | None = None) -> str:
    """A new run id: date, time (UTC), then six characters of which two are the fraction of the second.

    >>> new_run_id(1795423512.5, b"abc")
    '20261123-084512-g02rk3'
    """
    global _last
    ticks = int((time.time() if now is None else now) * 1024)
    if now is None:
        with _lock:
            # Within a process ids only ever go up, also when the clock does not.
            ticks = _last = max(ticks, _last + 1)
    seconds, fraction = divmod(ticks, 1024)
    random = int.from_bytes((entropy or os.urandom(3))[:3], "big") & 0xFFFFF
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(seconds))
    return f"{stamp}-{_base32(fraction, 2)}{_base32(random, 4)}"


def _base32(number: int, width: int) -> str:
    return "".join(_DIGITS[(number >> (5 * place)) & 31] for place in reversed(range(width)))
