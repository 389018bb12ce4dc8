"""Tell whether the process that recorded a run still lives, across reuse of its pid and reboots."""

from __future__ import annotations

import getpass
import os
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_DEAD_STATES = ("Z", "X", "x")


@cache
def host_name() -> str:
    """The name of this machine."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import platform  # slow to import, and needed on Windows only

    return platform.node()


def login_name() -> str:
    """Who has started this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a uid without a name, as in many containers
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def process_mark(pid: int) -> str | None:
    """What tells this process from any other that ever had its pid; None when it is gone.

    >>> process_mark(os.getpid()) == process_mark(os.getpid())
    True
    """
    if _BOOT_ID.exists():
        return _linux_mark(pid)
    return _portable_mark(pid)


def is_gone(host: str, pid: int, mark: str) -> bool:
    """Whether the process is known to have ended. One on another machine is never known to."""
    if host != host_name():
        return False
    if mark.startswith("linux:"):
        _, boot, namespace, _ = mark.split(":")
        if boot == _boot_id() and namespace != _pid_namespace():
            return False  # in another container: its pids are not ours
    return process_mark(pid) != mark


def _linux_mark(pid: int) -> str | None:
    try:
        # The name in brackets may hold spaces and brackets itself: what counts stands after the last one.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    state, started = fields[0], fields[19]
    if state in _DEAD_STATES:  # killed, but its parent has not looked yet
        return None
    return f"linux:{_boot_id()}:{_pid_namespace()}:{started}"


@cache
def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()


@cache
def _pid_namespace() -> str:
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return ""


def _portable_mark(pid: int) -> str | None:
    import psutil  # not free to import, and Linux has no need of it

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"time:{process.create_time():.2f}"
    except psutil.AccessDenied:
        return "hidden"
    except psutil.Error:
        return None
