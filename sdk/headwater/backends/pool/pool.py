"""The pool: hands calls and items to worker processes and reports how they went. One thread, no locks."""

from __future__ import annotations

import itertools
import os
import selectors
import time
import weakref
from collections.abc import Callable, Hashable, Iterable
from types import TracebackType

from headwater.backends.pool.agenda import Agenda
from headwater.backends.pool.crew import Member
from headwater.backends.pool.dispatch import Dispatch
from headwater.backends.pool.jobs import CallJob, GetItems, ItemsJob, Shared
from headwater.backends.pool.outcomes import Outcomes
from headwater.backends.pool.process import Surroundings
from headwater.backends.pool.protocol import IDLE, cannot_travel, dump_by_value, problem_of
from headwater.backends.pool.reports import Report
from headwater.backends.pool.staff import Staff
from headwater.errors import HeadwaterError, UsageError

LEAST_PATIENCE = 0.0005

_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()


def cpu_count() -> int:
    """How many CPUs this process may use: by affinity, and by the quota of its container."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        if quota != "max":
            count = min(count, -(-int(quota) // int(period)))
    except (OSError, ValueError):  # no such container
        pass
    return max(count, 1)


def _threads(size: int | None) -> int:
    """How many threads each worker's numerical libraries should use."""
    return max(1, cpu_count() // (size or cpu_count()))


class WorkerPool:
    """Worker processes that start when there is work and stay for more.

    Not thread-safe but for `wake`. Nothing happens outside of `poll`.

    >>> with WorkerPool(1) as pool:
    ...     pool.share("double", lambda x: 2 * x)
    ...     pool.call("job", "double", (21,))
    ...     reports = []
    ...     while pool.busy:
    ...         reports += pool.poll(10)
    >>> reports[-1]
    Returned(job_id='job', value=42)
    """

    def __init__(self, size: int | None = None) -> None:
        if size is not None and size < 1:
            raise UsageError(f"a pool needs at least one worker, not {size}")
        self._staff = Staff(size or cpu_count(), Surroundings.here(_threads(size)))
        self._shared: dict[str, Shared] = {}
        self._numbers = itertools.count(1)
        self._agenda = Agenda()
        self._reports: list[Report] = []
        self._outcomes = Outcomes(self._agenda, self._reports.append)
        self._dispatch = Dispatch(self._staff, self._agenda, self._outcomes)
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self._staff.selector.register(self._woken, selectors.EVENT_READ)
        self._closed = False
        _pools.add(self)

    @property
    def size(self) -> int:
        """How many workers there may be."""
        return self._staff.size

    # ------------------------------------------------------------ what callers ask for

    @property
    def busy(self) -> bool:
        """Whether a job is under way, or a report waits for `poll`."""
        return bool(self._agenda.jobs or self._reports)

    @property
    def pids(self) -> list[int]:
        """The worker processes."""
        return [member.process.pid for member in self._staff.members]

    @property
    def is_closed(self) -> bool:
        """Whether the pool has been closed, or belongs to the process that this one was forked from."""
        return self._closed

    def share(self, key: str, called: Callable[..., object]) -> None:
        """Pickle what calls and items name by `key`. Each worker that needs it gets it once.

        Workers that start, or begin with a job, from here on have this process's present working folder,
        environment and `sys.path`.

        Raises:
            TargetError: it cannot be pickled.
        """
        self._check_open()
        try:
            pickled, buffers = dump_by_value(called)
        except Exception as error:  # pickling runs code of the user's
            raise cannot_travel("an object", called, error) from error
        self.forget(key)
        self._shared[key] = Shared(next(self._numbers), pickled, buffers)
        self._staff.adopt(Surroundings.here(_threads(self.size)))

    def forget(self, key: str) -> None:
        """Drop what was shared, here and in the workers. Jobs that use it already go on."""
        shared = self._shared.pop(key, None)
        if shared is not None and not self._closed:
            for member in self._staff.members:
                member.forget(shared.number)
                self._staff.watch(member)

    def call(
        self, job_id: Hashable, key: str, args: tuple[object, ...], *, timeout: float | None = None
    ) -> None:
        """Have a worker call the shared object once.

        Reports: `JobStarted`, then `Returned`, `Raised` or `Died`. `timeout` is seconds from the start.
        """
        self._check_new(job_id)
        shared = self._of(key)
        try:
            pickled, buffers = dump_by_value(args)
        except Exception as error:  # as above
            problem = problem_of(cannot_travel("an argument", _unpicklable(args), error))
            self._outcomes.fail(CallJob(job_id, shared, b"", ()), problem)
            return
        self._agenda.add(CallJob(job_id, shared, pickled, buffers, timeout))

    def items(
        self,
        job_id: Hashable,
        key: str,
        ranges: Iterable[tuple[int, int]],
        get_items: GetItems,
        *,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Have workers call the shared object with `(index, item)` for the indices of half-open ranges.

        `get_items(start, stop)` gives the items of a chunk when it is about to be sent. At most `limit` items
        run at once; `timeout` is seconds for one item. Given a job that is under way, its ranges are added.
        Reports: `ItemsReturned`, `ItemRaised`, `ItemDied`, one for each index; instead of all that are left,
        one `Raised` or `Died` when the shared object cannot be loaded or `get_items` raises.
        """
        job = self._agenda.jobs.get(job_id)
        if isinstance(job, ItemsJob):
            job.add(ranges)
            return
        self._check_new(job_id)
        job = ItemsJob(job_id, self._of(key), get_items, limit, timeout)
        job.add(ranges)
        if job.pending:
            self._agenda.add(job)

    def cancel(self, job_id: Hashable) -> None:
        """End a job: its workers are told to (SIGTERM) and, after a second, made to. Nothing more is reported."""
        self._reports[:] = [report for report in self._reports if report.job_id != job_id]
        job = self._agenda.jobs.get(job_id)
        if job is None:
            return
        self._agenda.drop(job)
        for member in [member for member in self._staff.members if member.job is job]:
            self._outcomes.lost(member, IDLE, "")
            self._staff.dismiss(member)

    def wake(self) -> None:
        """Make `poll` return early. May be called from any thread, and from a signal handler."""
        try:
            os.write(self._waker, b"\0")
        except OSError:  # full: it wakes anyway; or closed
            return

    def poll(self, timeout: float | None = None) -> list[Report]:
        """Do what there is to do and return the reports; waits up to `timeout` seconds for one.

        None waits as long as it takes; when no job is under way it returns at once.
        """
        self._check_open()
        until = None if timeout is None else time.monotonic() + timeout
        self._dispatch.assign()
        woken = False
        while True:
            left = None if until is None else max(0.0, until - time.monotonic())
            if self._reports or woken or (left is None and not self._agenda.jobs):
                left = 0.0
            woken |= self._wait(left)
            self._expire()
            self._staff.reap()
            self._dispatch.assign()
            if self._reports or woken or (until is not None and time.monotonic() >= until) or left == 0.0:
                reports = self._reports[:]
                self._reports.clear()  # in place: `Outcomes` adds to this very list
                return reports

    def close(self) -> None:
        """End all workers, within a few seconds at most."""
        if self._closed:
            return
        for job in list(self._agenda.jobs):
            self.cancel(job)
        self._staff.close()
        self._release()

    def reset(self) -> None:
        """End all jobs, forget all that is shared, drop the reports; keep the workers that are free."""
        for job_id in list(self._agenda.jobs):
            self.cancel(job_id)
        for key in list(self._shared):
            self.forget(key)
        self._reports.clear()

    def abandon(self) -> None:
        """In a forked child: let go of the parent's workers without touching them."""
        for member in self._staff.abandon():
            member.process.process.returncode = 0  # they are not our children
        self._release()

    def _release(self) -> None:
        self._closed = True
        os.close(self._woken)
        os.close(self._waker)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ checks

    def _check_open(self) -> None:
        if self._closed:
            raise HeadwaterError("this pool of workers is closed", fix="Make a new WorkerPool.")

    def _check_new(self, job_id: Hashable) -> None:
        self._check_open()
        if job_id in self._agenda.jobs:
            raise UsageError(f"the pool has a job {job_id!r} already")

    def _of(self, key: str) -> Shared:
        try:
            return self._shared[key]
        except KeyError:
            raise UsageError(f"nothing is shared as {key!r}", fix="Call `share` first.") from None

    # ------------------------------------------------------------ waiting

    def _wait(self, timeout: float | None) -> bool:
        """Wait for workers and act on what they say; true when `wake` was called."""
        staff = self._staff
        patience = self._patience()
        if timeout is not None:
            patience = timeout if patience is None else min(timeout, patience)
        woken = False
        for key, mask in staff.selector.select(patience):
            member = key.data
            if key.fd == self._woken:
                woken = _drained(self._woken)
            elif member not in staff.members:  # its other descriptor came first
                continue
            elif key.fd == member.process.pidfd:
                self._bury(member)
            else:
                if mask & selectors.EVENT_WRITE:
                    member.process.push()
                    staff.watch(member)
                if mask & selectors.EVENT_READ:
                    self._receive(member)
        for member in staff.found_dead():
            self._bury(member)
        return woken

    def _patience(self) -> float | None:
        """How long nothing has to be looked at."""
        due = self._staff.due() + self._dispatch.due()
        for member in self._staff.members:
            job = member.job
            if job is not None and job.timeout is not None:
                due.append(job.timeout - (member.process.seconds_in if member.process.doing > 0 else 0))
        return max(LEAST_PATIENCE, min(due)) if due else None

    def _receive(self, member: Member) -> None:
        for arrived in member.process.frames():
            self._outcomes.receive(member, arrived)
        if member.process.at_end:
            self._bury(member)

    def _bury(self, member: Member) -> None:
        """A worker has ended by itself, or has closed its end: what it still said counts."""
        while frames := member.process.frames():
            for arrived in frames:
                self._outcomes.receive(member, arrived)
        doing = member.process.doing
        message = self._staff.lay_to_rest(member)
        clean = doing == IDLE and member.process.process.returncode == 0
        self._outcomes.lost(member, doing, message, clean=clean)

    def _expire(self) -> None:
        """End the workers whose call or item takes longer than it may."""
        for member in list(self._staff.members):
            job, doing, seconds = member.job, member.process.doing, member.process.seconds_in
            if job is None or job.timeout is None or doing <= 0 or seconds <= job.timeout:
                continue
            self._receive(member)
            if member.job is job and member.process.doing == doing and member in self._staff.members:
                message = f"was ended: it took longer than {job.timeout:g} s"
                self._outcomes.lost(member, doing, message, timed_out=True)
                self._staff.dismiss(member)


def _drained(descriptor: int) -> bool:
    try:
        return bool(os.read(descriptor, 4096))
    except BlockingIOError:
        return False


def _unpicklable(args: tuple[object, ...]) -> object:
    """The argument that cannot be pickled."""
    for each in args:
        try:
            dump_by_value(each)
        except Exception:  # this is the one
            return each
    return args


def _abandon_all() -> None:
    for pool in list(_pools):
        if not pool.is_closed:
            pool.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
