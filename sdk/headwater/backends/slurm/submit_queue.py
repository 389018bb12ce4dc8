"""Submissions on their way to Slurm and cancellations: each until Slurm has answered, however long it is away."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator

from headwater.backends.slurm.spool import Spool, Submission
from headwater.slurm.cluster import Cluster
from headwater.slurm.errors import SlurmAway, SlurmError, SlurmRefused
from headwater.slurm.follow import Follower
from headwater.slurm.script import CLAIM, DONE, EXIT, marker, script
from headwater.slurm.states import ACTIVE
from headwater.slurm.submitting import find_or_cancel_others, submit_once
from headwater.slurm.transport import Job, Transport

FIRST_WAIT, LAST_WAIT = 2.0, 30.0
TURN_SECONDS = 0.25
CANCELLED_SECONDS = 4.0
_LIMITS = ("QOSMaxSubmit", "MaxSubmit", "submit limit", "accounting/QOS policy", "array size")

logger = logging.getLogger("headwater")


class SubmitQueue:
    """What is to be submitted, in order, and what is to be cancelled."""

    def __init__(self, transport: Transport, spool: Spool, cluster: Cluster, follower: Follower) -> None:
        self._transport = transport
        self._spool = spool
        self._cluster = cluster
        self._follower = follower
        self._pending: deque[Submission] = deque()
        self._ids: dict[str, int] = {}
        self._tried: set[str] = set()
        self._to_cancel: list[str] = []
        self._cancelled: list[int] = []
        self._wait = 0.0
        self._next = 0.0
        self._said = ""

    def add(self, submission: Submission) -> None:
        """Submit this at the next turn, after what is already queued."""
        self._pending.append(submission)

    def cancel(self, submission: Submission) -> None:
        """Do not submit it; where it is submitted, cancel it."""
        if submission in self._pending:
            self._pending.remove(submission)
            if submission.name in self._tried or submission.adopted:
                self._find_and_cancel(submission.name)
            return
        followed = self._follower.drop(submission.name)
        if followed is not None and followed.job:
            self._to_cancel.append(str(followed.job))
            self._cancelled.append(followed.job)

    def cancel_rest(self, submission: Submission) -> None:
        """All results of an array are there: what of it still waits was done by other tasks of it."""
        if submission.job:
            self._to_cancel.append(str(submission.job))

    def _find_and_cancel(self, name: str) -> None:
        try:
            self._to_cancel += map(str, self._transport.find(name))
        except SlurmError as error:
            self.say(f"job {name!r} may still be in the queue: {error.message}. Then: scancel --name={name}")

    def cancel_all(self) -> None:
        """The run is over: cancel whatever is left of it."""
        for submission in list(self._pending):
            self.cancel(submission)
        for name in list(self._follower.jobs):
            followed = self._follower.drop(name)
            if followed is not None and followed.job:
                self._to_cancel.append(str(followed.job))
                self._cancelled.append(followed.job)
        self._next = 0.0
        if self._to_cancel and not self._cancel_now():
            self.say(f"could not cancel; when Slurm is back: scancel {' '.join(self._to_cancel)}")

    def wait_for_cancelled(self) -> None:
        """Give cancelled jobs a moment to end: they still write into the folder that is about to go."""
        end = time.monotonic() + CANCELLED_SECONDS
        while self._cancelled and time.monotonic() < end:
            try:
                records = self._transport.records(self._cancelled)
            except SlurmError:
                return
            if not any(record.state in ACTIVE for record in records):
                return
            time.sleep(0.1)

    # ---------------------------------------------------------------- working it off

    def seconds_to_next_try(self) -> float:
        """How long there is nothing to do."""
        if not self._pending and not self._to_cancel:
            return 1.0
        return max(self._next - time.monotonic(), 0.0)

    def work(self) -> Iterator[tuple[Submission, str]]:
        """Cancel and submit for a moment; gives what Slurm has refused, and why."""
        if (not self._pending and not self._to_cancel) or time.monotonic() < self._next:
            return
        if self._to_cancel and not self._cancel_now():
            return
        end = time.monotonic() + TURN_SECONDS
        while self._pending and time.monotonic() < end:
            submission = self._pending[0]
            try:
                self._submit(submission)
            except SlurmRefused as error:
                if self._may_fit_later(error):
                    self._later(error)
                    return
                self._pending.popleft()
                yield submission, str(error)
                continue
            except (SlurmAway, OSError) as error:
                self._later(error)
                return
            self._pending.popleft()
            self._wait, self._said = 0.0, ""

    def _cancel_now(self) -> bool:
        try:
            self._transport.cancel(self._to_cancel)
        except SlurmError as error:
            self._later(error)
            return False
        self._to_cancel = []
        return True

    def _may_fit_later(self, error: SlurmRefused) -> bool:
        """A limit on how many jobs somebody may have passes when earlier ones end."""
        return bool(self._follower.jobs) and any(words in error.message for words in _LIMITS)

    def _later(self, error: Exception) -> None:
        self._wait = min(max(self._wait * 2, FIRST_WAIT), LAST_WAIT)
        self._next = time.monotonic() + self._wait
        self.say(f"{error}. It is tried again.")

    def say(self, message: str) -> None:
        """Tell a person, once."""
        if message != self._said:
            self._said = message
            logger.warning("%s", message)

    def _submit(self, submission: Submission) -> None:
        if submission.adopted:
            job = self._adopted(submission)
        else:
            job = None
            self._spool.note(submission)
        if job is None:
            is_new = submission.name not in self._tried and not submission.adopted
            self._tried.add(submission.name)
            job = submit_once(self._transport, self._job(submission), is_new=is_new)
        submission.job = self._ids[submission.name] = job
        self._follower.follow(submission.name, job, sorted(submission.open))

    def _adopted(self, submission: Submission) -> int | None:
        """The job of an earlier run, 0 where only its markers are left; None when it was never submitted."""
        job = find_or_cancel_others(self._transport, submission.name)
        if job is not None:
            return job
        every = set(self._spool.out.iterdir())
        left = (marker(submission.name, at, what) for at in submission.open for what in (DONE, CLAIM, EXIT))
        return 0 if any(self._spool.out / name in every for name in left) else None

    def _job(self, submission: Submission) -> Job:
        out = self._spool.out
        command = [
            self._cluster.python,
            "-m",
            "headwater.backends.slurm.worker",
            submission.call,
            submission.table,
        ]
        log = self._spool.folder / "log" / submission.name
        return Job(
            submission.name,
            script(submission.name, str(out), command, self._cluster.before),
            folder=str(self._spool.folder),
            output=f"{log}.%a.out" if submission.is_map else f"{log}.0.out",
            directives=submission.directives,
            array=submission.array,
            parallelism=submission.limit,
            after=tuple(self._ids[name] for name in submission.after if self._ids.get(name)),
            comment=f"headwater {submission.path}",
        )
