"""New projects and plugins run as they were made, and nothing is overwritten."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from headwater.errors import UsageError
from headwater.pipeline.create import create_pipeline, create_plugin


def test_a_project_holds_what_the_manual_says(project) -> None:
    for name in ("manage.py", "settings.py", "config.yml", "requirements.txt", "plugins"):
        assert (project.folder / name).exists()
    for name in ("commands.py", "tasks.py", "models", "tests"):
        assert (project.plugin / name).exists()
    assert not (project.plugin.parent / "__init__.py").exists()


def test_a_project_runs_as_generated(project) -> None:
    assert "Hello from reduction" in project.ok("reduction")
    assert "Result of the computation: 42" in project.ok("compute_data")


def test_the_tests_of_a_project_pass(project) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_nothing_is_overwritten(project) -> None:
    with pytest.raises(UsageError, match=r"exists\. Take another name"):
        create_pipeline("tuto_pipeline", project.folder.parent)
    with pytest.raises(UsageError, match="exists"):
        create_plugin("tuto.reduction")


@pytest.mark.parametrize("name", ["Tuto", "1st", "with-dash", "with space", "class", "test", ""])
def test_a_bad_name_is_refused_with_the_rule(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a pipeline"):
        create_pipeline(name, tmp_path / "x") if name else create_pipeline(" ", tmp_path)


@pytest.mark.parametrize("name", ["reduction", "a.b.c", "tuto.Reduction", "2.x"])
def test_a_bad_plugin_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        create_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_plugin_that_is_not_there_is_named(project) -> None:
    settings = project.folder / "settings.py"
    settings.write_text('PLUGINS = ["tuto.gone"]\n')
    done = project("reduction")
    assert done.returncode == 2
    assert "there is no plugin 'tuto.gone'" in done.stderr
