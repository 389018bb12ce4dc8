"""A run database of its own for each test, and short ways to a recorder and to failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass
from headwater.records import Recorder, RunInfo


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "headwater.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def record(url: str) -> Iterator[Callable[..., Recorder]]:
    """Start a recorder; what a test leaves open is closed."""
    opened: list[Recorder] = []

    def start(run_id: str = "r1", *, at: str = "", interval: float = 0.02, **info: object) -> Recorder:
        given = {"name": "reduce", "backend": "default", "started_at": 10.0, **info}
        recorder = Recorder(at or url, RunInfo(run_id, **given), interval=interval)  # type: ignore[arg-type]
        opened.append(recorder)
        return recorder

    yield start
    for recorder in opened:
        recorder.close(0.1)


@pytest.fixture
def failure() -> Callable[..., Failure]:
    def make(message: str = "no such key", *, node: str = "", traceback: str = "Traceback ...") -> Failure:
        return Failure("KeyError", message, ErrorClass.ERROR, node, traceback)

    return make
