"""Processes that outlive the one that started them, and are ended only if they are still those that were started.

Each has a file that says its pid, when the kernel started it, and its command: a pid alone may be another's by now.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.places import LOGS, STATE
from tests.cluster.report import ClusterError

RECORDS = STATE / "processes"


@dataclass(frozen=True, slots=True)
class Process:
    """A process that this tool started."""

    name: str
    pid: int
    started: str
    command: tuple[str, ...]

    @property
    def alive(self) -> bool:
        return _started(self.pid) == self.started

    @property
    def megabytes(self) -> int:
        """Resident memory."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) // 1024
        return 0

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        ticks = int(self.started.rpartition(":")[2])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")

    def send(self, what: signal.Signals) -> None:
        """Send it a signal, unless it is gone."""
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                if self.alive:
                    signal.pidfd_send_signal(handle, what)
            finally:
                os.close(handle)

    def end(self, how: signal.Signals = signal.SIGTERM, patience: float = 10) -> None:
        """Send it the signal and wait until it is gone; kill it when `patience` (seconds) is at an end."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if not self.alive:
                return
            for signal_, seconds in ((how, patience), (signal.SIGKILL, 30)):
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, signal_)
                if _gone(handle, seconds):
                    _reap(self.pid)
                    return
            raise ClusterError(f"{self.name} (process {self.pid}) does not end, not even when killed")
        finally:
            os.close(handle)


def _gone(handle: int, seconds: float) -> bool:
    watch = select.poll()
    watch.register(handle, select.POLLIN)
    return bool(watch.poll(seconds * 1000))


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # it is someone else's child
        os.waitpid(pid, os.WNOHANG)


def _started(pid: int) -> str:
    """When the kernel started the process: `boot:ticks`; empty if it is dead or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    if fields[0] in "ZX":
        _reap(pid)
        return ""
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}:{fields[19]}"


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def find(name: str) -> Process | None:
    """The process of that name, if it runs."""
    try:
        record = json.loads((RECORDS / f"{name}.json").read_text())
    except FileNotFoundError:
        return None
    process = Process(record["name"], record["pid"], record["started"], tuple(record["command"]))
    return process if process.alive else None


def forget_ended() -> None:
    """Remove the records of processes that have ended."""
    for record in RECORDS.glob("*.json"):
        if not find(record.stem):
            record.unlink()


def start(name: str, command: Sequence[str | Path], *, child: bool = False) -> Process:
    """Start a process in a session of its own, its output in `.cluster/logs`.

    With `child` the command is a wrapper (`unshare`, `nsenter`), and the process that counts is its child.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    RECORDS.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    executable = shutil.which(words[0])
    if executable is None:
        raise ClusterError(f"{words[0]} is not installed")
    log = str(LOGS / f"{name}.log")
    pid = os.posix_spawn(
        executable,
        words,
        os.environ,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    if child:
        pid = _first_child(name, pid)
    process = Process(name, pid, _started(pid), tuple(words))
    (RECORDS / f"{name}.json").write_text(json.dumps(asdict(process)))
    return process


def _first_child(name: str, wrapper: int) -> int:
    for _ in range(1000):
        if found := children(wrapper):
            return found[0]
        if not _started(wrapper):
            break
        time.sleep(0.005)
    raise ClusterError(f"{name} did not start; {LOGS / name}.log says:\n{last_words(name)}")


def last_words(name: str, lines: int = 15) -> str:
    """The end of the process's log."""
    with suppress(OSError):
        return "\n".join((LOGS / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
    return ""
