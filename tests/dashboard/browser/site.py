"""A project whose runs are recorded in PostgreSQL, and `flowctl ui` over them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from headwater.records import upgrade

from tests.operator.mirror.servers import Server

HERE = Path(__file__).parent
FLOWCTL = [sys.executable, "-c", "from headwater.cli.main import main; main()"]
PATIENCE = 60.0


@dataclass
class Site:
    """The address of a dashboard, and the project whose runs it shows."""

    server: Server
    database: str
    folder: Path
    address: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "HEADWATER_HOME": str(self.folder / "home"), "NO_COLOR": "1"}

    def flowctl(self, *words: str) -> str:
        """What flowctl prints, however it ends."""
        done = subprocess.run(
            [*FLOWCTL, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.stdout

    def run(self, *words: str) -> str:
        """Run something to its end; the id of the run."""
        return str(json.loads(self.flowctl("run", *words, "--output", "json"))["run"])

    @contextmanager
    def running(self, *words: str) -> Iterator[str]:
        """A run that goes on; its id, once it is recorded. What still runs at the end is killed."""
        before = {run["run_id"] for run in self.get("runs")["items"]}
        with (self.folder / "running.log").open("ab") as log:
            process = subprocess.Popen(
                [*FLOWCTL, "run", *words], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield self.until(
                lambda: next(
                    (r["run_id"] for r in self.get("runs")["items"] if r["run_id"] not in before), ""
                )
            )
        finally:
            process.terminate()
            process.wait(30)

    def get(self, path: str) -> Any:
        """What the API answers."""
        with urllib.request.urlopen(f"{self.address}api/v1/{path}") as answer:
            return json.load(answer)

    def until(self, found: Callable[[], Any]) -> Any:
        """Wait until something is found."""
        deadline = time.monotonic() + PATIENCE
        while not (value := found()):
            assert time.monotonic() < deadline, (self.folder / "running.log").read_text()
            time.sleep(0.1)
        return value

    def until_phase(self, run: str, phase: str) -> None:
        """Wait until a run is in this phase."""
        self.until(lambda: self.get(f"runs/{run}")["phase"] == phase)


@contextmanager
def opened(server: Server, folder: Path) -> Iterator[Site]:
    """A project in this folder and its dashboard."""
    for name in ("survey.py", "release.yaml"):
        shutil.copy(HERE / name, folder / name)
    with ExitStack() as stack:
        database = stack.enter_context(server.database())
        upgrade(server.url(database))
        section = {"dialect": "postgresql", "address": f"127.0.0.1:{server.port}", "database": database}
        logins = {"user": "ada:secret", "admin": "ada:secret"}
        (folder / "config.yml").write_text(yaml.safe_dump({"databases": {"default": {**section, **logins}}}))
        site = Site(server, database, folder)
        site.address = stack.enter_context(_ui(site))
        yield site


@contextmanager
def _ui(site: Site) -> Iterator[str]:
    process = subprocess.Popen(
        [*FLOWCTL, "ui", "--no-open"],
        cwd=site.folder,
        env=site.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+/", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
