"""The bridge between Kubernetes and Slurm: `python -m headwater.slurm.bridge`, in a pod without user code.

It submits the unit that it is told of as a job, follows it and reports as the unit's own pod would. It keeps no state:
the name of the job says which it is, markers say how it ended. Killed at any moment and started again, it finds the
job and goes on. SIGTERM detaches; `python -m headwater.slurm.bridge cancel` cancels the job.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headwater.document.unit import ENVIRONMENT, UnitReport, read_report, read_unit
from headwater.errors import HeadwaterError
from headwater.slurm.bridge_job import Order
from headwater.slurm.carrying import Carrier, must_carry
from headwater.slurm.comments import AskingForComments, CommentFiles
from headwater.slurm.errors import SlurmAway, SlurmRefused
from headwater.slurm.follow import Done, Ended, Follower, Seen, Waits
from headwater.slurm.merging import merged, shares
from headwater.slurm.script import DONE, marker
from headwater.slurm.shell import Files
from headwater.slurm.states import Cause
from headwater.slurm.submitting import submit_once
from headwater.slurm.transport import Transport

ORDER = "HEADWATER_SLURM"
SECRET = "/headwater/slurm-secret"
BUNDLE = "/headwater/code/bundle.zip"
AGAIN = "-again"
FIRST_WAIT, LAST_WAIT = 2.0, 60.0
LOG_BYTES = 1 << 20
REST_LISTING = 1.0


class Detached(BaseException):
    """SIGTERM: the pod goes, the job stays; the next bridge finds it by its name."""


class Bridge:
    """Carries one order out."""

    def __init__(
        self,
        order: Order,
        transport: Transport,
        files: Files,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = print,
    ) -> None:
        self._order = order
        self._say = say
        self._sleep = sleep
        self._files: Files = files
        self._transport = transport
        self._asked: Any = transport
        listing = 0.2
        if order.cluster.transport == "rest":
            comments = CommentFiles(transport)
            self._files, self._asked, listing = comments, AskingForComments(comments, transport), REST_LISTING
        self._follower = Follower(
            self._asked, self._files, order.out, clock,
            poll_seconds=order.cluster.poll_seconds, grace_seconds=order.cluster.grace_seconds,
            first_listing=listing,
        )  # fmt: skip
        self._reports: dict[int, UnitReport] = {}
        self._told_again = False

    def run(self) -> UnitReport:
        """Submit or find the job, and stay with it until all its tasks have ended; what they came to."""
        order = self._order
        carrier = self._carrier()
        try:
            self._patiently(lambda: self._transport.site()).check(
                order.directives, f"node {order.unit.path!r}"
            )
            if carrier is not None:
                told = self._patiently(lambda: carrier.push(order.unit))
                self._order = order = replace(order, unit=told)
            job = self._patiently(lambda: submit_once(self._transport, order.job()))
        except HeadwaterError as error:
            return UnitReport(failure=_refused(error, order.unit.path))
        self._say(f"Slurm job {job} ({order.name})")
        self._follower.follow(order.name, job, range(order.tasks))
        while len(self._reports) < order.tasks:
            for seen in self._follower.look():
                self._take(seen)
            if len(self._reports) < order.tasks:
                self._sleep(min(max(self._follower.seconds_to_next_look(), 0.05), 1.0))
        report = self._reports[0]
        if order.unit.does == "items":
            report = merged(self._reports, shares(order.unit.items, order.unit.per_pod))
        if carrier is not None:
            self._patiently(lambda: carrier.pull(order.unit, report))
        return report

    def _carrier(self) -> Carrier | None:
        order = self._order
        if not must_carry(order.cluster.transport, order.unit.store):
            return None
        return Carrier(order.unit.store, self._files, order.cluster.workdir)

    def cancel(self) -> None:
        """Cancel the job, whether or not this bridge has submitted it."""
        for name in (self._order.name, self._order.name + AGAIN):
            found = self._patiently(lambda name=name: self._transport.find(name))  # type: ignore[misc]
            if found:
                self._patiently(lambda found=found: self._transport.cancel([*map(str, found)]))  # type: ignore[misc]
                self._say(f"cancelled Slurm job {', '.join(map(str, found))} ({name})")

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        """Slurm being away is not a failure of the unit: ask again."""
        wait = FIRST_WAIT
        while True:
            try:
                return ask()
            except SlurmRefused:
                raise
            except SlurmAway as error:
                self._say(f"{error} (again in {wait:g} s)")
                self._sleep(wait)
                wait = min(wait * 2, LAST_WAIT)

    def _take(self, seen: Seen) -> None:
        if isinstance(seen, Waits):
            self._say(seen.message)
        elif isinstance(seen, Done):
            self._show_output(seen.index)
            self._reports[seen.index] = self._read(seen)
        elif isinstance(seen, Ended):
            if seen.cause.type == "SlurmJobLost" and self._tells_again():
                return
            self._show_output(seen.index)
            self._say(seen.cause.message)
            self._reports[seen.index] = UnitReport(failure=_failure(seen.cause, self._order.unit.path))

    def _read(self, seen: Done) -> UnitReport:
        path = f"{self._order.out}/{marker(seen.name, seen.index, DONE)}"
        try:
            return read_report(self._files.get([path])[path].decode())
        except (KeyError, ValueError) as error:
            failure = {
                "type": "SlurmError",
                "message": f"the job's report cannot be read: {error}",
                "class": "Error",
            }
            return UnitReport(failure={**failure, "node": self._order.unit.path})

    def _tells_again(self) -> bool:
        """Slurm has forgotten the job and with it the reports in its comments: have those told again, once."""
        if self._order.cluster.transport != "rest" or self._told_again:
            return False
        self._told_again = True
        self._follower.drop(self._order.name)
        job = self._patiently(lambda: submit_once(self._transport, self._order.job(AGAIN)))
        left = [index for index in range(self._order.tasks) if index not in self._reports]
        self._say(f"Slurm has forgotten the job; job {job} tells what it has left")
        self._follower.follow(self._order.name + AGAIN, job, left)
        return True

    def _show_output(self, index: int) -> None:
        """What the job has printed becomes this pod's log."""
        path = f"{self._order.out}/{marker(self._order.name, index, '.out')}"
        content = self._files.get([path]).get(path, b"")[-LOG_BYTES:]
        if content:
            self._say(content.decode(errors="replace").rstrip("\n"))


def _failure(cause: Cause, node: str) -> Mapping[str, Any]:
    return {"type": cause.type, "message": cause.message, "class": cause.error_class.value, "node": node}


def _refused(error: HeadwaterError, node: str) -> Mapping[str, Any]:
    return {"type": type(error).__name__, "message": str(error), "class": "InvalidSpec", "node": node}


def main(arguments: list[str]) -> int:
    """Carry out what the environment says; the exit code as of any pod that runs a unit."""
    from headwater.runtime.pod import report

    signal.signal(signal.SIGTERM, _detach)
    unit = read_unit(os.environ[ENVIRONMENT])
    try:
        bundle = Path(os.environ.get("HEADWATER_CODE", BUNDLE))
        content = bundle.read_bytes() if bundle.exists() else b""
        secret = os.environ.get("HEADWATER_SLURM_SECRET", SECRET)
        written = json.loads(os.environ[ORDER])
        order = Order.parse(unit, written, content, secret if Path(secret).is_dir() else "")
        bridge = Bridge(order, order.cluster.open(), order.cluster.files(), say=_print)
        if arguments == ["cancel"]:
            bridge.cancel()
            return 0
        found = bridge.run()
    except Detached:
        _print("detached: the job goes on, the next bridge finds it by its name")
        return 128 + signal.SIGTERM
    except HeadwaterError as error:
        found = UnitReport(failure=_refused(error, unit.path))
    report.write(found)
    return 1 if found.failure is not None or found.failed_items else 0


def _detach(_signum: int, _frame: object) -> None:
    raise Detached


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
