"""What a task has opened through us (a database session) and what has to be closed when it ends."""

from __future__ import annotations

from collections.abc import Callable

_closers: list[Callable[[], None]] = []


def at_end(close: Callable[[], None]) -> None:
    """Have `close` called after every task from now on. It must be quick when there is nothing to close."""
    if close not in _closers:
        _closers.append(close)


def end() -> None:
    """A task has ended."""
    for close in _closers:
        close()
