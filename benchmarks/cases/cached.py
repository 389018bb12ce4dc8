"""200 tasks that were done before, run again as a whole process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import Case, Limit, Measure, Peer, process

FLOWCTL = Path(sys.executable).parent / "flowctl"
OURS = """
from headwater import task, workflow

@task(cache=True)
def start() -> {"x": int}:
    return 0

@task(cache=True)
def plus_one(x: int) -> {"x": int}:
    return x + 1

@workflow
def chain():
    last = start()
    for _ in range(199):
        last = last | plus_one()
"""
LUIGI = """
import sys
import luigi

class Step(luigi.Task):
    n = luigi.IntParameter()

    def requires(self):
        return Step(n=self.n - 1) if self.n else []

    def output(self):
        return luigi.LocalTarget(f"out/{self.n}")

    def run(self):
        with self.output().open("w") as file:
            file.write(str(self.n))

class All(luigi.WrapperTask):
    def requires(self):
        return [Step(n=n) for n in range(200)]

if __name__ == "__main__":
    root = All() if sys.argv[1] == "all" else Step(n=199)
    sys.exit(not luigi.build([root], local_scheduler=True))
"""


def flowctl() -> Measure:
    """`flowctl run FILE`, with everything in the cache."""
    path = Path(tempfile.mkdtemp()) / "chain.py"
    path.write_text(OURS)
    command = [FLOWCTL, "run", path]
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run([*command, "-o", "json"], check=True, capture_output=True)
    phases = [node["phase"] for node in json.loads(done.stdout)["nodes"].values()]
    assert phases == ["Cached"] * 200, phases
    return process(command)


def luigi(which: str) -> Measure:
    """A process that calls `luigi.build`, with all 200 targets there."""
    import luigi as _  # noqa: F401

    folder = Path(tempfile.mkdtemp())
    path = folder / "steps.py"
    path.write_text(LUIGI.replace('"out/', f'"{folder}/out/'))
    subprocess.run([sys.executable, path, "all"], check=True, capture_output=True)
    assert len(list((folder / "out").iterdir())) == 200
    return process([sys.executable, path, which])


CASES = [
    Case(
        "200 cached tasks, whole process",
        flowctl,
        [
            Peer("luigi, 200 targets checked", lambda: luigi("all"), Limit("ratio", 1.0)),
            Peer("luigi, last target checked", lambda: luigi("last")),
        ],
    ),
]
