"""The first process of a container: passes signals on to the one that works, and buries orphans.

The kernel gives process 1 no default actions for signals and every orphan as a child. The work is done in a
child of it, where both are as usual.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)


def under_init(work: Callable[[], int]) -> int:
    """Do the work: right here, or in a child where this is the first process of a container."""
    if os.getpid() != 1:
        return work()
    # Held back until both know what to do with them: the first process would lose them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    worker = os.fork()
    if worker == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
        return work()

    def pass_on(signum: int, _frame: FrameType | None) -> None:
        os.kill(worker, signum)

    for signum in _PASSED_ON:
        signal.signal(signum, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == worker:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)
