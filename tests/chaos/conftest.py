"""Fixtures: a launcher of operators, a lab, and whether the long version of these tests was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.harness import Lab, a_lab
from tests.chaos.launcher import Launcher, can_skew_clocks, launcher
from tests.cluster.fixtures import Cluster

LONG = os.environ.get("HEADWATER_CHAOS") == "long"
"""HEADWATER_CHAOS=long: hundreds of seeded runs and kills instead of a few."""

NewLab = Callable[..., AbstractAsyncContextManager[Lab]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "disturbs_cluster: harms the whole cluster; has it to itself")


@pytest.fixture(scope="session")
def operators() -> Iterator[Launcher]:
    """Starts operators."""
    with launcher() as found:
        yield found


@pytest.fixture(scope="session")
def hour_ahead() -> Iterator[Launcher]:
    """Starts operators whose clock is an hour ahead."""
    yield from _skewed("+1h")


@pytest.fixture(scope="session")
def hour_behind() -> Iterator[Launcher]:
    """Starts operators whose clock is an hour behind."""
    yield from _skewed("-1h")


def _skewed(clock: str) -> Iterator[Launcher]:
    if not can_skew_clocks():
        pytest.skip("needs libfaketime (Debian: apt install faketime)")
    with launcher(clock) as found:
        yield found


@pytest.fixture
def new_lab(own_cluster: Cluster, _turn: None, operators: Launcher, tmp_path: Path) -> NewLab:
    """Makes labs: `async with new_lab() as lab`."""

    def make(**options: Any) -> AbstractAsyncContextManager[Lab]:
        folder = tmp_path / f"lab-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return a_lab(own_cluster, operators, folder, **options)

    return make
