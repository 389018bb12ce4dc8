"""pytest fixtures for people who write pipelines; pytest finds them by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from headwater.testing.postgres import Server


@pytest.fixture
def run_task() -> Callable[..., Any]:
    """`run_task(MyTask, config=None, **inputs)` gives the task's outputs."""

    def run(task: Any, config: Any = None, **inputs: Any) -> Any:
        from headwater.testing.support import run_one_task

        return run_one_task(task, config or {}, (), inputs)

    return run


@pytest.fixture
def with_pipeline_context_manager() -> Iterator[None]:
    """For tests that were written for Outflow: the cases open their pipeline by themselves."""
    from headwater.configuration import context

    before = context.of_process()
    yield
    for name in context.of_process():
        if name not in before:
            delattr(context, name)


@pytest.fixture
def run_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, Any]]:
    """`code, result = run_command(["my_command"], plugins=[...], config={...}, tracked=False)`."""
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / ".headwater"))

    def run(words: Any, plugins: Any = (), config: Any = None, tracked: bool = False) -> tuple[int, Any]:
        from headwater.testing.support import call_command, pipeline_in

        databases = {"default": {"dialect": "sqlite", "path": str(tmp_path / "test.db")}}
        with pipeline_in(
            ["headwater.management", *plugins], {"databases": databases, **(config or {})}, None
        ):
            return call_command(words, not tracked)

    return run


@pytest.fixture(scope="session")
def headwater_postgres() -> Iterator[Server]:
    """A PostgreSQL server for the whole session of tests."""
    from headwater.errors import UsageError
    from headwater.testing.postgres import server

    try:
        with server() as running:
            yield running
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture
def postgres_pipeline(
    headwater_postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[int, Any]]]:
    """As `run_command`, recorded in a PostgreSQL database of the test's own."""
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / ".headwater"))
    from headwater.testing.support import call_command, pipeline_in

    with headwater_postgres.database() as section:

        def run(words: Any, plugins: Any = (), config: Any = None) -> tuple[int, Any]:
            given = {"databases": {"default": dict(section)}, **(config or {})}
            with pipeline_in(["headwater.management", *plugins], given, None):
                return call_command(words, dry_run=False)

        yield run
