"""New projects and plugins, as files that run as they are."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from pathlib import Path

from headwater.blocks.names import camel_case, snake_case
from headwater.errors import UsageError

_RULE = "lower-case letters, digits and '_', beginning with a letter, and no word of Python's"

PIPELINE = {
    "manage.py": '''\
#!/usr/bin/env python3
"""The entry point of the pipeline: `python manage.py COMMAND`."""

from headwater.pipeline.entry import run_project

if __name__ == "__main__":
    run_project(__file__)
''',
    "settings.py": '''\
"""Settings of the pipeline {name}: what is the same wherever it runs. What differs is in config.yml."""

PLUGINS = [
    "headwater.management",
    # your plugins: "namespace.name"
]
''',
    "config.yml": """\
# What differs from one place to another.
databases:
  default:
    dialect: sqlite
    path: {name}.db

# What `Parameter` targets read, by task:
# parameters:
#   my_task:
#     my_parameter: 3

# Recorded with each run, their values replaced by ****:
# secrets:
#   user: me
#   password: hidden

# Logging, as Python's logging.config.dictConfig has it; the handlers `console` and `file` exist:
# logging:
#   loggers:
#     "namespace.name": {{level: DEBUG, handlers: [console]}}

# default: one task after the other in this process; parallel: on all cores.
backend: default
""",
    "requirements.txt": "headwater\n",
    "pytest.ini": """\
[pytest]
pythonpath = . {plugins_path}
python_files = test_*.py tests.py
addopts = --import-mode=importlib
""",
    ".gitignore": ".headwater/\n*.db\n__pycache__/\n",
    "README.md": """\
# {name}

```console
$ python manage.py --help
$ python manage.py management create plugin namespace.name
$ pytest
```
""",
}

PLUGIN = {
    "{package}/__init__.py": '"""The plugin {plugin}."""\n',
    "{package}/commands.py": '''\
"""Commands of {plugin}: entry points that put tasks together."""

from headwater import Command, RootCommand, logger

from .tasks import GenData, PrintData


@RootCommand.subcommand(db_untracked=True)
class {command}(Command):
    """Generate some data and print it."""

    def setup_tasks(self):
        GenData() | PrintData()


# db_untracked=True lets a command run without a database; take it away to have its runs recorded.
@RootCommand.subcommand(db_untracked=True)
def {camel}():
    """Say hello from {name}."""
    logger.info("Hello from {name}")
''',
    "{package}/tasks.py": '''\
"""Tasks of {plugin}: the steps of its workflows."""

from headwater import as_task, logger


@as_task
def GenData() -> {{"raw_data": int}}:
    return 42


@as_task
def PrintData(raw_data: int) -> None:
    logger.info(f"Result of the computation: {{raw_data}}")
''',
    "{package}/models/__init__.py": '"""Tables of {plugin}."""\n',
    "{package}/models/model.py": '''\
"""An example of a table. Uncomment it, then: python manage.py management db make_migrations -p {plugin} -m "..." """

# from headwater import Model
# from sqlalchemy import Column, Integer
#
#
# class MyTable(Model):
#     id_my_table = Column(Integer, primary_key=True)
#     my_column = Column(Integer, nullable=False, unique=True)
''',
    "{package}/models/versions/README.md": "Migrations, written by `db make_migrations`: read and commit them.\n",
    "{package}/tests/test_{name}.py": '''\
"""Tests of {plugin}."""

from headwater.testing import CommandTestCase, TaskTestCase


class Test{camel}Tasks(TaskTestCase):
    def test_gen_data(self):
        from {plugin}.tasks import GenData

        self.task = GenData()
        assert self.run_task() == {{"raw_data": 42}}


class Test{camel}Commands(CommandTestCase):
    PLUGINS = ["headwater.management", "{plugin}"]

    def test_{name}(self):
        code, result = self.run_command(["{name}"])
        assert code == 0
        assert result == [None]

    def test_{command_name}(self):
        code, result = self.run_command(["{command_name}"])
        assert code == 0
''',
    "pyproject.toml": """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{plugin}"
version = "0.1.0"
dependencies = ["headwater"]

[tool.hatch.build.targets.wheel]
only-include = ["{namespace}"]
""",
    "README.md": '# {plugin}\n\nAdd `"{plugin}"` to `PLUGINS` in the pipeline\'s settings.py.\n',
}


def create_pipeline(name: str, folder: Path | None = None) -> Path:
    """Write a new pipeline project into a new folder of its name.

    Raises:
        UsageError: the name cannot be one, or the folder exists.
    """
    target = (folder or Path.cwd()) / name
    _check_name(target.name, "pipeline")
    _refuse_existing(target)
    _write(target, PIPELINE, {"name": target.name, "plugins_path": ""})
    (target / "plugins").mkdir()
    return target


def create_plugin(name: str, plugin_dir: Path | None = None) -> Path:
    """Write a new plugin, `NAMESPACE.NAME`, into `plugin_dir` (by default `plugins/NAME`).

    Raises:
        UsageError: the name cannot be one, or there are such files.
    """
    namespace, dot, plugin = name.partition(".")
    if not dot or "." in plugin:
        raise UsageError(
            f"{name!r} is not the name of a plugin", fix="Write NAMESPACE.NAME: tuto.data_reduction."
        )
    _check_name(namespace, "namespace")
    _check_name(plugin, "plugin")
    target = plugin_dir or Path.cwd() / "plugins" / plugin
    _refuse_existing(target / namespace / plugin)
    # The manual's first plugin has a `compute_data`; a second one must not have it too.
    taken = any("class ComputeData(" in each.read_text(encoding="utf-8") for each in _commands_nearby(target))
    command = f"Compute{camel_case(plugin)}" if taken else "ComputeData"
    values = {
        "command": command,
        "command_name": snake_case(command),
        "plugin": name,
        "namespace": namespace,
        "name": plugin,
        "package": f"{namespace}/{plugin}",
        "camel": camel_case(plugin),
    }
    _write(target, PLUGIN, values)
    _extend_pytest_path(target)
    return target


def _commands_nearby(target: Path) -> Iterator[Path]:
    for folder in {target.parent, Path.cwd() / "plugins"}:
        yield from folder.glob("*/*/*/commands.py")


def _extend_pytest_path(plugin: Path) -> None:
    """Let pytest, started in the pipeline's folder, find the plugin's package."""
    root = Path.cwd()
    settings = root / "pytest.ini"
    if settings.is_file() and plugin.resolve().is_relative_to(root.resolve()):
        folder = plugin.resolve().relative_to(root.resolve()).as_posix()
        text = settings.read_text(encoding="utf-8")
        line = next((each for each in text.splitlines() if each.startswith("pythonpath")), None)
        if line is not None and folder not in line.split():
            settings.write_text(text.replace(line, f"{line.rstrip()} {folder}"), encoding="utf-8")


def _check_name(name: str, what: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot be the name of a {what}", fix=f"Names have {_RULE}.")
    if name in ("headwater", "test", "tests", "plugins", "settings"):
        raise UsageError(
            f"{name!r} cannot be the name of a {what}: it means something else", fix="Take another."
        )


def _refuse_existing(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"{target} exists", fix="Take another name, or move it away: nothing is overwritten."
        )


def _write(target: Path, files: dict[str, str], values: dict[str, str]) -> None:
    for name, text in files.items():
        path = target / name.format(**values)
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        filled = text.format(**values)
        path.write_text("\n".join(line.rstrip() for line in filled.split("\n")), encoding="utf-8")
    manage = target / "manage.py"
    if manage.exists():
        manage.chmod(0o755)
