"""Porting a pipeline written for Outflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from headwater.errors import UsageError
from headwater.pipeline.port import port_path, port_text

BEFORE = '''\
"""Commands."""
import mock
from outflow.core.commands import Command, RootCommand, argument
from outflow.core.logging import logger  # the logger
from outflow.core.pipeline import context, config, Pipeline
from outflow.core.tasks import Task, as_task
from outflow.core.types import Parameter
from outflow.core.db import Model
from outflow.core.test.test_cases import (
    PostgresCommandTestCase,
    postgresql_fixture,
)
from outflow.library.workflows import MapWorkflow, SlurmMapWorkflow
from outflow.management.models.run import Run
import outflow

PLUGINS = ["outflow.management", 'tuto.data']
PIPELINE = dict(settings_module="outflow.core.pipeline.default_settings")


def inner():
    from outflow.core.target import Target
    return Target


@mock.patch("outflow.core.db.database.Databases.session")
def test():
    pass
'''

AFTER = '''\
"""Commands."""
import mock
from headwater import Command, RootCommand, argument
from headwater import logger  # the logger
from headwater import context, config, Pipeline
from headwater import Task, as_task
from headwater import Parameter
from headwater import Model
from headwater.testing import PostgresCommandTestCase
from outflow.core.test.test_cases import postgresql_fixture
from headwater import MapWorkflow, MapWorkflow as SlurmMapWorkflow
from outflow.management.models.run import Run
import outflow

PLUGINS = ["headwater.management", 'tuto.data']
PIPELINE = dict(settings_module="settings")


def inner():
    from headwater import Target
    return Target


@mock.patch("outflow.core.db.database.Databases.session")
def test():
    pass
'''


def test_imports_and_names_are_rewritten() -> None:
    assert port_text(BEFORE, Path("commands.py"))[0] == AFTER


def test_what_is_left_names_file_line_and_symbol(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    file = tmp_path / "pkg" / "commands.py"
    file.write_text(BEFORE)
    done = port_path(tmp_path)
    assert done.changed == [file]
    left = {(each.line, each.symbol) for each in done.left}
    assert left == {
        (10, "outflow.core.test.test_cases.postgresql_fixture"),
        (12, "outflow.management.models.run.Run"),
        (13, "outflow"),
        (24, "outflow.core.db.database.Databases.session"),
    }
    assert all(str(each).startswith(f"{file}:") for each in done.left)


def test_porting_twice_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "commands.py"
    file.write_text(BEFORE)
    port_path(file)
    once = file.read_text()
    assert port_path(file).changed == []
    assert file.read_text() == once


def test_awkward_files_are_ported_too(tmp_path: Path) -> None:
    awkward = {
        "one_line.py": "from outflow.core.pipeline import context; from outflow.core.logging import nothing\n",
        "latin.py": "# -*- coding: latin-1 -*-\nfrom outflow.core.tasks import Task\nx = '\xe9'\n",
        "crlf.py": "from outflow.core.tasks import (\r\n    Task,  # the task\r\n    as_task,\r\n)\r\nx = 1\r\n",
    }
    for name, text in awkward.items():
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    (tmp_path / "venv" / "lib").mkdir(parents=True)
    foreign = tmp_path / "venv" / "lib" / "x.py"
    foreign.write_text("from outflow.core.tasks import Task\n")
    done = port_path(tmp_path)
    assert len(done.changed) == 3
    assert foreign.read_text() == "from outflow.core.tasks import Task\n"
    assert (tmp_path / "one_line.py").read_text() == (
        "from headwater import context; from outflow.core.logging import nothing\n"
    )
    assert (tmp_path / "latin.py").read_bytes().endswith(b"from headwater import Task\nx = '\xe9'\n")
    assert (
        tmp_path / "crlf.py"
    ).read_bytes() == b"from headwater import Task, as_task  # the task\r\nx = 1\r\n"


def test_a_file_that_is_no_python_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("def (:\n")
    done = port_path(file)
    assert done.changed == []
    assert "not valid Python" in done.left[0].why


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="there is no 'gone'"):
        port_path(Path("gone"))


def test_a_ported_pipeline_runs(project) -> None:
    (project.folder / "settings.py").write_text(
        'PLUGINS = [\n    "outflow.management",\n    "tuto.reduction",\n]\n'
    )
    (project.folder / "manage.py").write_text(
        "import pathlib\nimport sys\n\nfrom outflow.core.pipeline import Pipeline\n\n"
        'if __name__ == "__main__":\n'
        "    root = Pipeline.get_parent_directory_posix_path(__file__)\n"
        '    for path in (pathlib.Path(__file__).parent / "plugins").glob("*"):\n'
        "        sys.path.append(path.resolve().as_posix())\n"
        "    with Pipeline(root_directory=root) as pipeline:\n        exit(pipeline.run())\n"
    )
    (project.plugin / "tasks.py").write_text(
        "from outflow.core.logging import logger\nfrom outflow.core.tasks import as_task\n\n\n"
        '@as_task\ndef GenData():\n    raw_data = 42\n    return {"raw_data": raw_data}\n\n\n'
        '@as_task\ndef PrintData(raw_data):\n    logger.info(f"Result: {raw_data}")\n'
    )
    (project.plugin / "commands.py").write_text(
        "from outflow.core.commands import Command, RootCommand\n\nfrom .tasks import GenData, PrintData\n\n\n"
        "@RootCommand.subcommand(db_untracked=True)\nclass ComputeData(Command):\n"
        "    def setup_tasks(self):\n        GenData() | PrintData()\n"
    )
    flowctl = str(Path(sys.executable).parent / "flowctl")
    ported = subprocess.run(
        [flowctl, "port", "."], cwd=project.folder, capture_output=True, text=True, check=False
    )
    assert ported.returncode == 0
    assert "left for you" not in ported.stdout
    assert "Result: 42" in project.ok("compute_data")
