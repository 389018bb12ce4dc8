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
    """The running test cluster."""
    return require()


@pytest.fixture
def alone(slurm: Slot) -> Iterator[Slot]:
    """The cluster for what is done to all of it; whole again afterwards."""
    if not os.environ.get("HEADWATER_CHAOS"):
        pytest.skip(
            "it would disturb other tests on this Slurm: HEADWATER_CHAOS=1 pytest -n0 tests/chaos/slurm"
        )
    yield slurm
    cluster.up()
    # What a restarted controller believes to run is on a node for a minute more; it drains nodes that know of more.
    subprocess.run(["scancel", "--user=root"], check=True)
    until(_is_empty, 150)
    for index in range(1, NODES + 1):
        cluster.undrain(slurm.node(index))


def _is_empty() -> bool:
    return not subprocess.run(["squeue", "--noheader"], check=True, capture_output=True).stdout


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """What a test starts ends with it."""
    yield from processes.ended_with_the_test()
