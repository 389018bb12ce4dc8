"""Where the test cluster keeps its things: what was built outlives the checkout, what runs belongs to it."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.report import say

CHECKOUT = Path(__file__).resolve().parents[2]
ROOM = Path(__file__).resolve().parent
STATE = CHECKOUT / ".cluster"
KUBECONFIG = STATE / "kubeconfig"
LOGS = STATE / "logs"
PKI = STATE / "pki"
NODE = STATE / "node"
VOLUMES = STATE / "volumes"


def cache() -> Path:
    """The folder of everything that was built or downloaded, shared by all checkouts of this user."""
    home = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(home) if home else Path.home() / ".cache") / "headwater" / "testcluster"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock `name` against every other process; says so when it has to wait."""
    folder = cache() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that holds {file.name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def this_checkout() -> str:
    """A short name that no other checkout on this machine has.

    >>> len(this_checkout())
    8
    """
    return hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
