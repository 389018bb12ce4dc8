"""Maps and a task on Slurm beside bare sbatch. Needs a Slurm: `make slurm`, then `. .slurm/env` in the same shell."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from harness import Case, Limit, Measure, Peer, timed
from headwater import MapWorkflow, task

BARE = "#!/bin/sh\n:\n"
PYTHON = f"#!/bin/sh\n{sys.executable} -c 'for x in range(25): pass'\n"


@task
def nothing(x: int) -> {"y": int}:
    """Give back what came."""
    return x


@task
def one() -> {"x": int}:
    """The least that a job can do."""
    return 1


def mapped(items: int, per_task: int) -> Measure:
    """A map of Headwater's, one array on Slurm."""
    workflow = MapWorkflow(nothing(), map_on={"xs": "x"}, name="mapped", items_per_pod=per_task)

    def run(first: int) -> Any:
        return workflow.run(backend="slurm", xs=list(range(first, first + items))).outputs["y"]

    return timed(run, expect=lambda first: list(range(first, first + items)))


def single() -> Measure:
    """One task of Headwater's."""
    from headwater import Workflow

    with Workflow() as workflow:
        one()
    return timed(lambda _: workflow.run(backend="slurm").outputs["x"], expect=lambda _: 1)


def sbatch(script: str, array: str = "") -> Measure:
    """Bare sbatch, until squeue knows nothing of the job any more that has not ended."""
    folder = Path(os.environ["TMPDIR"])
    file = folder / f"bare{abs(hash((script, array)))}.sh"
    file.write_text(script)
    command = [
        "sbatch",
        "--parsable",
        "--output=/dev/null",
        *([f"--array={array}"] if array else []),
        str(file),
    ]

    def run(_: int) -> str:
        job = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        active = ["squeue", "--noheader", f"--jobs={job}", "--states=pending,running,completing"]
        while subprocess.run(active, capture_output=True, text=True).stdout.strip():
            time.sleep(0.1)
        return "ended"

    return timed(run, expect=lambda _: "ended")


CASES = [
    Case(
        "1,000 items, one a task",
        lambda: mapped(1000, 1),
        [Peer("bare array of 1,000", lambda: sbatch(BARE, "0-999"), Limit("ratio", 1.3))],
        warm_up=False, rounds=2,
    ),
    Case(
        "1,000 items, 25 a task",
        lambda: mapped(1000, 25),
        [
            Peer("bare array of 40", lambda: sbatch(BARE, "0-39")),
            Peer("bare array of 40 that start Python", lambda: sbatch(PYTHON, "0-39"), Limit("ratio", 1.3)),
        ],
        limit=Limit("value", 10_000), rounds=3,
    ),
    Case("one task", single, [Peer("bare sbatch", lambda: sbatch(BARE), Limit("over", 1500))], rounds=5),
]  # fmt: skip
if not os.environ.get("SLURM_CONF"):
    print("  no Slurm: `make slurm`, then `. .slurm/env`", file=sys.stderr)
    CASES = []
