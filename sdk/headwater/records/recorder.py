"""The recorder: takes in what happens in a run and writes it to the database from a thread of its own.

Reporting something costs about a microsecond: it is put on a queue. The thread folds the queue into a `Batch`
and writes that in one transaction, several times a second. Nothing here ever raises into the run or holds it
up: a database that is locked is tried again, one that cannot be used is given up with one warning.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from headwater.engine.events import Failure
from headwater.engine.intervals import Range
from headwater.errors import RecordsError
from headwater.records.batch import Batch, encode_json
from headwater.records.connection import Connection, DatabaseBusyError, connect, shown
from headwater.records.process import host_name, login_name, process_mark
from headwater.records.run_info import RunInfo
from headwater.records.schema import ensure_schema

logger = logging.getLogger("headwater.records")

INTERVAL = 0.25
HEARTBEAT = 10.0
PATIENCE = 0.5
"""Seconds that one attempt to write waits for a lock, before the queue is looked at again."""

GIVE_UP_AFTER = 2.0
"""Seconds that the end of a run waits, at most, for a database that is locked."""


class Recorder:
    """Records one run, from its construction to `close`. Methods are safe in any thread and return at once.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     recorder = Recorder(f"sqlite:///{folder}/runs.db", RunInfo("r1", "reduce", "default"))
    ...     recorder.node_changed("gen-data", "Running", 1, 10.0)
    ...     recorder.node_changed("gen-data", "Succeeded", 1, 12.0, outputs={"x": {"json": 3}})
    ...     recorder.run_finished("Succeeded", outputs={"x": {"json": 3}}, finished_at=12.0)
    ...     recorder.close()
    True
    """

    def __init__(self, url: str, run: RunInfo, *, interval: float = INTERVAL) -> None:
        self.url = url
        self.run_id = run.run_id
        self._interval = interval
        # Versions must rise from process to process, too: a run may be recorded again under its id.
        self._batch = Batch(run.run_id, time.time_ns() // 1000)
        self._queue: deque[tuple[Any, ...]] = deque()
        self._put: Callable[[tuple[Any, ...]], None] = self._queue.append
        self._wake = threading.Event()
        self._closing_at: float | None = None
        self._flushed = threading.Condition()
        self._flush_wanted = 0
        self._flush_done = 0
        self._connection: Connection | None = None
        self._failures = 0
        self._trouble: RecordsError | None = None
        self._given_up = False
        self._beat_at = float("-inf")
        self._put((Batch.run_started, run, _here()))
        self._wake.set()
        self._thread = threading.Thread(target=self._work, name="headwater-recorder", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------ what happens in the run

    def node_changed(
        self,
        path: str,
        phase: str,
        attempt: int,
        at: float,
        *,
        kind: str = "task",
        ref: str = "",
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        error: Failure | None = None,
        message: str = "",
        answer: bool | None = None,
        started_at: float | None = None,
    ) -> None:
        """A node has a new phase. `inputs` and `outputs` are encoded values by name."""
        given = None if inputs is None else encode_json(inputs)
        result = None if outputs is None else encode_json(outputs)
        self._put(
            (
                Batch.node,
                path,
                phase,
                attempt,
                at,
                kind,
                ref,
                given,
                result,
                error,
                message,
                answer,
                started_at,
            )
        )

    def attempt_started(self, path: str, attempt: int, at: float) -> None:
        """An attempt of a node runs."""
        self._put((Batch.attempt, path, attempt, at))

    def attempt_ended(
        self, path: str, attempt: int, at: float, phase: str, failure: Failure | None = None
    ) -> None:
        """An attempt of a node has ended."""
        self._put((Batch.attempt, path, attempt, at, phase, failure))

    def map_sized(self, path: str, total: int, at: float) -> None:
        """A map has this many items."""
        self._put((Batch.sized, path, total, at))

    def items_done(
        self,
        path: str,
        ranges: Sequence[Range],
        outputs: Mapping[str, Any] | None,
        at: float,
        *,
        cached: int = 0,
    ) -> None:
        """Items of a map succeeded; `outputs` is one encoded value that holds the outputs of all of them."""
        if ranges:
            result = None if outputs is None else encode_json(outputs)
            self._put((Batch.items_done, path, tuple(ranges), result, at, cached))

    def item_failed(self, path: str, index: int, attempt: int, failure: Failure, at: float) -> None:
        """An attempt of an item failed; when it succeeds later, `items_done` says so."""
        self._put((Batch.item_failed, path, index, attempt, failure, at))

    def planned(self, paths: Iterable[str]) -> None:
        """These nodes are to come."""
        self._put((Batch.planned, tuple(paths)))

    def edges(self, pairs: Iterable[tuple[str, str]]) -> None:
        """These nodes depend on each other: (from, to)."""
        self._put((Batch.edges, tuple(pairs)))

    def artifact(self, digest: str, size: int, format: str, at: float) -> None:
        """A value was put into the artifact store."""
        self._put((Batch.artifact, digest, size, format, at))

    def cache_entry(self, key: str, node: str, at: float, *, size: int | None = None) -> None:
        """Outputs were put into the cache."""
        self._put((Batch.cache_entry, key, node, size, at))

    def run_finished(
        self,
        phase: str,
        *,
        finished_at: float,
        error: Failure | None = None,
        outputs: Mapping[str, Any] | None = None,
        exit_code: int | None = None,
        message: str = "",
    ) -> None:
        """The run is over. Follow with `close`."""
        result = None if outputs is None else encode_json(outputs)
        self._put((Batch.run_finished, phase, finished_at, error, result, exit_code, message))

    # ------------------------------------------------------------ making sure

    def flush(self, timeout: float = GIVE_UP_AFTER) -> bool:
        """Wait until everything so far is in the database; False when that was not to be had in time."""
        with self._flushed:
            self._flush_wanted += 1
            ticket = self._flush_wanted
            self._wake.set()
            self._flushed.wait_for(lambda: self._flush_done >= ticket or self._given_up, timeout)
            return self._flush_done >= ticket and not self._given_up

    def close(self, timeout: float = GIVE_UP_AFTER) -> bool:
        """Write what is left and let go of the database; whether everything was written.

        A database that stays locked is given up after `timeout` seconds; a warning says what is missing.
        """
        if self._closing_at is None:
            self._closing_at = time.monotonic() + timeout
        self._wake.set()
        self._thread.join(timeout + 1.0)
        if self._thread.is_alive():
            self._give_up(RecordsError(f"the run database {shown(self.url)} does not answer"))
        return not self._given_up

    # ------------------------------------------------------------ the thread

    def _work(self) -> None:
        try:
            while True:
                self._wake.wait(self._pause())
                self._wake.clear()
                closing = self._closing_at
                with self._flushed:
                    ticket = self._flush_wanted
                if self._turn(closing):
                    with self._flushed:
                        self._flush_done = max(self._flush_done, ticket)
                        self._flushed.notify_all()
                    if closing is not None:
                        self._own_up()
                        return
                elif self._given_up:
                    return
                elif closing is not None and time.monotonic() >= closing:
                    self._give_up(self._trouble)
                    return
        except BaseException as error:  # a thread's edge: whatever it is, the run goes on without records
            self._give_up(RecordsError(f"the run's records stopped ({type(error).__name__}: {error})"))
        finally:
            if self._connection is not None:
                self._connection.close()

    def _pause(self) -> float:
        if self._closing_at is not None:
            return 0.02 if self._failures else 0.0
        return self._interval

    def _turn(self, closing: float | None) -> bool:
        """Fold the queue into the batch and write it. True when nothing is left unwritten."""
        self._drain()
        now = time.monotonic()
        if not len(self._batch) and now - self._beat_at <= HEARTBEAT:
            return True
        patience = PATIENCE if closing is None else min(PATIENCE, max(closing - now, 0.01))
        try:
            self._write(patience)
        except DatabaseBusyError as error:
            self._failures += 1
            self._trouble = error
            return False
        except RecordsError as error:
            self._give_up(error)
            return False
        self._failures = 0
        return True

    def _write(self, patience: float) -> None:
        if self._connection is None:
            connection = connect(self.url, create=True, patience=patience)
            try:
                ensure_schema(connection, self.url)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        self._connection.patience(patience)
        if time.monotonic() - self._beat_at > HEARTBEAT:
            self._batch.heartbeat(self._connection.now())
            self._beat_at = time.monotonic()
        self._connection.write(self._batch.take(), self._batch.steps)
        self._batch.written()

    def _drain(self) -> None:
        queue, batch = self._queue, self._batch
        for _ in range(len(queue)):
            report = queue.popleft()
            report[0](batch, *report[1:])

    def _own_up(self) -> None:
        if self._batch.dropped:
            logger.warning(
                "the run database %s was out of reach for long. The records of run %s lack %s.",
                *(shown(self.url), self.run_id, self._batch.describe()),
            )

    def _give_up(self, error: RecordsError | None) -> None:
        with self._flushed:
            if self._given_up:
                return
            self._given_up = True
            self._put = _ignore
            self._queue.clear()
            self._flushed.notify_all()
        if isinstance(error, DatabaseBusyError):
            logger.warning(
                "%s. The records of run %s lack %s.",
                error.message,
                self.run_id,
                self._batch.describe(),
            )
        else:
            logger.warning("%s The run %s goes on without being recorded.", error, self.run_id)


def _ignore(_report: tuple[Any, ...]) -> None:
    """Where reports go once the database has been given up."""


def _here() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": host_name(), "pid": pid, "process": process_mark(pid) or "", "login": login_name()}
