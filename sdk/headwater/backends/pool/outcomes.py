"""What became of the work of a worker: from its frames, or from its end, to reports."""

from __future__ import annotations

import pickle
from collections.abc import Callable

from headwater.backends.pool.agenda import Agenda
from headwater.backends.pool.crew import Member
from headwater.backends.pool.jobs import CallJob, Chunk, ItemsJob, Job
from headwater.backends.pool.protocol import (
    IDLE,
    UNPACKING,
    Frame,
    Kind,
    Place,
    Problem,
    load,
    problem_of,
    unpack,
)
from headwater.backends.pool.reports import (
    Died,
    ItemDied,
    ItemRaised,
    ItemsReturned,
    JobStarted,
    Raised,
    Report,
    Returned,
)

MOST_BLAMELESS_DEATHS = 3


class Outcomes:
    """Keeps the books of jobs and chunks and says what is to be reported."""

    def __init__(self, agenda: Agenda, report: Callable[[Report], None]) -> None:
        self._agenda = agenda
        self._report = report

    # ------------------------------------------------------------ frames

    def receive(self, member: Member, arrived: Frame) -> None:
        """One frame from a worker."""
        place, pickles = unpack(arrived.payload)
        job = member.job
        if arrived.kind == Kind.UNLOADABLE:
            self._unloadable(member, _problem(pickles[0]))
        elif isinstance(job, CallJob):
            self._receive_call(member, job, arrived, pickles)
        elif isinstance(job, ItemsJob):
            self._receive_items(member, job, arrived, place, pickles)

    def _receive_call(self, member: Member, job: CallJob, arrived: Frame, pickles: list[memoryview]) -> None:
        if arrived.kind == Kind.STARTED:
            job.started = True
            self._report(JobStarted(job.id, member.process.pid))
            return
        member.drop_chunk()
        self._agenda.calls_running -= 1
        self._agenda.drop(job)
        if arrived.kind == Kind.RAISED:
            self._report(_raised(job, _problem(pickles[0])))
            return
        try:
            value = load(pickles[0], arrived.buffers)
        except Exception as error:  # a value of the user's may fail in any way
            self._report(_raised(job, problem_of(error)))
        else:
            self._report(Returned(job.id, value))

    def _receive_items(
        self, member: Member, job: ItemsJob, arrived: Frame, place: Place, pickles: list[memoryview]
    ) -> None:
        chunk = member.chunks[0]
        if arrived.kind == Kind.RESULTS:
            job.learn(place.count, place.busy)
            if not job.over:
                self._report_values(job, place, pickles, arrived)
            member.advance(place.start + place.count)
        elif arrived.kind == Kind.RAISED:
            job.blameless_deaths = 0
            self.item_raised(job, place.start, _problem(pickles[0]))
            member.advance(place.start + 1)
        elif arrived.kind == Kind.CUT:
            member.give_back(chunk, place.start)
            member.drop_chunk()
        elif chunk.stop - chunk.start == 1:  # UNPACKABLE, and it is clear which item it is
            self.item_raised(job, chunk.start, _problem(pickles[0]))
            member.advance(chunk.stop)
        else:
            job.suspects.append((chunk.start, chunk.stop))
            member.give_back(chunk, chunk.start)
            member.drop_chunk()
        self.close_if_done(job)

    def _report_values(self, job: ItemsJob, place: Place, pickles: list[memoryview], arrived: Frame) -> None:
        start = place.start
        values: list[object] = []
        for position, pickled in enumerate(pickles, 1):
            try:
                values += load(pickled, arrived.buffers if position == len(pickles) else ())  # type: ignore[arg-type]
            except Exception as error:  # a value of the user's may fail in any way
                if values:
                    self._report(ItemsReturned(job.id, start, values))
                # What may fail to load is alone in its pickle.
                self.item_raised(job, start + len(values), problem_of(error))
                start, values = start + len(values) + 1, []
        if values:
            self._report(ItemsReturned(job.id, start, values))

    def item_raised(self, job: ItemsJob, index: int, problem: Problem) -> None:
        """An item of a job has failed."""
        if not job.over:
            error = problem.exception()
            self._report(ItemRaised(job.id, index, error, problem.traceback, problem.type, problem.message))

    def _unloadable(self, member: Member, problem: Problem) -> None:
        job = member.job
        assert job is not None
        if isinstance(job, ItemsJob):
            member.give_back(member.chunks[0], member.chunks[0].next)
        else:
            self._agenda.calls_running -= 1
        member.drop_chunk()
        self.fail(job, problem)

    # ------------------------------------------------------------ ends

    def fail(self, job: Job, problem: Problem) -> None:
        """The job as a whole has failed."""
        if not job.over:
            self._agenda.drop(job)
            self._report(_raised(job, problem))

    def close_if_done(self, job: ItemsJob) -> None:
        """Forget a job all of whose items are accounted for."""
        if job.is_done:
            self._agenda.drop(job)

    def lost(
        self, member: Member, doing: int, message: str, *, timed_out: bool = False, clean: bool = False
    ) -> None:
        """The worker is gone. Whose fault was it, and what has to be done again?

        `doing` is what its page said; `clean` when it left of its own accord.
        """
        job = member.job
        if isinstance(job, CallJob):
            self._agenda.calls_running -= 1
            if not job.over:
                self._lost_call(job, doing, message, timed_out, clean)
        elif isinstance(job, ItemsJob):
            self._lost_items(member, job, doing, message, timed_out, clean)
            self.close_if_done(job)
        member.be_free()

    def _lost_call(self, job: CallJob, doing: int, message: str, timed_out: bool, clean: bool) -> None:
        if not job.started and doing <= IDLE:
            job.blameless_deaths += not clean
            if job.blameless_deaths < MOST_BLAMELESS_DEATHS:
                self._agenda.again(job)
                return
        self._agenda.drop(job)
        self._report(Died(job.id, message, timed_out))

    def _lost_items(
        self, member: Member, job: ItemsJob, doing: int, message: str, timed_out: bool, clean: bool
    ) -> None:
        culprit = _culprit(member.chunks, doing) if member.chunks else None
        first = member.chunks[0] if member.chunks else None
        if doing == UNPACKING and first is not None:
            if first.stop - first.next == 1:
                culprit = first.next
            elif not any((first.start, first.stop) == suspect for suspect in job.suspects):
                job.suspects.append((first.start, first.stop))
        elif culprit is None:
            job.blameless_deaths += not clean
        for chunk in reversed(member.chunks):
            start = chunk.next
            if culprit is not None and start <= culprit < chunk.stop:
                member.give_back(chunk, culprit + 1)
                chunk.stop = culprit
                job.outstanding -= 1
            member.give_back(chunk, start)
        if job.over:
            return
        if culprit is not None:
            self._report(ItemDied(job.id, culprit, message, timed_out))
        elif job.blameless_deaths >= MOST_BLAMELESS_DEATHS:
            self._agenda.drop(job)
            self._report(Died(job.id, message))


def _culprit(chunks: object, doing: int) -> int | None:
    """The index of the item that a worker was in, when its result has not arrived."""
    each: Chunk
    for each in chunks:  # type: ignore[attr-defined]
        if each.serial <= doing < each.serial + each.stop - each.start:
            index = each.index_of(doing)
            return index if index >= each.next else None
    return None


def _problem(pickled: memoryview) -> Problem:
    problem = pickle.loads(pickled)
    assert isinstance(problem, Problem)
    return problem


def _raised(job: Job, problem: Problem) -> Raised:
    return Raised(job.id, problem.exception(), problem.traceback, problem.type, problem.message)
