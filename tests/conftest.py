"""Every test has a state folder of its own, and starts without configuration."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cluster.fixtures import (
    _turn,  # noqa: F401
    chaos,  # noqa: F401
    cluster,  # noqa: F401
    namespace,  # noqa: F401
    own_cluster,  # noqa: F401
    pytest_collection_finish,  # noqa: F401
)


@pytest.fixture(autouse=True)
def headwater_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HEADWATER_HOME", str(home))
    for name in ("HEADWATER_CONFIG_PATH", "HEADWATER_SETTINGS_MODULE"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a group must stay together: those that share pods would otherwise run on every worker."""
    if not hasattr(config, "workerinput") or not config.getvalue("loadgroup"):
        return
    grouped = [item for item in items if item.get_closest_marker("xdist_group")]
    if grouped and not any("@" in item.nodeid.rpartition("]")[2] for item in grouped):
        pytest.exit("pytest-xdist does not keep groups of tests together with this pytest", returncode=3)


def pytest_sessionfinish() -> None:
    """End what tests have started and share: the Slurm cluster, when nobody else uses it."""
    use = sys.modules.get("tests.slurm.use")
    if use is not None:
        use.leave()
