"""Chaos runs on the real Slurm. What disturbs other tests on it runs only with `HEADWATER_CHAOS=1`, and alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.slurm import cluster, processes
from tests.slurm.jobs import until
from tests.slurm.places import Slot
from tests.slurm.settings import NODES
from tests.slurm.use import require


@pytest.fixture
def slurm() -> Slot:
    """The running test cluster, whole after what other tests have done to it."""
    slot = require()
    if os.environ.get("HEADWATER_CHAOS"):
        until(lambda: _is_whole(slot), 150)
    return slot


@pytest.fixture
def alone(slurm: Slot) -> Iterator[Slot]:
    """The cluster for what is done to all of it; whole again afterwards."""
    if not os.environ.get("HEADWATER_CHAOS"):
        pytest.skip(
            "it would disturb other tests on this Slurm: HEADWATER_CHAOS=1 pytest -n0 tests/chaos/slurm"
        )
    yield slurm
    cluster.up()
    subprocess.run(["scancel", "--user=root"], check=True)
    until(lambda: _is_whole(slurm), 150)
    _use_up_ids()


def _is_whole(slot: Slot) -> bool:
    """What a restarted controller believes to run is there for a minute; it drains nodes that know of more jobs."""
    for index in range(1, NODES + 1):
        cluster.undrain(slot.node(index))
    queue = subprocess.run(["squeue", "--noheader"], capture_output=True)
    nodes = subprocess.run(["sinfo", "--noheader", "--Node", "--format=%T"], capture_output=True, text=True)
    said = queue.returncode == nodes.returncode == 0
    return said and not queue.stdout and set(nodes.stdout.split()) == {"idle"}


def _use_up_ids() -> None:
    """A killed controller gives ids again that nodes know, and those refuse the jobs: begin past them."""
    for _ in range(8):
        subprocess.run(["sbatch", "--quiet", "--hold", "--output=/dev/null", "--wrap=true"], check=True)
    subprocess.run(["scancel", "--user=root"], check=True)


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """What a test starts ends with it."""
    yield from processes.ended_with_the_test()
