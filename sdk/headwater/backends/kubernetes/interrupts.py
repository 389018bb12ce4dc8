"""SIGINT and SIGTERM while a run in a cluster is followed: the following ends, in good order."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any


class FollowingInterrupted(BaseException):
    """A signal came while the run was followed."""


class Signals:
    """The first SIGINT or SIGTERM ends the following, where that is armed; the second ends the process."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self._armed = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._previous[signum] = signal.signal(signum, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)

    def arm(self) -> None:
        """From now on a signal raises; at once when one came before."""
        self._armed = True
        self.check()

    def check(self) -> None:
        """Raise if a signal has come, also where its exception was lost (Python drops those of an import's callbacks).

        Raises:
            FollowingInterrupted: one has come.
        """
        if self.signum is not None:
            self._armed = False
            raise FollowingInterrupted

    def disarm(self) -> None:
        """From now on a signal is only remembered."""
        self._armed = False

    def _received(self, signum: int, _frame: FrameType | None) -> None:
        if self.signum is not None:
            os._exit(128 + signum)
        self.signum = signum
        if self._armed:
            self._armed = False
            raise FollowingInterrupted
