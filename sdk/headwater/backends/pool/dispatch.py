"""Who gets what: calls and chunks to workers that are free, and from those that have too much."""

from __future__ import annotations

import time

from headwater.backends.pool.agenda import Agenda
from headwater.backends.pool.crew import Member
from headwater.backends.pool.jobs import CallJob, ItemsJob, Job
from headwater.backends.pool.outcomes import Outcomes
from headwater.backends.pool.protocol import cannot_travel, dump_by_value, problem_of
from headwater.backends.pool.staff import Staff

STEAL_AFTER_SECONDS = 0.005
SETTLE_SECONDS = 0.001


class Dispatch:
    """Hands out what the agenda says to the workers there are."""

    def __init__(self, staff: Staff, agenda: Agenda, outcomes: Outcomes) -> None:
        self._staff = staff
        self._agenda = agenda
        self._outcomes = outcomes

    def assign(self) -> None:
        """Give every worker what it should have now."""
        self._settle()
        while (job := self._agenda.next()) is not None:
            member = self._staff.free(job.shared.number)
            if member is None:
                break
            self._give(member, job)
        for member in self._staff.members:
            job = member.job
            if isinstance(job, ItemsJob) and not member.is_limited:
                # One chunk ahead, so that a worker of quick items does not wait for us.
                if len(member.chunks) == 1 and job.is_quick and self._agenda.may_continue(job):
                    self._give(member, job)
                elif self._could_share(member) and member.ahead > 0:
                    self._hold(member)

    def due(self) -> list[float]:
        """In how many seconds something has to be looked at."""
        due = []
        for member in self._staff.members:
            if member.steal_at is not None:
                due.append(member.steal_at - time.monotonic())
            elif not member.is_limited and self._could_share(member):
                due.append(max(STEAL_AFTER_SECONDS - member.process.seconds_in, SETTLE_SECONDS))
        return due

    def _give(self, member: Member, job: Job) -> None:
        self._agenda.take(job)
        if isinstance(job, CallJob):
            self._agenda.calls_running += 1
            member.tell(self._staff.surroundings, job.shared)
            member.give_call(job)
        else:
            self._give_items(member, job)
        self._staff.watch(member)

    def _give_items(self, member: Member, job: ItemsJob) -> None:
        size = self._staff.size
        start, stop = job.take(min(size, job.limit or size))
        try:
            items = list(job.get_items(start, stop))
            if len(items) != stop - start:
                raise ValueError(f"get_items({start}, {stop}) gave {len(items)} items")
        except Exception as error:  # it is the caller's code
            self._outcomes.fail(job, problem_of(error))
            return
        try:
            pickled, buffers = dump_by_value(items)
        except Exception as error:  # pickling runs code of the user's
            if stop - start > 1:
                job.suspects.append((start, stop))
                job.give_back(start, stop)
            else:
                problem = problem_of(cannot_travel("an item", items[0], error))
                self._outcomes.item_raised(job, start, problem)
                self._outcomes.close_if_done(job)
            return
        job.item_bytes = (len(pickled) + sum(map(len, buffers))) / (stop - start)
        member.tell(self._staff.surroundings, job.shared)
        member.give_items(job, start, stop, pickled, buffers)

    # ------------------------------------------------------------ sharing out what one has too much of

    def _could_share(self, member: Member) -> bool:
        """Whether others could do what this worker has not begun: they are free and have nothing else to do."""
        job = member.job
        return (
            isinstance(job, ItemsJob)
            and not job.pending
            and not job.over
            and member.chunks[-1].stop - member.chunks[0].next > 1
            and (job.limit is None or job.workers < job.limit)
            and self._staff.has_room
        )

    def _hold(self, member: Member) -> None:
        if member.process.seconds_in > STEAL_AFTER_SECONDS:
            member.hold()
            member.steal_at = time.monotonic() + SETTLE_SECONDS

    def _settle(self) -> None:
        """Take back what workers have been kept from beginning.

        A millisecond after `hold`, both sides have surely seen what the other had written to the shared page.
        """
        now = time.monotonic()
        for member in self._staff.members:
            if member.steal_at is not None and now >= member.steal_at:
                member.steal_at = None if member.take_unbegun() else now + SETTLE_SECONDS
