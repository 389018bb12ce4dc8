"""Ending a task that runs in this process: by a timer, or because the run was told to end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TaskInterrupted(BaseException):
    """Raised inside a task that must end. Derives from BaseException so that `except Exception` lets it pass."""


def _forget_in_child() -> None:
    """A process that a task forks is not ours to interrupt: it has the usual handlers and no timer."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGURG):
        handler = signal.getsignal(signum)
        if str(getattr(handler, "__module__", "")).startswith("headwater."):
            usual = signal.default_int_handler if signum is signal.SIGINT else signal.SIG_DFL
            signal.signal(signum, usual)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Raise `TaskInterrupted` in the code inside when it takes longer than `seconds`.

    In the main thread a signal interrupts even a blocking system call; in another thread the exception is
    raised at the next Python instruction.
    """
    if seconds is None:
        yield
    elif threading.current_thread() is threading.main_thread():
        with _alarm(max(seconds, 0.001)):
            yield
    else:
        with _raised_from_a_timer(max(seconds, 0.001)):
            yield


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(_signum: int, _frame: FrameType | None) -> None:
        raise TaskInterrupted

    previous = signal.signal(signal.SIGALRM, ring)
    around, _ = signal.getitimer(signal.ITIMER_REAL)
    began = time.monotonic()
    # The interval repeats the signal: a task that swallows the first one meets the next.
    signal.setitimer(signal.ITIMER_REAL, min(seconds, around) if around else seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if around:
            left = around - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001), 1.0)


@contextmanager
def _raised_from_a_timer(seconds: float) -> Iterator[None]:
    thread = threading.get_ident()
    timer = threading.Timer(seconds, raise_in_thread, (thread,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def raise_in_thread(thread: int) -> None:
    """Raise `TaskInterrupted` in another thread at its next Python instruction."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TaskInterrupted))
