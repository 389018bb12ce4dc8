"""The mirror itself: takes in changes at once, writes them when it can, says what is stored."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from headwater.errors import RecordsError
from headwater.records.connection import shown

from headwater_operator.mirror.buffer import Batch, Buffer
from headwater_operator.mirror.rows import RunChange
from headwater_operator.mirror.writer import Writer, open_writer

T = TypeVar("T")
Stored = Callable[[str, int], None]
Wanted = Callable[[Sequence[str]], None]

logger = logging.getLogger("headwater.operator.mirror")


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes. `interval`: how long changes gather before they are written together.

    `memory` bounds what waits; `rows` and `batch` bound one transaction. `patience`: how long a statement may
    take; twice that, and the connection is cut. After a failure it is tried again after `delay`, doubled up to
    `longest_delay`. Of runs that had to be let go, `asked` are asked for at once, each again after `ask_again`.
    """

    interval: float = 0.1
    memory: int = 64 * 1024 * 1024
    rows: int = 5_000
    batch: int = 8 * 1024 * 1024
    patience: float = 15.0
    delay: float = 0.2
    longest_delay: float = 30.0
    asked: int = 50
    ask_again: float = 30.0


@dataclass(slots=True)
class Metrics:
    """Counted since the start; `lag` is how many seconds the oldest change waits, `down_since` epoch seconds."""

    rows_written: int = 0
    batches: int = 0
    failures: int = 0
    rows_refused: int = 0
    runs_dropped: int = 0
    rows_waiting: int = 0
    runs_waiting: int = 0
    bytes_waiting: int = 0
    runs_wanted: int = 0
    lag: float = 0.0
    down_since: float | None = None
    last_error: str = ""


class Mirror:
    """Mirrors runs to a database; every method belongs to the event loop's thread, and none blocks it.

    `on_stored(run_id, version)` is called when everything that was offered of a run up to that version is in the
    database: its finalizer may go. `on_wanted(run_ids)` asks for the complete state of runs of which changes had
    to be let go while the database was out of reach. Without a `url` everything counts as stored.

    >>> import asyncio, tempfile
    >>> from headwater_operator.mirror import RunChange, RunMeta
    >>> async def main(folder: str) -> None:
    ...     mirror = Mirror(f"sqlite:///{folder}/runs.db")
    ...     writing = asyncio.create_task(mirror.run())
    ...     mirror.offer(RunChange(RunMeta("u1", "reduce"), 1, "Succeeded", finished_at=5.0))
    ...     await mirror.stored("u1")
    ...     print(mirror.metrics().rows_written, mirror.health()[1])
    ...     await mirror.close()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     asyncio.run(main(folder))  # doctest: +ELLIPSIS
    1 the run database /.../runs.db is up to date
    """

    def __init__(
        self,
        url: str | None,
        *,
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
        on_stored: Stored | None = None,
        on_wanted: Wanted | None = None,
        spread: Callable[[], float] = random.random,
        writer: Writer | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._url = url
        self._clock = clock
        self._spread = spread
        self._on_stored = on_stored
        self._on_wanted = on_wanted
        self._buffer = Buffer(self.limits.memory)
        self._metrics = Metrics()
        self._writer = writer
        if writer is None and url is not None:
            self._writer = open_writer(url, patience=self.limits.patience)
        self._asked: dict[str, float] = {}
        self._waiters: dict[str, list[tuple[int, asyncio.Future[None]]]] = {}
        self._in_a_row = 0
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._close_at: float | None = None
        self._running: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ what the reconciler calls

    def offer(self, change: RunChange) -> None:
        """Take in a change: some microseconds a row, whatever the database does."""
        if self._writer is None:
            self._tell_stored(change.run_id, change.version)
            return
        self._buffer.put(change, self._clock())
        self._wake.set()

    async def stored(self, run_id: str) -> None:
        """Wait until everything that was offered of a run is in the database."""
        version = self._buffer.waits_for(run_id)
        if self._writer is None or version is None:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(run_id, []).append((version, future))
        await future

    def is_stored(self, run_id: str) -> bool:
        """Whether nothing that was offered of a run waits."""
        return self._buffer.waits_for(run_id) is None

    def wanted(self) -> tuple[str, ...]:
        """The runs whose complete state is asked for (`on_wanted` tells when)."""
        return tuple(self._buffer.missing)

    def forget(self, run_id: str) -> None:
        """The run is gone without having been stored: somebody has taken the way out."""
        self._buffer.forget(run_id)
        self._asked.pop(run_id, None)
        self._release(run_id, None)

    def metrics(self) -> Metrics:
        """The counters as they are now."""
        found, buffer = self._metrics, self._buffer
        oldest = buffer.oldest
        found.rows_waiting, found.runs_waiting, found.bytes_waiting = len(buffer), buffer.runs, buffer.weight
        found.runs_dropped, found.runs_wanted = buffer.dropped_runs, len(buffer.missing)
        found.lag = 0.0 if oldest is None else max(0.0, self._clock() - oldest)
        return found

    def health(self) -> tuple[bool, str]:
        """Whether records are written, and a sentence for `flowctl doctor`."""
        if self._writer is None:
            return True, "no run database is configured: runs are not recorded"
        found = self.metrics()
        if found.down_since is None:
            behind = f", {found.rows_waiting} rows wait" if found.lag > 5 else " is up to date"
            return True, f"the run database {shown(self._url or '')}{behind}"
        since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(found.down_since))
        return False, (
            f"runs are not recorded since {since}: {found.last_error} Runs go on; {found.rows_waiting} rows of "
            f"{found.runs_waiting} runs wait, {found.runs_wanted} runs are written again as a whole later."
        )

    async def close(self, timeout: float = 5.0) -> bool:
        """Write what waits, for `timeout` seconds at most, and end `run`; whether everything was written."""
        self._close_at = time.monotonic() + timeout
        self._closing.set()
        self._wake.set()
        if self._running is None:
            await asyncio.sleep(0)  # the task may have been made just now
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=timeout + 1.0)
        if self._writer is not None:
            self._writer.abort()
        return not len(self._buffer) and not self._buffer.missing

    # ------------------------------------------------------------ the writing task

    async def run(self) -> None:
        """Write, until `close`. Whatever the database does, this goes on."""
        writer = self._writer
        if writer is None:
            await self._closing.wait()
            return
        self._running = asyncio.current_task()
        try:
            await self._turn(writer)  # a wrong address is told now, not with the first run
            while True:
                await self._rest()
                if self._is_over():
                    break
                await self._turn(writer)
        except asyncio.CancelledError:
            writer.abort()
            raise
        finally:
            # In a thread: closing may have to say goodbye to a server that does not listen.
            threading.Thread(target=writer.close, name="headwater-mirror-close", daemon=True).start()

    def _is_over(self) -> bool:
        if self._close_at is None:
            return False
        return not len(self._buffer) or time.monotonic() >= self._close_at

    async def _rest(self) -> None:
        """Wait for work; then for more of it to gather, or for the database to come back."""
        idle = not len(self._buffer) and not self._buffer.missing and not self._in_a_row
        if idle and self._close_at is None:
            self._wake.clear()
            await self._wake.wait()
        if self._in_a_row:
            doubled = self.limits.delay * 2.0 ** min(self._in_a_row - 1, 30)
            await self._pause(min(doubled, self.limits.longest_delay) * (0.5 + self._spread() / 2))
        elif self._metrics.batches and len(self._buffer) >= self.limits.rows:
            return
        elif len(self._buffer):
            await self._pause(self.limits.interval)
        elif self._close_at is None:
            self._wake.clear()
            soonest = min((self._asked.get(run_id, 0.0) for run_id in self._buffer.missing), default=0.0)
            await self._pause(max(self.limits.interval, soonest - time.monotonic()), self._wake)

    async def _pause(self, seconds: float, event: asyncio.Event | None = None) -> None:
        if self._close_at is not None:
            left = max(0.0, self._close_at - time.monotonic())
            await asyncio.sleep(min(seconds, left, 0.1) if self._in_a_row else 0)
            return
        waiting = [asyncio.ensure_future(each.wait()) for each in (self._closing, event) if each is not None]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _turn(self, writer: Writer) -> None:
        limits = self.limits
        batch = self._buffer.take(limits.rows, limits.batch, self._clock())
        try:
            if len(batch):
                refused = await self._in_thread(lambda: writer.write(batch.rows, batch.run_ids), writer)
            else:
                await self._in_thread(writer.check, writer)
                refused = 0
        except RecordsError as error:
            self._failed(str(error))
        except Exception as error:  # the edge of the writing thread: runs go on, whatever it was
            if self._metrics.down_since is None:
                logger.exception("writing to the run database failed")
            self._failed(f"{type(error).__name__}: {error}.")
        else:
            self._succeeded(batch, refused)

    async def _in_thread(self, function: Callable[[], T], writer: Writer) -> T:
        """Call in a thread; when it takes far too long, cut its connection so that it fails."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            result: T | None = None
            problem: Exception | None = None
            try:
                result = function()
            except Exception as error:  # handed to whoever waits
                problem = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_hand_over, future, result, problem)

        # A daemon: a thread that hangs in a dead connection must not keep the operator from ending.
        threading.Thread(target=work, name="headwater-mirror", daemon=True).start()
        while True:
            done, _ = await asyncio.wait({future}, timeout=2 * self.limits.patience)
            if done:
                return future.result()
            writer.abort()

    # ------------------------------------------------------------ afterwards

    def _succeeded(self, batch: Batch, refused: int) -> None:
        metrics = self._metrics
        if metrics.down_since is not None:
            logger.info("the run database %s takes records again", shown(self._url or ""))
        metrics.down_since, metrics.last_error, self._in_a_row = None, "", 0
        metrics.rows_written += len(batch) - refused
        metrics.rows_refused += refused
        metrics.batches += bool(len(batch))
        self._buffer.written(batch)
        for run_id, version in batch.whole:
            self._tell_stored(run_id, version)
            self._release(run_id, version)
        self._ask()

    def _failed(self, reason: str) -> None:
        metrics = self._metrics
        metrics.failures += 1
        self._in_a_row += 1
        if metrics.down_since is None:
            metrics.down_since = self._clock()
            logger.warning("%s Runs go on; their records are kept until they can be written.", reason)
        metrics.last_error = reason
        # It may come back as another database, or as an older copy of itself.
        self._buffer.documents_unknown()

    def _ask(self) -> None:
        """Ask for runs that were let go, now that the database answers and there is room for them."""
        missing = self._buffer.missing
        for run_id in [run_id for run_id in self._asked if run_id not in missing]:
            del self._asked[run_id]
        if not missing or self._on_wanted is None or self._buffer.weight > self._buffer.limit // 2:
            return
        now = time.monotonic()
        due = [run_id for run_id in missing if self._asked.get(run_id, 0.0) <= now][: self.limits.asked]
        if not due:
            return
        for run_id in due:
            self._asked[run_id] = now + self.limits.ask_again
        try:
            self._on_wanted(due)
        except Exception:  # somebody else's mistake must not end the writing
            logger.exception("asking for the complete state of runs failed")

    def _tell_stored(self, run_id: str, version: int) -> None:
        if self._on_stored is None:
            return
        try:
            self._on_stored(run_id, version)
        except Exception:  # as above
            logger.exception("telling that run %s is stored failed", run_id)

    def _release(self, run_id: str, version: int | None) -> None:
        left = []
        for wanted, future in self._waiters.pop(run_id, ()):
            if version is not None and wanted > version:
                left.append((wanted, future))
            elif not future.done():
                future.set_result(None)
        if left:
            self._waiters[run_id] = left


def _hand_over(future: asyncio.Future[T], result: T | None, problem: Exception | None) -> None:
    if future.cancelled():
        return
    if problem is not None:
        future.set_exception(problem)
    else:
        future.set_result(result)  # type: ignore[arg-type]  # T may be None itself
