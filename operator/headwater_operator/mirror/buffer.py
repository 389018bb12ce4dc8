"""What is not in the database yet: the latest row of each thing, in bounded memory."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from headwater.records.connection import Row
from headwater.records.statements import UPSERTS

from headwater_operator.mirror.encoding import Key, rows_of
from headwater_operator.mirror.rows import RunChange

ROW_BYTES = 500
"""What a row costs in memory beside its texts."""

DOCUMENTS_REMEMBERED = 10_000

# The run's own row comes last: who sees it finds everything else there.
_TABLES = ("document", "edge", "attempt", "map_item", "map_slice", "runtime_exception", "block", "run")
_VERSION = {
    table: upsert.columns.index("version") if "version" in upsert.columns else None
    for table, upsert in UPSERTS.items()
}
_RUN: Key = ("run",)


@dataclass(slots=True, eq=False)
class _Waiting:
    """The rows of one run that wait."""

    run_id: str
    since: float
    version: int = 0
    complete: bool = False
    rows: dict[Key, Row] = field(default_factory=dict)
    weight: int = 0
    dropped: bool = False


@dataclass(slots=True)
class Batch:
    """Rows to write in one transaction, by table, in an order that all writers share.

    `whole` are the runs of which nothing older waits: with the batch, that version of them is stored.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    run_ids: list[str] = field(default_factory=list)
    whole: list[tuple[str, int]] = field(default_factory=list)
    taken: list[tuple[_Waiting, Key, Row]] = field(default_factory=list)
    taken_at: float = 0.0

    def __len__(self) -> int:
        return len(self.taken)


class Buffer:
    """Folds changes, newest row wins. Over `limit` bytes the largest runs are let go and become `missing`.

    >>> from headwater_operator.mirror.rows import NodeRow, RunMeta
    >>> buffer, run = Buffer(1_000_000), RunMeta("u1", "reduce")
    >>> buffer.put(RunChange(run, 1, "Running", nodes=(NodeRow("gen", "task", "", "Running"),)), 10.0)
    >>> buffer.put(RunChange(run, 2, "Running", nodes=(NodeRow("gen", "task", "", "Succeeded"),)), 11.0)
    >>> batch = buffer.take(100, 1_000_000, 12.0)
    >>> [row[4] for row in batch.rows["block"]], batch.whole
    (['Succeeded'], [('u1', 2)])
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.weight = 0
        self.dropped_runs = 0
        self.missing: dict[str, int] = {}  # run -> the version that was let go
        self._runs: dict[str, _Waiting] = {}
        self._documents: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(run.rows) for run in self._runs.values())

    @property
    def runs(self) -> int:
        """How many runs have something that waits."""
        return len(self._runs)

    @property
    def oldest(self) -> float | None:
        """Since when the oldest of it waits."""
        return min((run.since for run in self._runs.values()), default=None)

    def waits_for(self, run_id: str) -> int | None:
        """The version of the run that is to be stored yet; None when all of it is."""
        waiting = self._runs.get(run_id)
        return self.missing.get(run_id) if waiting is None else waiting.version

    def put(self, change: RunChange, now: float) -> None:
        """Take in what changed in a run."""
        run_id = change.run_id
        if change.complete:
            self.missing.pop(run_id, None)
        elif run_id in self.missing:
            # The complete state that was asked for has this, too.
            self.missing[run_id] = max(self.missing[run_id], change.version)
            return
        waiting = self._runs.get(run_id)
        if waiting is None:
            waiting = self._runs[run_id] = _Waiting(run_id, now)
        waiting.version = max(waiting.version, change.version)
        waiting.complete = waiting.complete or change.complete
        known = not change.complete and change.run.document_digest in self._documents
        rows, more = waiting.rows, 0
        for table, key, row in rows_of(change, with_document=not known):
            earlier = rows.get(key)
            if earlier is not None:
                at = _VERSION[table]
                if at is None or earlier[at] > row[at]:
                    continue
                more -= _weight(earlier)
            rows[key] = row
            more += _weight(row)
        waiting.weight += more
        self.weight += more
        if self.weight > self.limit:
            self._shed()

    def forget(self, run_id: str) -> None:
        """Let go of a run that nobody asks about any more."""
        self.missing.pop(run_id, None)
        waiting = self._runs.pop(run_id, None)
        if waiting is not None:
            self._let_go(waiting)

    def documents_unknown(self) -> None:
        """Which documents the database has is not known any more: it may be another one, or an older copy."""
        self._documents.clear()

    def _shed(self) -> None:
        """Let go of the largest runs, so that as few as possible must be asked for again."""
        enough = self.limit * 4 // 5
        largest = heapq.nlargest(len(self._runs), self._runs.values(), key=lambda run: run.weight)
        for waiting in largest:
            if self.weight <= enough:
                return
            if waiting.complete and len(self._runs) == 1:
                return  # asking for it again would bring nothing smaller
            del self._runs[waiting.run_id]
            self._let_go(waiting)
            self.missing[waiting.run_id] = waiting.version
            self.dropped_runs += 1

    def _let_go(self, waiting: _Waiting) -> None:
        waiting.dropped = True
        self.weight -= waiting.weight

    # ------------------------------------------------------------ to the database

    def take(self, most_rows: int, most_bytes: int, now: float) -> Batch:
        """Rows for one transaction, of the runs that wait longest. They stay here until `written`."""
        batch = Batch(taken_at=now)
        found: dict[str, list[Row]] = {table: [] for table in _TABLES}
        for waiting in self._runs.values():
            if len(batch.taken) >= most_rows or most_bytes <= 0:
                break
            all_of_it = len(waiting.rows) <= most_rows - len(batch.taken) and waiting.weight <= most_bytes
            batch.run_ids.append(waiting.run_id)
            if all_of_it:
                batch.whole.append((waiting.run_id, waiting.version))
            for key, row in waiting.rows.items():
                if not all_of_it and (key is _RUN or key == _RUN):
                    continue
                found[str(key[0])].append(row)
                batch.taken.append((waiting, key, row))
                most_bytes -= _weight(row)
                if not all_of_it and (len(batch.taken) >= most_rows or most_bytes <= 0):
                    break
        # Runs of one workflow have one document.
        found["document"] = list({row[0]: row for row in found["document"]}.values())
        batch.rows = {table: sorted(rows) for table, rows in found.items() if rows}
        return batch

    def written(self, batch: Batch) -> None:
        """The batch is in the database. What has changed since it was taken stays."""
        for waiting, key, row in batch.taken:
            if waiting.rows.get(key) is row and not waiting.dropped:
                del waiting.rows[key]
                weight = _weight(row)
                waiting.weight -= weight
                self.weight -= weight
        for run_id in batch.run_ids:
            left = self._runs.get(run_id)
            if left is None:
                continue
            if not left.rows:
                del self._runs[run_id]
            else:  # behind all others, so that a large run does not keep the small ones waiting
                self._runs[run_id] = self._runs.pop(run_id)
        for run_id, _ in batch.whole:
            rest = self._runs.get(run_id)
            if rest is not None:
                rest.since = batch.taken_at
        self._remember(row[0] for row in batch.rows.get("document", ()))

    def _remember(self, digests: Iterable[str]) -> None:
        for digest in digests:
            self._documents[digest] = None
        while len(self._documents) > DOCUMENTS_REMEMBERED:
            self._documents.popitem(last=False)


def _weight(row: Row) -> int:
    return ROW_BYTES + sum([len(value) for value in row if type(value) is str])
