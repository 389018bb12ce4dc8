"""Tests in this folder run on the real Slurm of the project."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.slurm import processes
from tests.slurm.places import Slot
from tests.slurm.use import require


@pytest.fixture
def slurm() -> Slot:
    """The running test cluster; `SLURM_CONF` says where it is."""
    return require()


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """What a test starts ends with it."""
    yield from processes.ended_with_the_test()
