"""Run a command to its end; when it fails, say which one and what it said."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.cluster.report import ClusterError


def run(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
) -> str:
    """The command's standard output.

    >>> run(["echo", "hello"])
    'hello\\n'
    """
    words = [str(word) for word in command]
    finished = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=stdin or subprocess.DEVNULL,
        capture_output=True,
    )
    said = (finished.stdout + finished.stderr).decode(errors="replace")
    if finished.returncode:
        tail = "\n".join(said.splitlines()[-25:])
        raise ClusterError(f"`{shlex.join(words)[:300]}` ended with {finished.returncode}:\n{tail}")
    return finished.stdout.decode(errors="replace")
