"""Classes to derive tests from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from headwater.testing.support import call_command, pipeline_in, run_one_task

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from headwater.testing.postgres import Server


class TaskTestCase:
    """Tests of one task: set `self.task`, call `self.run_task(**inputs)`.

    `self.config` is the config that the task sees; its parameters come from `config["parameters"]`.
    """

    task: Any = None
    config: Mapping[str, Any] = {}

    @pytest.fixture(autouse=True)
    def _headwater_folder(
        self, tmp_path: Path, with_pipeline_context_manager: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / ".headwater"))
        self.task = None

    def run_task(self, *args: Any, **inputs: Any) -> Any:
        """Run the task and return its outputs."""
        return run_one_task(self.task, self.config, args, inputs)


class CommandTestCase:
    """Tests of commands: `code, result = self.run_command(["my_command", "--option", "1"])`.

    `PLUGINS` are the plugins to load. Nothing is recorded unless `force_dry_run=False` is given; then a
    SQLite database of the test's own is used. `self.config` is the config.
    """

    PLUGINS: ClassVar[Sequence[str]] = ["headwater.management"]
    force_dry_run: ClassVar[bool] = True
    root_command_class: Any = None
    config: Mapping[str, Any] = {}

    @pytest.fixture(autouse=True)
    def _headwater_pipeline(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / ".headwater"))
        self.root_command_class = None
        self._folder = tmp_path

    def databases(self) -> Mapping[str, Any]:
        """The `databases` section of the config."""
        return {"default": {"dialect": "sqlite", "path": str(self._folder / "test.db")}}

    def _config(self) -> dict[str, Any]:
        return {"databases": self.databases(), **self.config}

    def run_command(
        self, arg_list: Sequence[str] = (), force_dry_run: bool | None = None, **options: Any
    ) -> tuple[int, Any]:
        """Run a command; its exit code and the list of the outputs that it gives."""
        dry_run = self.force_dry_run if force_dry_run is None else force_dry_run
        with pipeline_in(self.PLUGINS, self._config(), self.root_command_class):
            return call_command(arg_list, dry_run)

    @contextmanager
    def pipeline_db_session(self) -> Iterator[Session]:
        """A session on the test's database."""
        from headwater.pipeline.database.sessions import current_session, dispose

        with pipeline_in(self.PLUGINS, self._config(), None):
            try:
                yield current_session()
            finally:
                dispose()


class PostgresCommandTestCase(CommandTestCase):
    """Tests of commands on a PostgreSQL database that is made for each test and dropped after it.

    The server is the one that `HEADWATER_TEST_POSTGRES` names (a URL of a superuser), else one that is
    started from this machine's PostgreSQL programs.
    """

    force_dry_run: ClassVar[bool] = False

    @pytest.fixture(autouse=True)
    def _headwater_database(self, headwater_postgres: Server) -> Iterator[None]:
        with headwater_postgres.database() as section:
            self._section = section
            yield

    def databases(self) -> Mapping[str, Any]:
        """The database of this test, with an `admin` and a `user`."""
        return {"default": dict(self._section)}
