"""What it costs to start: the import, and the command line."""

import sys
from pathlib import Path

from harness import Case, Limit, Measure, Peer, process

PYTHON = sys.executable
FLOWCTL = Path(PYTHON).parent / "flowctl"
ONE_TASK = """
from headwater import task
@task
def one(x: int) -> {"y": int}:
    return x + 1
from headwater import Workflow
assert Workflow(one()).run(track=False, x=1).outputs == {"y": 2}
"""
ONE_DELAYED = "import dask; assert dask.delayed(lambda x: x + 1)(1).compute(scheduler='sync') == 2"


def bare() -> Measure:
    """Python that does nothing."""
    return process([PYTHON, "-c", "pass"])


def script(text: str) -> Measure:
    """Python that runs a text."""
    return process([PYTHON, "-c", text])


CASES = [
    Case(
        "import headwater",
        lambda: script("import headwater"),
        [
            Peer("bare python", bare, Limit("over", 60)),
            Peer("import dask", lambda: script("import dask")),
        ],
    ),
    Case(
        "flowctl --help",
        lambda: process([FLOWCTL, "--help"]),
        [Peer("bare python", bare, Limit("over", 150))],
    ),
    Case(
        "process with one task",
        lambda: script(ONE_TASK),
        [Peer("bare python", bare), Peer("dask sync", lambda: script(ONE_DELAYED))],
    ),
]
