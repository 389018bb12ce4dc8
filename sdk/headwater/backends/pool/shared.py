"""Pools that stay warm between the runs of one process."""

from __future__ import annotations

import atexit
import os
import threading

from headwater.backends.pool.pool import WorkerPool

_lock = threading.Lock()
_warm: list[WorkerPool] = []


class SharedPool(WorkerPool):
    """A pool that goes back to the warm ones when it is closed."""

    def close(self) -> None:
        """End what is under way, keep the workers, and let the next run have them."""
        if self.is_closed:
            return
        self.reset()
        with _lock:
            if self not in _warm:
                _warm.append(self)

    def end(self) -> None:
        """End the workers as well."""
        super().close()


def shared_pool(size: int | None = None) -> WorkerPool:
    """A warm pool that is nobody else's until its `close`; a new one when all are in use.

    Idle workers leave by themselves after a minute; all end when the process does.
    """
    with _lock:
        for pool in _warm:
            if not pool.is_closed and (size is None or pool.size == size):
                _warm.remove(pool)
                return pool
    return SharedPool(size)


@atexit.register
def _end_all() -> None:
    with _lock:
        pools, _warm[:] = list(_warm), []
    for pool in pools:
        if isinstance(pool, SharedPool):
            pool.end()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    _warm.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
