"""The first process of a container: passes signals on to the one that works, and buries orphans.

The kernel gives process 1 no default actions for signals and every orphan as a child. The work is done in a
child of it, where both are as usual. Where a task of a unit takes that child down, another one goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from headwater.runtime.exits import describe_exit
from headwater.runtime.pod.deaths import AtWork

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)
_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_MEMORY_EVENTS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
_MOST_DEATHS = 10_000
_BURIAL_SECONDS = 5.0


def under_init(work: Callable[[AtWork | None], int]) -> int:
    """Do the work: right here, or in a child where this is the first process of a container."""
    if os.getpid() != 1:
        return work(None)
    return _Init(work).run()


class _Init:
    def __init__(self, work: Callable[[AtWork | None], int]) -> None:
        self._work = work
        self._at_work = AtWork() if hasattr(os, "memfd_create") else None
        self._told_to_end = 0
        self._worker = 0

    def run(self) -> int:
        while True:
            # Held back until both know what to do with them: the first process would lose them.
            signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
            if self._told_to_end:
                os._exit(128 + self._told_to_end)
            killed_for_memory = _killed_for_memory()
            self._worker = os.fork()
            if self._worker == 0:
                for signum in _PASSED_ON:
                    signal.signal(signum, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
                return self._work(self._at_work)
            for signum in _PASSED_ON:
                signal.signal(signum, self._pass_on)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
            code = self._buried()
            if not self._goes_on(code, killed_for_memory):
                os._exit(code if code >= 0 else 128 - code)

    def _pass_on(self, signum: int, _frame: FrameType | None) -> None:
        if signum in _ENDS:
            self._told_to_end = signum
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(self._worker, signum)

    def _buried(self) -> int:
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == self._worker:
                return os.waitstatus_to_exitcode(status)

    def _goes_on(self, code: int, killed_for_memory: int | None) -> bool:
        """Whether another process is to take over from one that has ended so."""
        at_work = self._at_work
        if self._told_to_end or at_work is None or at_work.deaths >= _MOST_DEATHS:
            return False
        # Who needs more memory has to be given a container with more; that is said by the exit code.
        if code == -signal.SIGKILL and (
            killed_for_memory is None or _killed_for_memory() != killed_for_memory
        ):
            return False
        where = at_work.died(code)
        if where is None:
            return False
        _end_the_others()
        said = f"headwater: the process {describe_exit(code)} at {where}; another one goes on"
        print(said, file=sys.stderr, flush=True)
        return True


def _end_the_others() -> None:
    """What a process that has died had started goes with it: it may hold what the next one needs."""
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    end = time.monotonic() + _BURIAL_SECONDS
    with suppress(ChildProcessError):  # nobody is left
        while time.monotonic() < end:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.005)


def _killed_for_memory() -> int | None:
    """How many processes of this container the kernel has killed for want of memory, where it says so."""
    for place in _MEMORY_EVENTS:
        with suppress(OSError, ValueError), open(place) as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return None
