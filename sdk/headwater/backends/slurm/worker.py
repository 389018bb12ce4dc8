"""What runs in a Slurm job: `python -m headwater.backends.slurm.worker CALL TABLE`.

CALL says how this process has to be and what to call; row SLURM_ARRAY_TASK_ID of TABLE with what. Each result is
written at once, so that what was done before a sudden end is not lost. A worker whose items are quick goes on with
tasks of its array that have not begun.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "BLIS_NUM_THREADS",
)
WRITING_SECONDS = 60.0
QUICK_SECONDS = 0.5
TAKING_SECONDS = 10.0


class Terminated(BaseException):
    """SIGTERM has come: Slurm ends the job. It unwinds the task, so that its `finally` blocks run."""


def main(call_file: str, table_file: str) -> int:
    """Run this task's share; the exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _work(call_file, table_file)
    except Terminated:
        return 128 + signal.SIGTERM


def _terminate(_signum: int, _frame: object) -> None:
    raise Terminated


def _work(call_file: str, table_file: str) -> int:
    for name in THREADS:
        os.environ.setdefault(name, os.environ.get("SLURM_CPUS_PER_TASK") or "1")
    own = int(os.environ["HEADWATER_SLURM_INDEX"])
    with open(call_file, "rb") as file, open(table_file, "rb") as table:
        _become(file)
        from headwater.backends.slurm.frames import rows_in
        from headwater.slurm.script import NO_RESULT_WRITTEN

        try:
            call = _loaded(file, os.environ["HEADWATER_SLURM_AT"])
            if call is None:
                return 0
            taken = Taken(own, rows_in(table))
            index: int | None = own
            while index is not None:
                began = time.monotonic()
                count = _run_share(call, table, index)
                index = taken.next(time.monotonic() - began, count)
        except OSError as error:
            print(f"headwater: the result cannot be written: {error}", file=sys.stderr)
            return NO_RESULT_WRITTEN
    return 0


def _loaded(file: Any, at: str) -> Any:
    """What is to be called; None when it cannot be loaded here, which is then the result."""
    from headwater.backends.slurm.frames import unpacked

    try:
        return unpacked(file)
    except Terminated:
        raise
    except BaseException as error:
        _unloadable(at, error)
        return None


def _unloadable(at: str, error: BaseException) -> None:
    from headwater.backends.pool.protocol import problem_of
    from headwater.backends.slurm.frames import Results

    problem = problem_of(error)
    results = _kept_trying(lambda: Results(at))
    _kept_trying(lambda: results.add(-1, "unloadable", problem))
    _kept_trying(results.close)


def _run_share(call: Any, table: Any, index: int) -> int:
    """Run what is in one row of the table; how many calls that were."""
    from headwater.backends.slurm.frames import Results, row_of

    at = f"{os.environ['HEADWATER_SLURM_ALL']}.{index}"
    try:
        share: Any = row_of(table, index)
    except Terminated:
        raise
    except BaseException as error:
        _unloadable(at, error)
        return 1
    call.place = replace(call.place, log=f"{at}.jsonl", echo=False)
    results = _kept_trying(lambda: Results(at))
    for item, arguments in share:
        _run(results, item, call, arguments)
    _kept_trying(results.close)
    return len(share)


class Taken:
    """Further tasks of the array that this worker takes over, as long as they are quick.

    To start a task costs Slurm and Python more than a quick item does. They are taken from the end, while Slurm
    starts them from the beginning.
    """

    def __init__(self, own: int, count: int) -> None:
        self._own = own
        self._all, self._at = os.environ["HEADWATER_SLURM_ALL"], os.environ["HEADWATER_SLURM_AT"]
        self._candidate = count - 1
        self._until = time.monotonic() + TAKING_SECONDS
        self._interrupted = self._taken_before()

    def _taken_before(self) -> int | None:
        """What this task was at when Slurm requeued it."""
        try:
            with open(f"{self._at}.taking") as file:
                index = int(file.read())
        except (OSError, ValueError):
            return None
        return None if os.path.exists(f"{self._all}.{index}.done") else index

    def next(self, seconds: float, items: int) -> int | None:
        """The task that is now this worker's; None when it has done enough, or there is none left."""
        interrupted, self._interrupted = self._interrupted, None
        if interrupted is not None:
            return interrupted
        if seconds > QUICK_SECONDS * max(items, 1) or time.monotonic() > self._until:
            return None
        while self._candidate > self._own:
            candidate = self._candidate
            self._candidate -= 1
            if self._claim(candidate):
                return candidate
        return None

    def _claim(self, index: int) -> bool:
        mine = f"{self._at}.claim.{os.environ['HEADWATER_SLURM_JOB']}"
        with open(mine, "w") as file:
            file.write(f"{os.environ['HEADWATER_SLURM_JOB']} {self._own}\n")
        try:
            os.link(mine, f"{self._all}.{index}.claim")
        except (
            OSError
        ):  # somebody has it; or this file system has no links, and then everybody does only his own
            return False
        finally:
            os.unlink(mine)
        with open(f"{self._at}.taking", "w") as file:
            file.write(f"{index}\n")
        return True


def _become(file: Any) -> None:
    """Be as the process was that submitted: where modules are found, folder, arguments."""
    import json

    size = int(file.readline())
    surroundings = json.loads(file.read(size))
    sys.path[:] = surroundings["path"]
    sys.argv = surroundings["argv"]
    if surroundings["cwd"] is not None:
        try:
            os.chdir(surroundings["cwd"])
        except OSError as error:
            print(f"headwater: cannot work in {surroundings['cwd']}: {error}", file=sys.stderr)


def surroundings_here() -> bytes:
    """What `_become` reads, of this process."""
    import json

    try:
        cwd: str | None = os.getcwd()
    except OSError:  # the folder has been deleted
        cwd = None
    path = [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]
    text = json.dumps({"path": path, "cwd": cwd, "argv": sys.argv}).encode()
    return b"%d\n%s" % (len(text), text)


def _run(results: Any, index: int, call: Callable[..., object], arguments: Any) -> None:
    from headwater.backends.pool.protocol import cannot_travel, problem_of

    try:
        value = call(*arguments)
    except Terminated:
        raise
    except BaseException as error:
        problem = problem_of(error)
        _kept_trying(lambda: results.add(index, "raised", problem))
        return
    try:
        _kept_trying(lambda: results.add(index, "returned", value))
    except (OSError, Terminated):
        raise
    except BaseException as error:
        unfit = problem_of(cannot_travel("the returned value", value, error))
        _kept_trying(lambda: results.add(index, "raised", unfit))


def _kept_trying(write: Callable[[], Any]) -> Any:
    """Write; on a file system that is full or away, again and again for a minute."""
    end = time.monotonic() + WRITING_SECONDS
    wait = 0.2
    while True:
        try:
            return write()
        except OSError:
            if time.monotonic() + wait > end:
                raise
            time.sleep(wait)
            wait = min(wait * 2, 5.0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
