"""Tests in this folder run on the real Slurm of the project."""

from __future__ import annotations

import pytest

from tests.slurm.places import Slot
from tests.slurm.use import require


@pytest.fixture
def slurm() -> Slot:
    """The running test cluster; `SLURM_CONF` says where it is."""
    return require()
