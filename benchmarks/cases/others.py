"""Other workflow systems, in interpreters of their own: a chain of 100 tasks, a map of 100 items.

`HEADWATER_PEERS_PYTHON` names the interpreters (several with `:` between them).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness import Case, Measure, NotInstalled, Peer, printed

SCRIPTS = Path(__file__).parent.parent / "others"
QUIET = {"PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


def _interpreter_with(module: str) -> str:
    for python in filter(None, os.environ.get("HEADWATER_PEERS_PYTHON", "").split(os.pathsep)):
        if subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
            return python
    raise NotInstalled(module)


def script(system: str, what: str, kept: str = "tracked") -> Measure:
    """Milliseconds of a run, as a fresh process measures and prints them."""
    python = sys.executable if system == "headwater" else _interpreter_with(system)
    env = {**QUIET, "PREFECT_HOME": f"{os.environ.get('TMPDIR', '/tmp')}/prefect-home"}
    if system != "headwater":
        env["PYTHONPATH"] = ""
    return printed([python, SCRIPTS / f"with_{system}.py", what, kept], env)


CASES = [
    Case(
        f"{title}, {kept}, fresh process",
        lambda what=what, kept=kept: script("headwater", what, kept),
        [Peer(peer, lambda system=system, what=what: script(system, what))],
        warm_up=False,
        rounds=rounds,
    )
    for system, peer, kept, rounds in (
        ("outflow", "outflow 0.9.2, dry run", "untracked", None),
        ("prefect", "prefect 3", "tracked", 2),
    )
    for what, title in (("chain", "chain of 100"), ("map", "map of 100"))
]
