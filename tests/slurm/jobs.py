"""Small jobs for the tests, on every transport."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

from headwater.slurm.cluster import Cluster
from headwater.slurm.directives import Directives
from headwater.slurm.script import script
from headwater.slurm.transport import Job

from tests.slurm.daemons import wait_until
from tests.slurm.login_node import login_node
from tests.slurm.places import STATE, Slot

TRANSPORTS = ("local", "rest", "ssh")
_numbers = itertools.count()


def cluster_by(transport: str, slot: Slot, workdir: Path, tmp_path: Path, **more: object) -> Cluster:
    """The test cluster by one of the ways to it."""
    written: dict[str, object] = {"transport": transport, "workdir": str(workdir), "grace_seconds": 3, **more}
    if transport == "rest":
        secret = tmp_path / "secret"
        secret.mkdir(exist_ok=True)
        (secret / "user").write_text("root")
        (secret / "key").write_bytes((STATE / "jwt.key").read_bytes())
        written |= {"endpoint": f"http://127.0.0.1:{slot.rest}", "secret": str(secret)}
    elif transport == "ssh":
        node = login_node(slot)
        written |= {"endpoint": node.endpoint, "secret": str(node.secret)}
    return Cluster.parse(written)


def unique(name: str) -> str:
    """A name for a job that no other test has."""
    return f"hw-test-{os.getpid()}-{next(_numbers)}-{name}"


def job(folder: Path, name: str, body: str, array: str = "", **directives: object) -> Job:
    """A job whose tasks run `body`, a line of shell; `$HEADWATER_SLURM_AT` is where its markers go."""
    (folder / "out").mkdir(parents=True, exist_ok=True)
    (folder / "log").mkdir(exist_ok=True)
    text = script(name, str(folder / "out"), ["sh", "-c", body])
    output = str(folder / "log" / (f"{name}.%a.out" if array else f"{name}.0.out"))
    return Job(name, text, str(folder), output, Directives.parse(directives), array)


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something holds, or fail."""
    assert wait_until(holds, seconds), f"after {seconds:g} s it still does not hold"


def now() -> float:
    """The clock of followers."""
    return time.monotonic()
