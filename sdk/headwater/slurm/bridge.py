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
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from headwater.document.unit import ENVIRONMENT, UnitReport, UnitSpec, read_report, read_unit
from headwater.errors import HeadwaterError, UsageError
from headwater.slurm.bridge_job import Order, Part
from headwater.slurm.carrying import Carrier, Luggage, must_carry, references
from headwater.slurm.comments import AskingForComments, CommentFiles
from headwater.slurm.follow import Begun, Done, Ended, Follower, Seen, Waits
from headwater.slurm.limits import Limits, read_limit
from headwater.slurm.merging import merged, shares
from headwater.slurm.patience import Patience, PatientFiles
from headwater.slurm.script import DONE, marker
from headwater.slurm.shell import Files
from headwater.slurm.states import Cause
from headwater.slurm.submitting import find_or_cancel_others, submit_once
from headwater.slurm.transport import Job, Transport

ORDER = "HEADWATER_SLURM"
SECRET = "/headwater/slurm-secret"
BUNDLE = "/headwater/code/bundle.zip"
AGAIN = "-again"
JOB_RUNS = "/tmp/job-runs"
LIMIT = "/headwater/told/limit"
LIMIT_SECONDS = 2.0
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
        self._patience = Patience(say, sleep)
        self._files: Files = PatientFiles(files, self._patience)
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
        self._parts: dict[str, Part] = {}
        self._told_again: set[str] = set()
        self._luggage = Luggage()
        # With a limit the arrays run one after the other: each knows only its own tasks.
        self._limits = Limits(transport, say, one_by_one=bool(order.parallelism))
        self._limit_asked = clock()
        self._clock = clock

    def run(self) -> UnitReport:
        """Submit or find the job, and stay with it until all its tasks have ended; what they came to."""
        order = self._order
        carrier = self._carrier()
        try:
            site = self._patience.until_answered(lambda: self._transport.site())
            site.check(order.directives, f"node {order.unit.path!r}")
            if carrier is not None:
                told = self._patience.until_answered(lambda: carrier.push(order.unit))
                if order.cluster.transport == "rest" and not self._luggage.packed:
                    told = replace(told, store="")  # small values then come back whole
                self._order = order = replace(order, unit=told, carried=self._luggage.packed)
            self._submit(order.parts(site.max_array))
        except HeadwaterError as error:
            return UnitReport(failure=_refused(error, order.unit.path))
        while len(self._reports) < order.tasks:
            for seen in self._follower.look():
                self._take(seen)
            self._keep_limit()
            if len(self._reports) < order.tasks:
                self._sleep(min(max(self._follower.seconds_to_next_look(), 0.05), 1.0))
        if order.cluster.transport == "rest":
            self._reports = {task: _whole(report, order.unit) for task, report in self._reports.items()}
        report = self._reports[0]
        if order.unit.does == "items":
            report = merged(self._reports, shares(order.unit.items, order.unit.per_pod))
        if carrier is not None and order.cluster.transport != "rest":
            self._patience.until_answered(lambda: carrier.pull(order.unit, report))
        elif carrier is not None and order.unit.does == "items":
            self._patience.until_answered(lambda: carrier.keep(order.unit, self._reports))
        return report

    def _submit(self, parts: list[Part]) -> None:
        """Submit the jobs that are not there yet, and follow all of them."""
        after: tuple[int, ...] = ()
        limit = self._order.parallelism or 0
        for part in parts:
            told = self._order.job(part, after=after)
            job = self._patience.until_answered(lambda told=told: self._find_or_submit(told))  # type: ignore[misc]
            self._say(f"Slurm job {job} ({part.name})")
            self._parts[part.name] = self._parts[part.name + AGAIN] = part
            self._follower.follow(part.name, job, range(part.size))
            after = (job,) if limit else ()

    def _find_or_submit(self, told: Job) -> int:
        job = find_or_cancel_others(self._transport, told.name)
        if job is not None:
            self._limits.submitted(job, None)
            return job
        job = submit_once(self._transport, told, is_new=True)
        self._limits.submitted(job, told.parallelism or 0)
        return job

    def _keep_limit(self) -> None:
        """Pass on what the run's `parallelism` is by now; tried seldom, for it changes seldom."""
        if self._order.unit.does != "items" or self._clock() < self._limit_asked:
            return
        self._limit_asked = self._clock() + LIMIT_SECONDS
        file = Path(os.environ.get("HEADWATER_SLURM_LIMIT", LIMIT))
        wanted = read_limit(file, self._order.parallelism or 0)
        self._limits.keep(wanted, [job.job for job in self._follower.jobs.values()])

    def _carrier(self) -> Carrier | None:
        order = self._order
        transport = order.cluster.transport
        if not must_carry(transport, order.unit.store):
            return None
        files: Files = self._luggage if transport == "rest" else self._files
        return Carrier(order.unit.store, files, order.cluster.workdir)

    def cancel(self) -> None:
        """Cancel the jobs, whether or not this bridge has submitted them."""
        largest = self._order.tasks
        if largest > 1:
            largest = self._patience.until_answered(lambda: self._transport.site()).max_array
        names = [part.name for part in self._order.parts(largest)]
        for name in (*names, *(name + AGAIN for name in names)):
            found = self._patience.until_answered(lambda name=name: self._transport.find(name))  # type: ignore[misc]
            if found:
                self._patience.until_answered(lambda found=found: self._transport.cancel([*map(str, found)]))  # type: ignore[misc]
                self._say(f"cancelled Slurm job {', '.join(map(str, found))} ({name})")

    def _take(self, seen: Seen) -> None:
        if isinstance(seen, Waits):
            self._say(seen.message)
            return
        part = self._parts[seen.name]
        task = part.first + seen.index
        if isinstance(seen, Begun):
            self._note_begun()
        elif isinstance(seen, Done):
            self._show_output(seen)
            self._reports[task] = self._read(seen)
        elif seen.cause.type != "SlurmJobLost" or not self._tells_again(part):
            self._show_output(seen)
            self._say(seen.cause.message)
            self._reports[task] = UnitReport(failure=_failure(seen.cause, self._order.unit.path))

    def _note_begun(self) -> None:
        """By this file the pod's readiness says that the job has left the queue."""
        with suppress(OSError):  # where there is no such folder there is no probe either
            Path(os.environ.get("HEADWATER_JOB_RUNS", JOB_RUNS)).touch()

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

    def _tells_again(self, part: Part) -> bool:
        """Slurm has forgotten the job and with it the reports in its comments: have those told again, once."""
        if self._order.cluster.transport != "rest" or part.name in self._told_again:
            return False
        self._told_again.add(part.name)
        self._follower.drop(part.name)
        job = self._patience.until_answered(
            lambda: submit_once(self._transport, self._order.job(part, AGAIN))
        )
        left = [index for index in range(part.size) if part.first + index not in self._reports]
        self._say(f"Slurm has forgotten the job; job {job} tells what it has left")
        self._follower.follow(part.name + AGAIN, job, left)
        return True

    def _show_output(self, seen: Done | Ended) -> None:
        """What the job has printed becomes this pod's log."""
        path = f"{self._order.out}/{marker(self._parts[seen.name].name, seen.index, '.out')}"
        content = self._files.get([path]).get(path, b"")[-LOG_BYTES:]
        if content:
            self._say(content.decode(errors="replace").rstrip("\n"))


def _whole(report: UnitReport, unit: UnitSpec) -> UnitReport:
    """A report that came by slurmrestd, or a failure where it speaks of values that did not come along."""
    incomplete = bool(report.items) and report.results is None and _collects(unit)
    # The job had no store to put it into: what it says of one would send the reader the wrong way.
    no_store = not unit.store and report.failure is not None and report.failure["type"] == "StoreError"
    left_there = incomplete or no_store or any(references([report.outputs, report.results]))
    if "://" in unit.store or not left_there:
        return report
    error = UsageError(
        f"node {unit.path!r} has outputs that do not fit into 4 KB, which is all that slurmrestd brings back",
        fix="Give the SlurmCluster `transport: ssh`, the operator a store by URL, or return a path on the cluster.",
    )
    return UnitReport(failure=_refused(error, unit.path), at=report.at)


def _collects(unit: UnitSpec) -> bool:
    nodes = (
        node for block in unit.document["blocks"] for node in block["nodes"] if block["name"] == unit.block
    )
    return any(node["name"] == unit.node and node["map"].get("collect") != "none" for node in nodes)


def _failure(cause: Cause, node: str) -> Mapping[str, Any]:
    return {"type": cause.type, "message": cause.message, "class": cause.error_class.value, "node": node}


def _refused(error: Exception, node: str) -> Mapping[str, Any]:
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
    except (HeadwaterError, OSError) as error:
        found = UnitReport(failure=_refused(error, unit.path))
    report.write(found)
    return 1 if found.failure is not None or found.failed_items else 0


def _detach(_signum: int, _frame: object) -> None:
    raise Detached


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
