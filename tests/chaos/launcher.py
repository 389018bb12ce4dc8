"""Operators as processes of their own that are there at once: forked from a process that has imported everything.

An operator started from nothing takes more than a second to import its libraries; a test that kills hundreds of them
has no time for that. What is forked is `run_operator` as `flowctl operator run` calls it: a process with a pid and a
log of its own, that knows nothing of the test and is ended by signals.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.cluster.places import CHECKOUT

_FAKETIME = "faketime/libfaketime.so.1"


class Launcher:
    """Starts operators. Asked by one line of JSON, it answers with one number; when nobody asks, it is gone."""

    def __init__(self, clock: str = "") -> None:
        environment = {**os.environ, **_skewed(clock)} if clock else dict(os.environ)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.launcher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
            env=environment,
            text=True,
        )

    def start(self, options: Mapping[str, Any], log: Path) -> int:
        """Start an operator with these `OperatorOptions`, its output appended to `log`; its pid."""
        found = self._ask({"do": "start", "options": options, "log": str(log)})
        assert found is not None
        return found

    def exit_code(self, pid: int, *, wait: bool) -> int | None:
        """How an operator has ended (a signal as its negative number); None while it runs."""
        return self._ask({"do": "wait" if wait else "look", "pid": pid})

    def close(self) -> None:
        """End the launcher, and every operator that it has started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def _ask(self, question: Mapping[str, Any]) -> int | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return None if answer is None else int(answer)


@contextmanager
def launcher(clock: str = "") -> Iterator[Launcher]:
    """A launcher for the time of a `with`; `clock` such as "+1h" sets the clock of its operators."""
    found = Launcher(clock)
    try:
        yield found
    finally:
        found.close()


def can_skew_clocks() -> bool:
    """Whether this machine has libfaketime (Debian's package `faketime`)."""
    return _library() is not None


def _library() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob(f"*/{_FAKETIME}"))), None)


def _skewed(clock: str) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(_library()),
        "FAKETIME": clock,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


# ---------------------------------------------------------------- in the process that forks


def _serve() -> None:
    import gc

    import headwater_operator.main
    import headwater_operator.recording  # noqa: F401

    gc.collect()
    gc.freeze()
    children: set[int] = set()
    codes: dict[int, int] = {}
    try:
        for line in sys.stdin:
            question = json.loads(line)
            if question["do"] == "start":
                pid = os.fork()
                if pid == 0:
                    _be_an_operator(question)
                children.add(pid)
                codes.pop(pid, None)  # of another operator, long ago, with the same pid
                answer: int | None = pid
            else:
                asked = question["pid"]
                answer = codes.get(asked)
                if answer is None:
                    answer = _ended(asked, wait=question["do"] == "wait")
                if answer is not None:
                    codes[asked] = answer
                    children.discard(asked)
            print(json.dumps(answer), flush=True)
    finally:
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _ended(pid, wait=True)


def _ended(pid: int, *, wait: bool) -> int | None:
    found, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _be_an_operator(question: Mapping[str, Any]) -> None:
    import faulthandler
    import random

    from headwater_operator.main import run_operator
    from headwater_operator.options import OperatorOptions

    code = 70
    try:
        log = os.open(question["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        random.seed()
        code = run_operator(OperatorOptions(**question["options"]))
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
