"""`flowctl run --detach`: the same command again, in the background, in a session of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import typer

from headwater.configuration import state_dir
from headwater.errors import UsageError

OPTION = "--detach"
PATIENCE_SECONDS = 60.0
_BEGINS = re.compile(r"run (\S+) of ")


def run_detached(*, track: bool, as_json: bool) -> None:
    """Start the command again without a terminal, and say which run it is.

    Raises:
        UsageError: the run is not recorded, so that nobody would find it again.
    """
    if not track:
        raise UsageError(f"{OPTION} needs the run's records", fix="Leave out --no-track.")
    words = [word for word in sys.argv if word != OPTION]
    folder = state_dir() / "detached"
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"{os.getpid()}-{time.time_ns()}.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    run_id = _begun(process, output)
    if run_id is None:
        sys.stderr.write(output.read_text(errors="replace"))
        output.unlink(missing_ok=True)
        raise typer.Exit(process.wait())
    kept = output.rename(folder / f"{run_id}.txt")
    process.returncode = 0  # it is meant to outlive this process
    if as_json:
        print(json.dumps({"run": run_id, "pid": process.pid, "output": str(kept)}, indent=2))
        return
    print(f"run {run_id} goes on in the background (process {process.pid}, output in {kept})")
    print(f"  follow it:  flowctl logs {run_id} --follow\n  end it:     flowctl cancel {run_id}")
    print(f"  if the process is killed: flowctl resume {run_id}")


def _begun(process: subprocess.Popen[bytes], output: Path) -> str | None:
    """The id of the run, once it has begun; None when the process has ended before."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        ended = process.poll() is not None
        found = _BEGINS.search(output.read_text(errors="replace"))
        if found is not None:
            return found[1]
        if ended:
            return None
        time.sleep(0.05)
    process.terminate()
    return None
