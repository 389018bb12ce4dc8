"""A bridge as its pod would be, and units for it to carry."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from headwater.document.unit import UnitReport, UnitSpec, read_report, write_unit

from tests.slurm.jobs import cluster_by
from tests.slurm.login_node import LoginNode
from tests.slurm.places import Slot
from tests.slurm.processes import start

CODE = """
import os, time
from pathlib import Path
from headwater import task

@task
def double(x: int, folder: str, seconds: float) -> {"y": int}:
    with (Path(folder) / f"ran-{x}").open("a") as file:
        file.write("x")
    print("doubling", x)
    time.sleep(seconds)
    (Path(folder) / f"ended-{x}").touch()
    if x == 13:
        raise ValueError("13 is not doubled")
    if x == 66:
        os._exit(9)
    return 2 * x

@task
def grows(x: bytes) -> {"y": bytes}:
    return x + x
"""


def _bundle() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("bridged_code.py", CODE)
    return packed.getvalue()


def unit_of(tmp_path: Path, name: str, **more: Any) -> UnitSpec:
    """A unit of the task `double`, or a map of it."""
    values: dict[str, Any] = {"x": 4, "seconds": 0, **more.pop("inputs", {})}
    inputs = {key: {"json": value} for key, value in {**values, "folder": str(tmp_path)}.items()}
    node: dict[str, Any] = {
        "name": "double",
        "task": "bridged_code:double",
        "outputs": {"y": {"type": "int"}},
    }
    if more.get("does") == "items":
        del inputs["x"]
        node = {
            "name": "double", "outputs": {"y": {}},
            "map": {"task": "bridged_code:double", "over": {"x": {"value": more.pop("xs")}}, "tolerate": "all"},
        }  # fmt: skip
    node["inputs"] = {key: {"value": value["json"]} for key, value in inputs.items()}
    document = {"blocks": [{"name": "main", "nodes": [node]}], "code": {"configMap": "code-test"}}
    does = more.pop("does", "task")
    return UnitSpec(name, name, "double", 1, does, document, node="double", inputs=inputs, **more)


class Pod:
    """What Kubernetes would make of a bridge: its environment, its termination message."""

    def __init__(
        self,
        tmp_path: Path,
        slot: Slot,
        transport: str,
        unit: UnitSpec,
        node: LoginNode | None = None,
        **asked: Any,
    ) -> None:
        self.folder = tmp_path
        self.report = tmp_path / "termination-log"
        (tmp_path / "bundle.zip").write_bytes(_bundle())
        cluster = cluster_by(transport, slot, tmp_path / "work", tmp_path)
        (tmp_path / "work").mkdir(exist_ok=True)
        order = {"parallelism": asked.pop("parallelism", None)}
        spec = {
            "transport": transport, "endpoint": node.endpoint if node else cluster.endpoint,
            "workdir": str(tmp_path / "work"),
            "python": sys.executable, "pollSeconds": 2, "graceSeconds": 5,
        }  # fmt: skip
        self.environment = {
            **os.environ,
            "HEADWATER_UNIT": write_unit(unit),
            "HEADWATER_SLURM": json.dumps({"cluster": spec, "name": unit.name, "slurm": asked, **order}),
            "HEADWATER_CODE": str(tmp_path / "bundle.zip"),
            "HEADWATER_SLURM_SECRET": str(node.secret if node else cluster.secret or tmp_path / "none"),
            "HEADWATER_TERMINATION_LOG": str(self.report),
            "HEADWATER_SLURM_LIMIT": str(tmp_path / "limit"),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start its process."""
        command = [sys.executable, "-m", "headwater.slurm.bridge", *words]
        return start(command, env=self.environment)

    def run(self) -> tuple[int, UnitReport, str]:
        """Run it to its end: exit code, report, and what it printed."""
        process = self.start()
        said, _ = process.communicate(timeout=100)
        assert self.report.exists(), said
        return process.returncode, read_report(self.report.read_text()), said

    def killed_after(self, seconds: float) -> bool:
        """Run it for so long and kill it; whether it had not ended by then."""
        process = self.start()
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True
        return False

    def has_ended(self, items: int) -> bool:
        """Whether so many have come to their end: what is left is to write the results."""
        return len(list(self.folder.glob("ended-*"))) == items

    def runs(self) -> dict[str, str]:
        """How often each item ran."""
        return {file.name: file.read_text() for file in self.folder.glob("ran-*")}


def said_until(process: subprocess.Popen[str], words: str) -> str:
    """What it prints, up to the line with these words."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(said)


def rest_of(process: subprocess.Popen[str], seconds: float = 60) -> str:
    """What it prints from here to its end."""
    said, _ = process.communicate(timeout=seconds)
    return said
