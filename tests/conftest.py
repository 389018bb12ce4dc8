"""Every test has a state folder of its own, and starts without configuration."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def headwater_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HEADWATER_HOME", str(home))
    for name in ("HEADWATER_CONFIG_PATH", "HEADWATER_SETTINGS_MODULE"):
        monkeypatch.delenv(name, raising=False)
    return home
