"""Following jobs: one listing of the markers and, seldom, one question to Slurm, for all of them together.

Markers say how tasks end. Slurm is asked for what they cannot tell: that a task has ended without one, and why one
does not begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headwater.slurm.errors import SlurmAway
from headwater.slurm.records import Record
from headwater.slurm.script import CLAIM, DONE, EXIT, PART, marker, parsed
from headwater.slurm.shell import Files
from headwater.slurm.states import (
    ACTIVE,
    ENDED_WELL,
    WAITING,
    Cause,
    cause_of,
    died,
    has_reason,
    is_queued,
    lost,
    mistaken,
    never_begun,
    taken_out,
    why_it_waits,
)
from headwater.slurm.transport import Transport

FIRST_LISTING, LAST_LISTING = 0.05, 1.0
FIRST_QUESTION = 1.0
SLOWER = 1.5
SHARE_OF_TIME = 20
"""A look is not repeated before this many times the time that it took: looking never costs more than 5%."""
_QUEUED, _QUEUED_WHY = "queued", "queued for a reason"
LATE_MARKER_SECONDS = 2.0
"""How long a marker may come after Slurm has said how the task ended, where it says that it ended badly."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A task has left the queue."""

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class Done:
    """A task has left its result."""

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A task has ended without a result."""

    name: str
    index: int
    cause: Cause
    state: str
    alone: bool = True
    """Whether it had the time and memory of its job to itself: not where another task of the array had taken it."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Why a job does not begin, or that Slurm does not answer. `in_turn`: others are before it, that is all."""

    name: str
    message: str
    in_turn: bool = False


Seen = Begun | Done | Ended | Waits


@dataclass(slots=True)
class Followed:
    """A job and those of its tasks whose end has not been seen."""

    name: str
    job: int
    open: set[int]
    begun: set[int] = field(default_factory=set)
    missing: dict[int, float] = field(default_factory=dict)
    said: str = ""
    id_had_another: bool = False
    """Whether another job had this id before: the controller has lost its state in between."""


@dataclass(slots=True)
class _Suspect:
    """A task without a result that may have ended, and the record of the job task that was at it."""

    index: int
    record: Record | None
    alone: bool = True
    is_with_another_job: bool = False
    """Another job of the same name is at it, or Slurm does not say now whether it is."""


class Follower:
    """Follows the jobs whose markers lie in one folder."""

    def __init__(
        self,
        transport: Transport,
        files: Files,
        out: str,
        clock: Callable[[], float],
        *,
        poll_seconds: float = 15.0,
        grace_seconds: float = 30.0,
        first_listing: float = FIRST_LISTING,
    ) -> None:
        self._transport = transport
        self._files = files
        self._out = out
        self._clock = clock
        self._grace = grace_seconds
        self._jobs: dict[str, Followed] = {}
        self._names: dict[int, str] = {}
        self._listed: set[str] = set()
        self._exits: set[tuple[str, int]] = set()
        self._listing = _Pace(first_listing, max(LAST_LISTING, 5 * first_listing))
        self._asking = _Pace(min(FIRST_QUESTION, poll_seconds), poll_seconds)
        self._away = ""
        self._trouble = 0.0

    # ---------------------------------------------------------------- which jobs

    def follow(self, name: str, job: int, indices: Sequence[int]) -> None:
        """Follow these tasks of a job from now on."""
        had_another = self._names.setdefault(job, name) != name
        self._jobs[name] = Followed(name, job, set(indices), id_had_another=had_another)
        # Its markers may have been listed before it was followed: a resumed run finds them all at once.
        self._listed = {file for file in self._listed if not file.startswith(f"{name}.")}
        now = self._clock()
        self._listing.hurry(now)
        self._asking.hurry(now + self._asking.first)

    def drop(self, name: str) -> Followed | None:
        """Follow a job no longer."""
        return self._jobs.pop(name, None)

    @property
    def jobs(self) -> Mapping[str, Followed]:
        """The jobs that are followed, by name."""
        return self._jobs

    # ---------------------------------------------------------------- looking

    def seconds_to_next_look(self) -> float:
        """How long there is nothing to do."""
        if not self._jobs:
            return LAST_LISTING
        return max(min(self._listing.due, self._asking.due) - self._clock(), 0.0)

    def look(self) -> list[Seen]:
        """What has happened since the last look; nothing when it is not yet time for one."""
        seen: list[Seen] = []
        if not self._jobs:
            return seen
        now = self._clock()
        if now >= self._listing.due:
            seen += self._list()
            self._listing.looked(now, self._clock(), changed=bool(seen))
        if self._jobs and now >= self._asking.due:
            answered = self._ask(now)
            self._asking.looked(now, self._clock(), changed=bool(answered))
            seen += answered
        return seen

    def _list(self) -> list[Seen]:
        names = set(self._files.names(self._out))
        fresh = names - self._listed
        self._listed = names
        seen: list[Seen] = []
        for found in map(parsed, sorted(fresh)):
            job = self._jobs.get(found[0]) if found is not None else None
            if found is None or job is None or found[1] not in job.open:
                continue
            name, index, what = found
            if what == PART and index not in job.begun:
                job.begun.add(index)
                seen.append(Begun(name, index))
            elif what == DONE:
                self._close(job, index)
                seen.append(Done(name, index))
            elif what == EXIT:
                self._exits.add((name, index))
                self._asking.hurry(self._clock())
        return seen

    def _close(self, job: Followed, index: int) -> None:
        job.open.discard(index)
        job.missing.pop(index, None)
        self._exits.discard((job.name, index))
        if not job.open:
            self._jobs.pop(job.name, None)

    # ---------------------------------------------------------------- asking Slurm

    def _ask(self, now: float) -> list[Seen]:
        jobs = list(self._jobs.values())
        try:
            records = self._transport.records([job.job for job in jobs])
        except SlurmAway as error:
            return self._slurm_is_away(str(error), now)
        self._away = ""
        self._trouble = 0.0
        by_job: dict[int, list[Record]] = {}
        for record in records:
            by_job.setdefault(record.job, []).append(record)
        seen: list[Seen] = []
        for job in jobs:
            # Ids are used again after the controller has lost its state: the name decides.
            own = [each for each in by_job.get(job.job, ()) if not each.name or each.name == job.name]
            seen += self._compare(job, own, now)
        return seen

    def _slurm_is_away(self, message: str, now: float) -> list[Seen]:
        self._trouble = self._trouble or now
        if message == self._away:
            return []
        self._away = message
        return [Waits("", f"{message} Waiting for it; jobs that run go on.")]

    def _compare(self, job: Followed, records: Sequence[Record], now: float) -> list[Seen]:
        exact = {record.task: record for record in records if record.task >= 0}
        pending = [record for record in records if record.task < 0]
        suspects: list[_Suspect] = []
        seen: list[Seen] = []
        for index in sorted(job.open):
            record = exact.get(index) or next((each for each in pending if each.speaks_of(index)), None)
            if record is None or record.state not in ACTIVE or (job.name, index) in self._exits:
                suspects.append(_Suspect(index, record))
            else:
                job.missing.pop(index, None)
                if record.state == "RUNNING" and index not in job.begun:
                    job.begun.add(index)
                    seen.append(Begun(job.name, index))
        runs = any(record.state == "RUNNING" for record in records)
        seen += self._why_it_waits(job, pending or records, runs=runs)
        if suspects:
            seen += self._judge(job, suspects, exact, now, pending=bool(pending))
        return seen

    def _why_it_waits(self, job: Followed, records: Sequence[Record], *, runs: bool) -> Iterator[Seen]:
        if runs and job.said in (_QUEUED, _QUEUED_WHY):
            job.said = ""  # until it is requeued
        for record in records:
            held = why_it_waits(record)
            if not held and (runs or record.state not in WAITING):
                continue
            # The reasons of an ordinary wait change with every other job: the first that Slurm names is enough.
            said = held or (_QUEUED_WHY if has_reason(record) else _QUEUED)
            if said != job.said and (said, job.said) != (_QUEUED, _QUEUED_WHY):
                job.said = said
                yield Waits(job.name, held or is_queued(record), in_turn=not held)

    def _judge(
        self,
        job: Followed,
        suspects: list[_Suspect],
        exact: Mapping[int, Record],
        now: float,
        *,
        pending: bool,
    ) -> list[Seen]:
        """Tasks that Slurm does not run any more: their markers decide; without one, why there is none."""
        self._listing.hurry(now)
        self._find_owners(job, suspects, exact)
        late: list[_Suspect] = []
        soon = 0
        for suspect in suspects:
            if suspect.is_with_another_job:
                job.missing.pop(suspect.index, None)
                continue
            if suspect.record is not None and suspect.record.state in ACTIVE:
                job.missing.pop(suspect.index, None)  # it ends soon, or another task of the array is at it
                soon += 1
                continue
            since = job.missing.setdefault(suspect.index, now)
            if (job.name, suspect.index) in self._exits or now - since >= self._patience(suspect.record):
                late.append(suspect)
            else:
                soon += 1
        if soon:
            self._asking.hurry(now + min(LATE_MARKER_SECONDS, self._grace) / 2)
        return [self._verdict(job, suspect, is_known=bool(exact) or pending) for suspect in late]

    def _find_owners(self, job: Followed, suspects: list[_Suspect], exact: Mapping[int, Record]) -> None:
        """Where another task of the array has taken one over, or another job of the name, that one's record counts."""
        paths = {f"{self._out}/{marker(job.name, each.index, CLAIM)}": each for each in suspects}
        strangers: dict[int, list[tuple[_Suspect, int]]] = {}
        for path, content in self._files.get(list(paths)).items():
            suspect = paths[path]
            words = content.split()
            by, owner = map(int, words) if len(words) == 2 else (job.job, suspect.index)
            if by != job.job:
                strangers.setdefault(by, []).append((suspect, owner))
            elif owner != suspect.index:
                suspect.record = exact.get(owner)
            suspect.alone = owner == suspect.index
        if strangers:
            self._ask_of_strangers(job, strangers)

    def _ask_of_strangers(self, job: Followed, strangers: Mapping[int, list[tuple[_Suspect, int]]]) -> None:
        """A cut connection has made a second job of this name, which was quicker with these tasks."""
        try:
            records = self._transport.records(list(strangers))
        except SlurmAway:
            records = None
        for stranger, taken in strangers.items():
            for suspect, owner in taken:
                suspect.record = next((
                    record for record in records or ()
                    if record.job == stranger and max(record.task, 0) == owner and record.name in ("", job.name)
                ), None)  # fmt: skip
                suspect.is_with_another_job = records is None or (
                    suspect.record is not None and suspect.record.state in ACTIVE
                )

    def _verdict(self, job: Followed, suspect: _Suspect, *, is_known: bool) -> Seen:
        index, record = suspect.index, suspect.record
        # Read, not listed: a listing of the folder may be old on a network file system.
        done, note, claim = (f"{self._out}/{marker(job.name, index, what)}" for what in (DONE, EXIT, CLAIM))
        found = self._files.get([done, note, claim])
        self._close(job, index)
        if done in found:
            return Done(job.name, index)
        if claim not in found and record is not None and _ended_while_it_began(record):
            cause = never_begun(record)
        elif claim not in found and record is None and is_known:
            cause = taken_out(f"{job.job}_{index}")
        else:
            cause = _cause(job, index, record, found.get(note, b"").decode(errors="replace"))
        return Ended(job.name, index, cause, record.state if record is not None else "", suspect.alone)

    def _patience(self, record: Record | None) -> float:
        if record is None or record.state == ENDED_WELL:
            return self._grace
        return min(LATE_MARKER_SECONDS, self._grace)


def _ended_while_it_began(record: Record) -> bool:
    """Whether a task without a claim had left the queue: who cancels one that waits leaves no node."""
    return record.state in ("FAILED", ENDED_WELL) or (record.state == "CANCELLED" and bool(record.node))


def _cause(job: Followed, index: int, record: Record | None, note: str) -> Cause:
    where = record.where if record is not None else f"{job.job}_{index}" if index else str(job.job)
    words = note.split()
    code = int(words[0]) if words and words[0].lstrip("-").isdigit() else None
    if record is None:
        node = words[3] if len(words) > 3 else ""
        return lost(where) if code is None else died(where, "ended", code, 0, node)
    if code is not None and record.state in ("FAILED", "COMPLETED"):
        return died(where, record.state, code, 0, record.node)
    if record.state == "CANCELLED" and job.id_had_another:
        return mistaken(record)
    if record.state == ENDED_WELL:
        return died(where, record.state, record.exit_code, record.signal, record.node, "it left no result")
    return cause_of(record)


class _Pace:
    """When to look again: soon while things change, ever more seldom while they do not."""

    def __init__(self, first: float, last: float) -> None:
        self.first = first
        self._last = last
        self._step = first
        self.due = 0.0

    def hurry(self, at: float) -> None:
        """Look at this time at the latest, and often again."""
        self._step = self.first
        self.due = min(self.due, at) if self.due else at

    def looked(self, began: float, ended: float, *, changed: bool) -> None:
        """A look is over."""
        self._step = self.first if changed else min(self._step * SLOWER, self._last)
        if self.due <= began:  # nobody has asked for a certain time meanwhile
            self.due = ended + max(self._step, SHARE_OF_TIME * (ended - began))
