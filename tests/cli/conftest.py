"""Calls flowctl as a shell would, in a folder of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from headwater.backends.pool import shared
from headwater.cli.globals import GLOBALS
from headwater.cli.main import main

PIPELINE = """
from headwater import MapWorkflow, task, workflow


@task
def gen_data(n: int = 3) -> {"xs": list[int]}:
    print(f"generating {n}")
    return list(range(n))


@task
def compute(x: int, factor: int = 2) -> {"y": int}:
    if x == 13:
        raise ValueError("thirteen")
    print(f"computing {x}")
    return factor * x


@MapWorkflow.as_workflow(map_on={"xs": "x"}, raise_exceptions=True)
def process():
    compute()


@task
def total(y: list) -> {"total": int}:
    return sum(y)


@workflow
def reduce():
    gen_data() | process() | total()
"""


@dataclass
class Answer:
    """What flowctl printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pipeline in it; the test runs there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))  # of whoever runs the tests
    monkeypatch.setattr(sys, "path", list(sys.path))
    # Each test's pipeline.py is another one.
    monkeypatch.delitem(sys.modules, "pipeline", raising=False)
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    return tmp_path


@pytest.fixture
def flowctl(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    def call(*arguments: str) -> Answer:
        monkeypatch.delitem(sys.modules, "pipeline", raising=False)
        monkeypatch.setattr(sys, "argv", ["flowctl", *arguments])
        for name in ("HEADWATER_CONFIG_PATH", "HEADWATER_SETTINGS_MODULE"):
            monkeypatch.delenv(name, raising=False)
        shared._end_all()  # the workers of another call may print to what stood for stdout then
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        printed = capfd.readouterr()
        code = left.value.code
        assert isinstance(code, int)
        return Answer(code, printed.out, printed.err)

    yield call
    GLOBALS.__init__()
