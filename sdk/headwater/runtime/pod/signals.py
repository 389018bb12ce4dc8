"""SIGTERM in a pod: the running task is ended with its `finally` clauses run, and the report says so in time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from headwater.runtime.interrupts import TaskInterrupted

if TYPE_CHECKING:
    from headwater.runtime.driver import Driver

PATIENCE_SECONDS = 7.0
"""A pod has ten seconds after SIGTERM; a task that will not end by then leaves us time for the report."""


class Terminated(BaseException):
    """A signal has ended the unit."""


class Termination:
    """While it is open, the first SIGTERM (or SIGINT) ends the task that runs, the second the process at once.

    `last_words` writes the report; it is called where the task cannot be ended.
    """

    def __init__(self, last_words: Callable[[Termination], None]) -> None:
        self.signum: int | None = None
        self.last_words = last_words
        self.driver: Driver | None = None
        self._in_task = False
        self._patience: Any = None

    @property
    def name(self) -> str:
        """The signal's name."""
        return signal.Signals(self.signum).name if self.signum is not None else ""

    @property
    def exit_code(self) -> int:
        """What a process that was ended by this signal leaves with."""
        return 128 + (self.signum or 0)

    def __enter__(self) -> Termination:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        if self._patience is not None:
            self._patience.cancel()

    @contextmanager
    def task(self) -> Iterator[None]:
        """What runs inside is the user's, and a signal ends it by raising there.

        Raises:
            Terminated: a signal came.
        """
        self.check()
        self._in_task = True
        try:
            yield
        except TaskInterrupted:
            self._in_task = False
            self.check()
            raise
        finally:
            self._in_task = False
        self.check()

    def check(self) -> None:
        """Raise `Terminated` when a signal has come."""
        if self.signum is not None:
            raise Terminated

    def _received(self, signum: int, _frame: FrameType | None) -> None:
        if self.signum is not None:
            self._give_up()
        self.signum = signum
        self._wait_no_longer_than(PATIENCE_SECONDS)
        if self.driver is not None:
            from headwater.engine.events import Stopped

            self.driver.post(Stopped(time.time(), kill=True, reason=f"ended by {self.name}"))
        if self._in_task or (self.driver is not None and self.driver.executor.interruptible):
            raise TaskInterrupted

    def _wait_no_longer_than(self, seconds: float) -> None:
        import threading

        self._patience = threading.Timer(seconds, self._give_up)
        self._patience.daemon = True
        self._patience.start()

    def _give_up(self) -> None:
        try:
            self.last_words(self)
        finally:
            os._exit(self.exit_code)
