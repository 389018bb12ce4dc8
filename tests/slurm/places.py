"""Where the Slurm test cluster keeps its things, and which ports are this checkout's."""

from __future__ import annotations

import fcntl
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".slurm"
ENV = STATE / "env"
RESOURCE = STATE / "slurmcluster.yaml"
WORK = STATE / "work"
LOGS = STATE / "log"
SLOTS = 200
SPAN = 32


class SlurmTestError(Exception):
    """Something that keeps the cluster from running; its text says what to do."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Which ports and names on this machine are this cluster's: several clusters run side by side.

    >>> Slot(3).controller, Slot(3).rest, Slot(3).node(1), Slot(3).node_port(1)
    (24096, 24097, 'hw3n1', 24107)
    """

    number: int

    @property
    def controller(self) -> int:
        return 24000 + SPAN * self.number

    @property
    def rest(self) -> int:
        return self.controller + 1

    @property
    def ssh(self) -> int:
        return self.controller + 2

    def node(self, index: int) -> str:
        return f"hw{self.number}n{index}"

    def node_port(self, index: int) -> int:
        return self.controller + 10 + index


def slot() -> Slot:
    """This checkout's slot: the one it had, else the first free one, from a place that depends on its path."""
    chosen = STATE / "slot"
    if chosen.exists():
        return Slot(int(chosen.read_text()))
    first = zlib.crc32(str(CHECKOUT).encode()) % SLOTS
    for step in range(SLOTS):
        candidate = Slot((first + step) % SLOTS)
        if all(map(_is_free, range(candidate.controller, candidate.controller + SPAN))):
            chosen.write_text(str(candidate.number))
            return candidate
    raise SlurmTestError("no ports are free between 24000 and 30400: stop other test clusters")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def host_address() -> str:
    """The address by which other network namespaces of this machine (pods) reach it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.254", 9))  # sends nothing; TEST-NET-1, so the default route decides
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@contextmanager
def locked() -> Iterator[None]:
    """Hold this checkout's cluster against other processes that start or stop it."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
