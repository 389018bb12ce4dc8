"""SIGINT and SIGTERM during a run: end what runs, keep the records true, leave with the signal's exit code."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from headwater.backends.result import RunResult
from headwater.engine.events import Stopped
from headwater.runtime.driver import Driver
from headwater.runtime.interrupts import TaskInterrupted


class RunInterrupted(KeyboardInterrupt, SystemExit):
    """A signal ended the run. Left alone, the process exits without a traceback, with 128 + the signal."""

    def __init__(self, signum: int, result: RunResult | None = None) -> None:
        super().__init__(128 + signum)
        self.code = 128 + signum
        self.signum = signum
        self.result = result


class SignalGuard:
    """While it is open, the first SIGINT or SIGTERM cancels the run and the second ends the process at once.

    Only the main thread can take signals; elsewhere it does nothing.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self.told: Driver | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> SignalGuard:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._previous[signum] = signal.signal(signum, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)

    def _received(self, signum: int, _frame: FrameType | None) -> None:
        if self.signum is not None:
            os._exit(128 + signum)
        self.signum = signum
        driver = self.told
        if driver is None:
            raise KeyboardInterrupt
        driver.post(Stopped(time.time(), kill=True, reason=f"interrupted by {signal.Signals(signum).name}"))
        if driver.executor.interruptible:
            raise TaskInterrupted
