"""A pod without a cluster: the entry point as a process of its own, with a store and a termination message."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from headwater.document.unit import ENVIRONMENT, UnitReport, UnitSpec, read_report, write_unit
from headwater.runtime.pod.values import Values


@dataclass
class Ended:
    """How a pod ended."""

    code: int
    message: str
    out: str
    err: str

    @property
    def report(self) -> UnitReport:
        """What its termination message says."""
        assert len(self.message.encode()) <= 4096
        return read_report(self.message)

    @property
    def failure(self) -> Mapping[str, Any]:
        """Its failure."""
        assert self.code == 1, (self.code, self.message, self.err)
        assert self.report.failure is not None, self.message
        return self.report.failure


@dataclass
class Pods:
    """Starts pods of one run. `store` is a folder; `options` go into every unit."""

    folder: Path
    store: str
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    popen: Any = subprocess.Popen

    def write(self, text: str, name: str = "work.py") -> Path:
        """A module of the project."""
        file = self.folder / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    @property
    def values(self) -> Values:
        """Opens what pods have written."""
        return Values(self.store)

    def start(
        self, does: Any, nodes: Any, node: str = "", *, env: Any = None, **given: Any
    ) -> subprocess.Popen[str]:
        """Begin a unit: `nodes` of the block `main`, or whole blocks."""
        blocks = nodes if nodes and "nodes" in nodes[0] else [{"name": "main", "nodes": nodes}]
        document = {"blocks": blocks, **given.pop("document", {})}
        unit = {
            "run": "u1",
            "store": self.store,
            "path": node,
            "attempt": 1,
            "node": node,
            **self.options,
            **given,
        }
        spec = UnitSpec(name="reduce", does=does, document=document, **unit)
        self.log.write_text("")
        variables = {
            **os.environ,
            "PYTHONPATH": str(self.folder / "project"),
            ENVIRONMENT: write_unit(spec),
            "HEADWATER_TERMINATION_LOG": str(self.log),
            "TMPDIR": str(self.folder),
            **self.environment,
            **(env or {}),
        }
        process = self.popen(
            [sys.executable, "-m", "headwater.runtime"],
            env=variables, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(process)
        return process

    @property
    def log(self) -> Path:
        """The termination message."""
        return self.folder / "termination-log"

    def ended(self, process: subprocess.Popen[str]) -> Ended:
        """Wait for a pod."""
        out, err = process.communicate(timeout=60)
        return Ended(process.returncode, self.log.read_text(), out, err)

    def run(self, does: Any, nodes: Any, node: str = "", **given: Any) -> Ended:
        """A whole pod."""
        return self.ended(self.start(does, nodes, node, **given))

    def task(
        self, ref: str, *, inputs: Mapping[str, Any] | None = None, policy: Any = None, **given: Any
    ) -> Ended:
        """A pod that runs one task with these inputs, as JSON."""
        encoded = {name: {"json": value} for name, value in (inputs or {}).items()}
        node = {"name": "t", "task": ref, **(policy or {})}
        return self.run("task", [node], "t", **{"inputs": encoded, **given})

    def output(self, ended: Ended, name: str) -> object:
        """One output of a unit, opened."""
        assert ended.code == 0, ended.message + ended.err
        assert ended.report.outputs is not None
        return self.values.decode(ended.report.outputs[name])


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    """Pods with a folder as their store; what is left running is killed."""
    found = Pods(tmp_path, str(tmp_path / "store"))
    (tmp_path / "project").mkdir()
    yield found
    for process in found.started:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()


def entries(pods: Pods) -> dict[int, Any]:
    """All that the items of a run have left in the store, by index."""
    found = {}
    for file in sorted(Path(pods.store).glob("runs/u1/items/*/*.json")):
        found.update({int(index): entry for index, entry in json.loads(file.read_text()).items()})
    return found
