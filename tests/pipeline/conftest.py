"""A project made by the scaffold, with the manual's tasks, models and commands in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from headwater.pipeline.create import create_pipeline, create_plugin

TASKS = """
import os

from headwater import Parameter, as_task, context, logger
from sqlalchemy.exc import NoResultFound

from .models.result import ComputationResult


@as_task
def GenData() -> {"raw_data_array": list}:
    return [42, 43, 44, 45]


@as_task
def Compute(raw_data: int) -> {"computation_result": int}:
    session = context.session
    multiplier = context.args.multiplier
    if raw_data == 45 and os.environ.get("UNLUCKY"):
        raise ValueError("unlucky")
    try:
        found = session.query(ComputationResult).filter_by(input_value=raw_data, multiplier=multiplier).one()
        logger.info("found in the database")
        return found.result
    except NoResultFound:
        logger.info("computing")
    result = raw_data * multiplier
    session.add(ComputationResult(input_value=raw_data, multiplier=multiplier, result=result))
    session.commit()
    return result


@as_task
def Scale(raw_data: int, factor: Parameter(int)) -> {"scaled": int}:
    return raw_data * factor


@as_task
def PrintData(computation_result: list) -> None:
    logger.info(f"results: {computation_result}")
"""

COMMANDS = '''
import time

from headwater import (
    Command, MapWorkflow, PipelineArgs, RootCommand, argument, as_task, config, context, exit_pipeline, logger,
)

from .tasks import Compute, GenData, PrintData, Scale


@MapWorkflow.as_workflow()
def process_data():
    Compute()


@MapWorkflow.as_workflow(raise_exceptions=True)
def scale_data():
    Scale()


@RootCommand.subcommand()
class ComputeData(Command):
    """Compute all data."""

    def add_arguments(self):
        self.add_argument("--multiplier", type=int, default=2)

    def setup_tasks(self):
        process = process_data()
        GenData() | process | PrintData()
        return process


@RootCommand.subcommand(backend="parallel", db_untracked=True)
class ScaleData(Command):
    def setup_tasks(self):
        GenData() | scale_data()


@as_task
def Show(multiplier) -> {"shown": int}:
    return multiplier


@RootCommand.subcommand(db_untracked=True, name="show-args")
class ShowArguments(Command):
    def add_arguments(self):
        self.add_argument("--multiplier", type=int, default=2)

    def setup_tasks(self):
        return [PipelineArgs(only=["multiplier"]) | Show(), GenData()]


@RootCommand.subcommand(db_untracked=True)
@argument("name")
@argument("--times", type=int, default=1)
def greet(name, times):
    """Greet somebody."""
    print(f"hello {name}! " * times)


@RootCommand.subcommand(invokable=False)
class Git(Command):
    pass


@Git.subcommand(db_untracked=True, allow_extra_args=True)
class Clone(Command):
    def setup_tasks(self):
        print("cloning", context.extra_args)


@RootCommand.subcommand(db_untracked=True)
def leave():
    exit_pipeline(5)


@RootCommand.subcommand(db_untracked=True)
def change_config():
    config["backend"] = "other"


@RootCommand.subcommand()
def slow():
    print("going", flush=True)
    time.sleep(60)
'''

MODEL = '''
from headwater import Model
from sqlalchemy import Column, Integer, UniqueConstraint


class ComputationResult(Model):
    """Results of computations."""

    id_computation_result = Column(Integer, primary_key=True)
    input_value = Column(Integer, nullable=False)
    multiplier = Column(Integer, nullable=False)
    result = Column(Integer, nullable=False)

    __table_args__ = (UniqueConstraint("input_value", "multiplier"),)
'''


class Project:
    """A pipeline project on disk, called as a person calls it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugin = folder / "plugins" / "reduction" / "tuto" / "reduction"
        self.environ = {key: value for key, value in os.environ.items() if key != "HEADWATER_HOME"}

    def __call__(self, *words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=self.folder,
            env={**self.environ, **environ},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def configure(self, **sections: Any) -> None:
        path = self.folder / "config.yml"
        config = yaml.safe_load(path.read_text()) or {}
        path.write_text(yaml.safe_dump({**config, **sections}))

    def ok(self, *words: str, **environ: str) -> str:
        done = self(*words, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    folder = create_pipeline("tuto_pipeline", tmp_path)
    monkeypatch.chdir(folder)
    create_plugin("tuto.reduction")
    made = Project(folder)
    settings = folder / "settings.py"
    settings.write_text(
        settings.read_text().replace("    # your plugins", '    "tuto.reduction",\n    # your plugins')
    )
    return made


@pytest.fixture
def reduction(project: Project) -> Project:
    """The project with the manual's code, its database not yet made."""
    (project.plugin / "tasks.py").write_text(TASKS)
    (project.plugin / "commands.py").write_text(COMMANDS)
    (project.plugin / "models" / "result.py").write_text(MODEL)
    project.configure(parameters={"scale": {"factor": 10}})
    return project


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, reduction: Project) -> Any:
    """The project on a database of either kind, without any tables."""
    if request.param == "sqlite":
        yield reduction
        return
    server = request.getfixturevalue("headwater_postgres")
    with server.database() as section:
        reduction.configure(databases={"default": dict(section)})
        yield reduction
