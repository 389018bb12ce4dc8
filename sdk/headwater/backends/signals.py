"""SIGINT and SIGTERM during a run: end what runs, keep the records true, leave with the signal's exit code."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from headwater.backends.control import Mailbox
from headwater.backends.result import RunResult
from headwater.engine.events import Stopped
from headwater.runtime.driver import Driver
from headwater.runtime.interrupts import TaskInterrupted, raise_in_thread

LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 7.0


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
        self.last_resort: Callable[[int], None] | None = None  # for a task that catches everything
        self._patience: threading.Timer | None = None
        self._over = threading.Event()
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> SignalGuard:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._previous[signum] = signal.signal(signum, self._received)
        return self

    def watch(self, mailbox: Mailbox, driver: Driver) -> None:
        """Have a task that runs in this thread end when somebody cancels the run from another process."""
        thread = threading.get_ident()
        is_main = threading.current_thread() is threading.main_thread()
        if is_main:
            self._previous[signal.SIGURG] = signal.signal(signal.SIGURG, self._cancelled)

        def look() -> None:
            while not self._over.wait(LOOK_SECONDS):
                if driver.executor.interruptible and mailbox.says_cancel():
                    if is_main:
                        signal.pthread_kill(thread, signal.SIGURG)  # ends a blocking call too
                    else:
                        raise_in_thread(thread)

        threading.Thread(target=look, daemon=True, name="mailbox").start()

    def _cancelled(self, _signum: int, _frame: FrameType | None) -> None:
        driver = self.told
        if driver is not None and driver.executor.interruptible:
            raise TaskInterrupted

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._patience is not None:
            self._patience.cancel()
        for signum, handler in self._previous.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)

    def _received(self, signum: int, _frame: FrameType | None) -> None:
        if self.signum is not None:
            os._exit(128 + signum)
        self.signum = signum
        driver = self.told
        if driver is None:
            raise KeyboardInterrupt
        if self.last_resort is not None:
            self._patience = threading.Timer(PATIENCE_SECONDS, self.last_resort, (signum,))
            self._patience.daemon = True
            self._patience.start()
        driver.post(Stopped(time.time(), kill=True, reason=f"interrupted by {signal.Signals(signum).name}"))
        if driver.executor.interruptible:
            raise TaskInterrupted
