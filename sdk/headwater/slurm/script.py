"""The script of a job: it claims its place, runs the worker, and notes how the worker ended if there is no result.

Below the folder `out`, for each task of a job: `NAME.INDEX.claim` (which job and task began it; a link, so that it
appears whole or, where the disk is full, not at all), `.part` (its results so far), `.done` (all of them, renamed into
place) and `.exit` (how the worker ended without). A worker that is quick claims further tasks of its array, which then
have nothing left to do; `.taking` says which it is at.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

CLAIM, DONE, EXIT, PART, LOG, TAKING = ".claim", ".done", ".exit", ".part", ".jsonl", ".taking"

NO_RESULT_WRITTEN = 74
"""With this exit code a job says that it cannot write: its claim, before it has begun, or its result."""

_SCRIPT = """\
#!/bin/bash
# One task of a Headwater job. What has a result is not done again; of two jobs of one name only one begins.
index=${{SLURM_ARRAY_TASK_ID:-0}}
job=${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}
all={out}/{name}
at=$all.$index
{prelude}if [ -e "$at.done" ]; then
  {tell}exit 0
fi
claim() {{
  echo "$job $index" > "$1" && {{ ln "$1" "$at.claim" || ( set -C; cat "$1" > "$at.claim" ); }}
  rm -f "$1"
}}
claim "$at.claim.$SLURM_JOB_ID" 2>/dev/null
read -r owner 2>/dev/null < "$at.claim" || exit {unwritten}
if [ "$owner" != "$job $index" ]; then
  {others}exit 0
fi
rm -f "$at.exit"
export HEADWATER_SLURM_INDEX=$index HEADWATER_SLURM_AT=$at HEADWATER_SLURM_ALL=$all HEADWATER_SLURM_JOB=$job
{before}{command}
code=$?
if [ -e "$at.done" ]; then
  {tell}:
fi
note() {{
  [ -e "$1.done" ] && return
  echo "$code $SLURM_JOB_ID ${{SLURM_RESTART_COUNT:-0}} $SLURMD_NODENAME" > "$1.exit.part"
  mv -f "$1.exit.part" "$1.exit"
}}
note "$at"
[ -e "$at.taking" ] && read -r taken < "$at.taking" && note "$all.$taken"
exit $code
"""

# Who can see no markers asks the job that he knows of, though another of its name may be the one that has begun.
_WAIT_FOR_OTHERS = 'until [ -e "$at.done" ] || [ -e "$at.exit" ]; do sleep 2; done'


def script(
    name: str, out: str, command: Sequence[str], before: str = "", *, prelude: str = "", tell: str = ""
) -> str:
    """The batch script of a job; `before` is shell text of the site (module load, conda activate).

    `prelude` is shell text that comes first of all, `tell` one command that passes a result on that is there.

    >>> print(script("hw-1", "/w/out", ["python3", "-m", "headwater.runtime"]).splitlines()[4])
    all=/w/out/hw-1
    """
    return _SCRIPT.format(
        name=name,
        unwritten=NO_RESULT_WRITTEN,
        out=shlex.quote(str(PurePosixPath(out))),
        command=shlex.join(command),
        before=f"{before.rstrip()}\n" if before else "",
        prelude=f"{prelude.rstrip()}\n" if prelude else "",
        tell=f"{tell}; " if tell else "",
        others=f'{_WAIT_FOR_OTHERS}; [ -e "$at.done" ] && {{ {tell}; }}\n  ' if tell else "",
    )


def marker(name: str, index: int, what: str) -> str:
    """The name of a file below `out`.

    >>> marker("hw-1", 3, DONE)
    'hw-1.3.done'
    """
    return f"{name}.{index}{what}"


def parsed(file: str) -> tuple[str, int, str] | None:
    """The job, the index and what the file says; None for a file that is not ours.

    >>> parsed("hw-1.3.done"), parsed("hw-1.3.exit.part")
    (('hw-1', 3, '.done'), None)
    """
    stem, dot, what = file.rpartition(".")
    name, _, index = stem.rpartition(".")
    if not name or not index.isdigit() or dot + what not in (CLAIM, DONE, EXIT, PART, LOG):
        return None
    return name, int(index), dot + what
