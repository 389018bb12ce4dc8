"""Logs of a cluster's runs as files: followed from the pods while somebody looks, kept when the run has ended."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO, TYPE_CHECKING

from headwater.backends.kubernetes.errors import ClusterUnreachable
from headwater.configuration import state_dir
from headwater.errors import HeadwaterError
from headwater.records.log_files import log_file
from headwater.records.model import Run

from headwater_dashboard.clusters import workflow_of

if TYPE_CHECKING:
    from headwater.backends.kubernetes.logs import Follower, Line

logger = logging.getLogger("headwater.dashboard")

MOST_FOLLOWED = 20
"""Runs whose pods are followed at once; those that nobody has asked for longest give way."""

AGAIN_SECONDS = 5.0
"""After an error the cluster is asked again so much later."""

UNWATCHED_SECONDS = 60.0
KEPT_BYTES = 64 * 1024 * 1024
"""So much is taken of a run that has ended already."""

MOST_BYTES = 1024 * 1024 * 1024
"""So much is kept of a run that is followed."""

Mark = tuple[str, int, int | None]


@dataclass(eq=False)
class _Spool:
    """One run's log on its way into a file."""

    part: Path
    run: Run
    asked_at: float
    note: str = ""
    done: bool = False
    kept: bool = False
    gone_at: float = float("-inf")
    follower: Follower | None = None
    over: Event = field(default_factory=Event)
    seen: dict[Mark, float] = field(default_factory=dict)

    def end(self) -> None:
        self.over.set()
        if self.follower is not None:
            self.follower.end()


NOWHERE = Path(os.devnull)


@dataclass(frozen=True, slots=True)
class LogSource:
    """The file to read. `done`: it will not grow; `note` says why there is nothing in it, or nothing new."""

    file: Path
    done: bool
    note: str = ""


class PodLogs:
    """The log files of runs on a cluster.

    >>> PodLogs().following
    0
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spools: dict[str, _Spool] = {}
        self._lock = Lock()

    @property
    def following(self) -> int:
        """How many runs' pods are followed at present."""
        return sum(not each.done for each in list(self._spools.values()))

    def of(self, run: Run) -> LogSource:
        """Where the log of a run is; from now on it grows there.

        Raises:
            UsageError: the run's id is none.
        """
        kept = log_file(run.run_id)
        with self._lock:
            spool = self._spools.get(run.run_id)
            if spool is None and kept.exists():
                return LogSource(kept, done=True)
            if spool is None or (spool.done and not kept.exists() and self._may_ask_again(spool)):
                spool = self._begin(run, kept)
                Thread(target=self._carry, args=(spool,), name=f"logs of {run.run_id}", daemon=True).start()
            spool.asked_at = self._clock()
            return LogSource(kept if spool.done else spool.part, spool.done, spool.note)

    def keep(self, run: Run) -> None:
        """Take the log of a run that has ended, now, unless it is there."""
        kept = log_file(run.run_id)
        with self._lock:
            if kept.exists() or run.run_id in self._spools:
                return
            spool = self._begin(run, kept)
            spool.kept = True
        self._carry(spool)

    def _may_ask_again(self, spool: _Spool) -> bool:
        return self._clock() - spool.gone_at > AGAIN_SECONDS

    def _begin(self, run: Run, kept: Path) -> _Spool:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(f".{run.run_id}.{os.getpid()}.part")
        part.unlink(missing_ok=True)  # whatever somebody has put there: it is not written through
        part.write_bytes(b"")
        spool = self._spools[run.run_id] = _Spool(part, run, self._clock())
        return spool

    @staticmethod
    def clean_up() -> None:
        """Remove what dashboards have left that were killed."""
        import psutil

        for part in (state_dir() / "logs").glob(".*.part"):
            pid = part.name.split(".")[-2]
            if pid.isdigit() and not psutil.pid_exists(int(pid)):
                part.unlink(missing_ok=True)

    def let_go(self) -> None:
        """Stop following what nobody looks at."""
        now = self._clock()
        with self._lock:
            for run_id in [
                key for key, each in self._spools.items() if each.done and self._may_ask_again(each)
            ]:
                del self._spools[run_id]
            going = [each for each in self._spools.values() if not each.done and not each.kept]
        going.sort(key=lambda each: -each.asked_at)
        for at, spool in enumerate(going):
            if at >= MOST_FOLLOWED or now - spool.asked_at > UNWATCHED_SECONDS:
                spool.end()

    # ---------------------------------------------------------------- in the thread of a run

    def _carry(self, spool: _Spool) -> None:
        while not spool.over.is_set():
            try:
                _fill(spool)
            except Exception as error:  # whatever it is: who reads the log must not wait for ever
                spool.note = _note(error)
                if spool.run.ended and not isinstance(error, ClusterUnreachable):
                    self._give_up(spool)
                    return
                spool.over.wait(AGAIN_SECONDS)
            else:
                break
        self._finish(spool)

    def _give_up(self, spool: _Spool) -> None:
        """There is nothing to read any more; what was written meanwhile stays."""
        with self._lock:
            spool.gone_at = self._clock()
            spool.done = True
            if spool.part.exists() and spool.part.stat().st_size:
                os.replace(spool.part, log_file(spool.run.run_id))
            else:
                spool.part.unlink(missing_ok=True)

    def _finish(self, spool: _Spool) -> None:
        with self._lock:
            if spool.over.is_set():  # nobody looks: the next who does begins anew
                spool.part.unlink(missing_ok=True)
            else:
                os.replace(spool.part, log_file(spool.run.run_id))
            self._spools.pop(spool.run.run_id, None)
            spool.done = True

    def close(self) -> None:
        """Stop following; files that are not whole go."""
        with self._lock:
            spools = list(self._spools.values())
        for spool in spools:
            spool.end()
            if not spool.done:
                spool.part.unlink(missing_ok=True)


def _note(error: Exception) -> str:
    """Why there is nothing to read."""
    if isinstance(error, HeadwaterError):
        return f"{error.message}. {error.fix}" if error.fix else error.message
    logger.error("a log cannot be followed", exc_info=error)
    return f"the log cannot be followed: {type(error).__name__}: {error}"


def _fill(spool: _Spool) -> None:
    """Write the lines of a run's pods until it has ended.

    Raises:
        ClusterError: the cluster is out of reach, or there are no pods any more.
    """
    from headwater.backends.kubernetes.logs import Follower, Wanted, lines_of
    from headwater.backends.kubernetes.outcome import has_ended

    cluster, workflow = workflow_of(spool.run)
    with spool.part.open("ab") as file:
        if has_ended(workflow):
            _write(file, spool, lines_of(cluster, workflow, Wanted(), most_bytes=KEPT_BYTES))
            return
        spool.follower = Follower(cluster, workflow["metadata"]["name"], Wanted())
        spool.note = ""
        _write(file, spool, spool.follower)


def _write(file: IO[bytes], spool: _Spool, lines: Iterable[Line]) -> None:
    for line in _unseen(spool, lines):
        full = file.tell() > MOST_BYTES
        if full:
            line = replace(line, text=f"… what comes after {MOST_BYTES:,} bytes is not kept here")
        file.write(json.dumps(line.as_entry(), ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        file.flush()
        if full:
            return


def _unseen(spool: _Spool, lines: Iterable[Line]) -> Iterator[Line]:
    """Lines that are not in the file yet: after an error the pods are asked from their beginning."""
    before = dict(spool.seen)
    for line in lines:
        mark = (line.node, line.attempt, line.item)
        if line.at > before.get(mark, float("-inf")):
            spool.seen[mark] = max(line.at, spool.seen.get(mark, line.at))
            yield line
