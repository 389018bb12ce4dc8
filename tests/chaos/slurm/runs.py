"""Runs on Slurm that a test disturbs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.slurm import cluster, daemons
from tests.slurm.places import Slot
from tests.slurm.processes import start
from tests.slurm.settings import NODES
from tests.slurm.use import require

PIPELINE = Path(__file__).parents[2] / "slurm" / "pipeline_for_tests.py"


class Run:
    """A pipeline of four items in a process of its own, that leave a trace each time they run."""

    def __init__(self, home: Path, seconds: float, workdir: Path | None = None) -> None:
        self.home = home
        self.traces = home / "ran"
        self.traces.mkdir()
        where = f", workdir: {workdir}" if workdir else ""
        (home / "config.yml").write_text(f"slurm: {{grace_seconds: 5, poll_seconds: 3{where}}}\n")
        self.environment = {**os.environ, "HEADWATER_HOME": str(home / "state"), "PYTHONUNBUFFERED": "1"}
        words = ["-p", f"scratch={self.traces}", "-p", f"seconds={seconds}"]
        self.process = self.flowctl("run", str(PIPELINE), "-b", "slurm", *words)

    def flowctl(self, *words: str) -> subprocess.Popen[str]:
        """Start the command line."""
        return start(
            [str(Path(sys.executable).with_name("flowctl")), *words], env=self.environment, cwd=self.home
        )

    def has_begun(self, items: int = 1) -> bool:
        """Whether so many items have run, or run; nodes that are drained for what was before are given back."""
        give_nodes_back()
        return len(list(self.traces.iterdir())) >= items

    def has_ended(self) -> bool:
        """Whether every item has come to its end: what is left is to write the results."""
        ended = self.traces.with_name(f"{self.traces.name}-ended")
        return ended.is_dir() and len(list(ended.iterdir())) == len(ONCE)

    def end(self, process: subprocess.Popen[str] | None = None) -> tuple[int, str]:
        """Wait for its end: exit code, and what it said."""
        chosen = process or self.process
        said, _ = chosen.communicate(timeout=180)
        return chosen.returncode, said

    def runs(self) -> dict[str, str]:
        """How often each item ran."""
        return {file.name: file.read_text() for file in self.traces.iterdir()}

    def log(self) -> str:
        """What is in the log of the run by now."""
        return "".join(file.read_text() for file in (self.home / "state" / "logs").glob("*.jsonl"))

    def told(self) -> str:
        """What the command line says of the run."""
        return self.end(self.flowctl("show", self.latest()))[1] + self.log()

    def latest(self) -> str:
        """The id of the latest run."""
        said = self.end(self.flowctl("list", "--output", "json"))[1]
        return str(json.loads(said)[0]["run"])

    def jobs(self) -> list[str]:
        """The ids of its jobs that are in the queue, as Slurm's commands take them."""
        shown = subprocess.run(["squeue", "-h", "-r", "-o", "%i %j"], capture_output=True, text=True).stdout
        run = self.latest()
        return [line.split()[0] for line in shown.splitlines() if run in line]


ONCE = {str(index): "x" for index in range(4)}


def scontrol(*words: str) -> None:
    """Do something as the administrator."""
    subprocess.run(["scontrol", *words], check=True, capture_output=True, timeout=30)


def give_nodes_back() -> None:
    """A restarted controller drains nodes that report jobs it has forgotten, also those of the test before."""
    for index in range(1, NODES + 1):
        cluster.undrain(require().node(index))


def restart_controller(slot: Slot, how: signal.Signals) -> None:
    """End slurmctld and start it again."""
    controller = daemons.find("slurmctld")
    assert controller is not None
    controller.end(how)
    time.sleep(1)
    cluster.start_controller(slot)
