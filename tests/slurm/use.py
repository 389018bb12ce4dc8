"""The cluster as tests use it: started when the first test needs it, shared by all workers, ended with the last.

A cluster that a person started (`make slurm`) is used and left running.
"""

from __future__ import annotations

import fcntl
import os
from typing import IO

import pytest

from tests.slurm import cluster, daemons
from tests.slurm.places import CHECKOUT, STATE, Slot, SlurmTestError

_USERS = CHECKOUT / ".slurm.users"
_OURS = STATE / "started-by-tests"
_held: IO[str] | None = None
_slot: Slot | None = None


def require() -> Slot:
    """The running cluster, its environment in force; the test is skipped, with the reason, where it cannot run."""
    global _held, _slot
    if why := cluster.obstacle():
        pytest.skip(why)
    if _held is None:
        _held = _USERS.open("w")
        fcntl.flock(_held, fcntl.LOCK_SH)
    if _slot is None:
        was_there = daemons.find("slurmctld") is not None
        try:
            _slot = cluster.up()
        except SlurmTestError as error:
            pytest.skip(f"the Slurm test cluster does not start: {error}")
        if not was_there:
            _OURS.touch()
    return _slot


def leave() -> None:
    """End the cluster if tests started it and no other worker uses it any more."""
    global _held, _slot
    if _held is None:
        return
    try:
        fcntl.flock(_held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        if _OURS.exists():
            cluster.down()
        _USERS.unlink(missing_ok=True)
    _held.close()
    _held = _slot = None
    for name in ("SLURM_CONF", "SLURM_REST_URL", "SLURM_JWT_KEY"):
        os.environ.pop(name, None)
