"""Between the engine and Slurm: a unit is a job, the items of a map are the tasks of an array."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from headwater.backends.slurm.demands import Demands
from headwater.backends.slurm.logs import WorkerLogs
from headwater.backends.slurm.outcomes import Outcomes, Verdict
from headwater.backends.slurm.spool import Share, Spool, Submission, job_name, shares_of
from headwater.backends.slurm.submit_queue import SubmitQueue
from headwater.configuration import cache_dir
from headwater.engine import Graph
from headwater.engine.commands import Cancel, Command, Start, StartItems, StoreCached
from headwater.engine.events import Event, Failed, Failure, Started, Waiting
from headwater.engine.graph import ErrorClass, Node
from headwater.errors import ConfigError, StoreError
from headwater.records import new_run_id
from headwater.runtime.caching import CacheAccess, retries_below
from headwater.runtime.carry import kept
from headwater.runtime.code import Code, live_inputs
from headwater.runtime.facts import RunFacts
from headwater.runtime.inline import LocalExecutor
from headwater.runtime.items import MapJob
from headwater.runtime.remote import ItemCall, Place, TaskCall
from headwater.slurm.cluster import Cluster
from headwater.slurm.follow import Begun, Done, Ended, Follower, Seen, Waits
from headwater.slurm.site import Site

CACHE_POLL_SECONDS = 0.1


class SlurmExecutor(LocalExecutor):
    """Submits units and arrays of items; questions are answered in this process."""

    interruptible = False

    def __init__(
        self,
        graph: Graph,
        code: Code,
        *,
        cluster: Cluster,
        workers: int | None = None,
        log: str | None = None,
        echo: bool = True,
        store: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(graph, code, **options)
        self._cluster = cluster
        self._transport = cluster.open()
        self._workers = workers or cluster.max_jobs
        self._log, self._echo, self._store = log, echo, store
        self._local: list[Command] = []
        self._submissions: dict[str, Submission] = {}
        self._again: dict[tuple[str, int], list[Share]] = {}
        self._calls: dict[str, str] = {}
        self._parts: dict[tuple[str, int], itertools.count[int]] = {}
        self._earlier: list[Submission] = []
        self._recorded = False
        self._task_call = ""
        self._waiting: set[str] = set()

    def begin(self, facts: RunFacts) -> None:
        """Ask the cluster what it offers, refuse what it cannot give, and open the run's folder.

        Raises:
            ConfigError: the work folder cannot be written to.
            DefinitionError: a directive is wrong, or more than the cluster has.
            SlurmAway: Slurm does not answer.
        """
        site = self._transport.site()
        self._site: Site = site
        self._demands = Demands(self.graph, facts.spec, self._cluster.defaults, site)
        run = facts.run_id or new_run_id()
        self._run = run
        self._recorded = bool(facts.run_id)
        workdir = Path(self._cluster.workdir).absolute()
        try:
            self._spool = Spool(workdir, run, facts.resumed_from)
        except OSError as error:
            raise ConfigError(
                f"`slurm.workdir`: no run can be kept in {workdir}: {error}",
                fix="Name a folder that you and the nodes of the cluster can write to.",
            ) from error
        if self._spool.resumes and not facts.recompute:
            self._earlier = list(self._spool.earlier())
        out = str(self._spool.out)
        self._store = self._store or str(self._spool.folder / "store")
        self._place = Place.here(self._log, self._echo, self._store)
        self._logs = WorkerLogs(out, self._log, echo=self._echo)
        files = self._cluster.files()
        grace = self._cluster.grace_seconds
        self._follower = Follower(
            self._transport,
            files,
            out,
            time.monotonic,
            poll_seconds=self._cluster.poll_seconds,
            grace_seconds=grace,
        )
        self._queue = SubmitQueue(self._transport, self._spool, self._cluster, self._follower)
        self._outcomes = Outcomes(out, self._spool, self.clock)

    # ---------------------------------------------------------------- commands

    def submit(self, command: Command) -> None:
        """Prepare a job, or keep the command for the next `wait`."""
        if isinstance(command, Start | StartItems):
            try:
                self._start(command) if isinstance(command, Start) else self._start_items(command)
            except OSError as error:
                self.early.append(
                    self._cannot_start(command, f"the folder of the run cannot be written: {error}")
                )
        elif isinstance(command, Cancel):
            self._cancel(command.path)
        elif isinstance(command, StoreCached):
            self.store(command)
        else:
            self._local.append(command)

    def _start(self, command: Start) -> None:
        inputs = kept(live_inputs(command.inputs), self._store)
        key = self._key(command.node, inputs)
        if self._adopt(command.path, command.attempt, key, {0}):
            return
        if not self._task_call:
            call = TaskCall(self.graph, self.code, self.cache, self._place)
            self._task_call = self._spool.write_call("tasks", call)
        name = self._name(command.path, command.attempt)
        arguments = (command.path, command.attempt, command.body, inputs)
        table = self._spool.write_table(name, [[(0, arguments)]])
        self._enqueue(
            Submission(
                name, command.path, command.attempt, False, ((0,),), self._task_call, table, key,
                directives=self._demands.of(command.node),
            )
        )  # fmt: skip

    def _start_items(self, command: StartItems) -> None:
        mapped = self.maps[command.path]
        runner = self.item_runner(command.path, mapped)
        runner.broadcast = dict(kept(runner.broadcast, self._store))
        wanted = [index for start, stop in command.ranges for index in range(start, stop)]
        key = self._key(mapped.node, {**mapped.broadcast, **mapped.sequences})
        left = set(wanted) - self._adopt(command.path, command.attempt, key, set(wanted))
        if not left:
            return
        call = ItemCall(runner, command.attempt, self._place)
        self._calls[command.path] = self._spool.write_call(self._name(command.path, command.attempt), call)
        size = command.map.items_per_unit or 1
        self._submit_shares(command.path, command.attempt, shares_of(sorted(left), size), key)

    def _submit_shares(self, path: str, attempt: int, shares: Sequence[Share], key: str) -> None:
        """Submit shares of a map: one array, or as many as the site's largest array makes it."""
        mapped = self.maps[path]
        limit = min(filter(None, (mapped.map.parallelism, self._workers)), default=None)
        largest = self._site.max_array
        size = max(map(len, shares))
        directives = self._demands.of(mapped.node, size)
        # With a limit, arrays of one map run one after the other: each knows only its own.
        earlier = [each.name for each in self._submissions.values() if each.path == path] if limit else []
        for start in range(0, len(shares), largest):
            chunk = tuple(shares[start : start + largest])
            name = self._name(path, attempt)
            rows = [[(index, (index, mapped.item(index))) for index in share] for share in chunk]
            table = self._spool.write_table(name, rows)
            self._enqueue(
                Submission(
                    name, path, attempt, True, chunk, self._calls[path], table, key, limit,
                    after=tuple(earlier), directives=directives,
                )
            )  # fmt: skip
            if limit:
                earlier = [name]

    def _name(self, path: str, attempt: int) -> str:
        parts = self._parts.setdefault((path, attempt), itertools.count())
        return job_name(self._run, path, attempt, next(parts))

    def _enqueue(self, submission: Submission) -> None:
        submission.open = {at for at, share in enumerate(submission.shares) if share}
        self._submissions[submission.name] = submission
        self._queue.add(submission)

    def _cancel(self, path: str) -> None:
        for submission in [each for each in self._submissions.values() if each.path == path]:
            del self._submissions[submission.name]
            self._queue.cancel(submission)
        self._again = {key: shares for key, shares in self._again.items() if key[0] != path}
        self.maps.pop(path, None)
        self.parked = [command for command in self.parked if command.path != path]

    def _cannot_start(self, command: Start | StartItems, why: str) -> Event:
        failure = Failure("SlurmError", why, ErrorClass.INFRASTRUCTURE, command.path)
        return Failed(command.path, command.attempt, failure, self.clock())

    # ---------------------------------------------------------------- taking over from an earlier run

    def _key(self, node: Node, inputs: Mapping[str, object]) -> str:
        """What is called with what, as a digest; "" where nobody will ask."""
        if not self._recorded:
            return ""
        access = self.cache or CacheAccess(cache_dir())
        try:
            return access.key(node, inputs, self.graph, self.code).digest
        except StoreError:  # an input that cannot be taken apart: then it is computed again
            return ""

    def _adopt(self, path: str, attempt: int, key: str, wanted: set[int]) -> set[int]:
        """Go on with jobs of an earlier run for the same call; what of `wanted` they have done or will do."""
        adopted: set[int] = set()
        for submission in list(self._earlier):
            if submission.path != path or not key or submission.key != key:
                continue
            shares = tuple(tuple(i for i in share if i in wanted - adopted) for share in submission.shares)
            if not any(shares):
                continue
            self._earlier.remove(submission)
            submission.shares, submission.attempt = shares, attempt
            adopted.update(index for share in shares for index in share)
            if submission.is_map:
                self._calls.setdefault(path, submission.call)
            self._enqueue(submission)
        return adopted

    # ---------------------------------------------------------------- waiting

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._submissions and not self._local and not self.parked

    def wait(self, seconds: float | None) -> Sequence[Event]:
        """Answer what can be answered here, submit what is prepared, else look at what the jobs have done."""
        if self.early:
            early, self.early = self.early, []
            return early
        if self._local:
            local, self._local = self._local, []
            return [event for command in local for event in self.answer(command)]
        events = [self._refused(submission, why) for submission, why in self._queue.work()]
        events += [event for seen in self._follower.look() for event in self._events_of(seen)]
        self._send_again()
        self._logs.look(time.monotonic())
        if not events and self.parked:
            events += self.look_again()
        if not events:
            self._sleep(0.5 if seconds is None else min(seconds, 0.5))
        return events

    def _sleep(self, patience: float) -> None:
        if self.parked:
            patience = min(patience, CACHE_POLL_SECONDS)
        next_look = min(self._follower.seconds_to_next_look(), self._queue.seconds_to_next_try())
        time.sleep(max(min(patience, next_look), 0.005))

    def _refused(self, submission: Submission, why: str) -> Event:
        self._submissions.pop(submission.name, None)
        failure = Failure("SlurmRefused", why, ErrorClass.INVALID, submission.path)
        return Failed(submission.path, submission.attempt, failure, self.clock())

    def _events_of(self, seen: Seen) -> Iterable[Event]:
        if isinstance(seen, Waits) and not seen.in_turn:
            self._queue.say(seen.message)
        submission = self._submissions.get(seen.name)
        if submission is None:
            return []
        if isinstance(seen, Waits):
            self._waiting.add(submission.path)
            return [Waiting(submission.path, submission.attempt, seen.message, self.clock())]
        if isinstance(seen, Begun):
            self._logs.begun(seen.name, seen.index)
            return self._started(submission)
        self._logs.ended(seen.name, seen.index)
        mapped = self.maps.get(submission.path)
        if isinstance(seen, Done):
            events = self._outcomes.done(submission, seen.index, mapped)
        else:
            events = self._ended(submission, seen, mapped)
        submission.open.discard(seen.index)
        if not submission.open:
            self._submissions.pop(submission.name, None)
            if len(submission.shares) > 1:
                self._queue.cancel_rest(submission)
        return events

    def _started(self, submission: Submission) -> list[Event]:
        events: list[Event] = [Started(submission.path, submission.attempt, self.clock())]
        if submission.path in self._waiting:
            self._waiting.discard(submission.path)
            events.append(Waiting(submission.path, submission.attempt, "", self.clock()))
        return events

    def _ended(self, submission: Submission, seen: Ended, mapped: MapJob | None) -> Sequence[Event]:
        retries = retries_below(self.graph, mapped.node) if mapped is not None else 0
        verdict: Verdict = self._outcomes.ended(submission, seen, mapped, retries)
        if verdict.again:
            self._again.setdefault((submission.path, submission.attempt), []).extend(verdict.again)
        return verdict.events

    def _send_again(self) -> None:
        """Items that were not at fault when their task ended: together, as one more array."""
        again, self._again = self._again, {}
        for (path, attempt), shares in again.items():
            if path in self.maps:
                self._submit_shares(path, attempt, shares, "")

    # ---------------------------------------------------------------- the end

    def close(self) -> None:
        """Cancel what still runs."""
        if hasattr(self, "_queue"):
            self._queue.cancel_all()
            self._submissions.clear()

    def discard_values(self) -> None:
        """Take the folder away; what the run gave back has been read by then."""
        if hasattr(self, "_spool"):
            self._queue.wait_for_cancelled()
            self._spool.remove()
        self._transport.close()
