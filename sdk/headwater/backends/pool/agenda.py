"""Which job is next. Calls together, and each job of items, have an equal claim to the workers."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Hashable, Iterator

from headwater.backends.pool.jobs import CallJob, ItemsJob, Job


class Agenda:
    """The jobs of a pool that are not over, and those of them that wait for a worker."""

    def __init__(self) -> None:
        self.jobs: dict[Hashable, Job] = {}
        self.calls_running = 0
        self._maps: dict[Hashable, ItemsJob] = {}
        self._calls: deque[CallJob] = deque()
        self._calls_served = 0
        self._turns = itertools.count(1)

    def add(self, job: Job) -> None:
        """A new job."""
        self.jobs[job.id] = job
        if isinstance(job, CallJob):
            self._calls.append(job)
        else:
            self._maps[job.id] = job

    def again(self, job: CallJob) -> None:
        """A call that a worker was given but did not begin with."""
        if not job.over:
            self._calls.appendleft(job)

    def drop(self, job: Job) -> None:
        """The job is over: nothing more of it is handed out."""
        job.over = True
        if self.jobs.get(job.id) is job:
            del self.jobs[job.id]
            self._maps.pop(job.id, None)
        if isinstance(job, ItemsJob):
            job.pending.clear()
            job.remaining = 0

    def _open_maps(self) -> Iterator[ItemsJob]:
        return (job for job in self._maps.values() if job.is_open)

    def next(self) -> Job | None:
        """The job that should have the next free worker: the one with the fewest, in turns when even."""
        while self._calls and self._calls[0].over:
            self._calls.popleft()
        best = min(self._open_maps(), key=lambda job: (job.workers, job.served), default=None)
        if not self._calls:
            return best
        if best is not None and (best.workers, best.served) < (self.calls_running, self._calls_served):
            return best
        return self._calls[0]

    def take(self, job: Job) -> None:
        """A worker is being given this job, or more of it."""
        if isinstance(job, CallJob):
            self._calls.popleft()
            self._calls_served = next(self._turns)
        else:
            job.served = next(self._turns)

    def may_continue(self, job: ItemsJob) -> bool:
        """Whether a worker of `job` may have more of it at once, and need not be there for others."""
        if not job.pending or job.over:
            return False
        if self._calls and self.calls_running < job.workers:
            return False
        return all(other.workers >= job.workers for other in self._open_maps() if other is not job)
