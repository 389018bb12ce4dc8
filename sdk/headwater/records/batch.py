"""What has happened in a run and is not yet in the database: the latest row of each thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headwater.engine.events import Failure
from headwater.engine.intervals import IntervalSet, Range
from headwater.engine.state import ENDED
from headwater.records.connection import Row, Step
from headwater.records.contents import digested
from headwater.records.progress import Progress
from headwater.records.run_info import RunInfo
from headwater.records.statements import UPSERTS

Key = tuple[object, ...]

TRACEBACK_LIMIT = 64 * 1024
MESSAGE_LIMIT = 8 * 1024
WEIGHT_LIMIT = 64 * 1024 * 1024

_ENDED = frozenset(str(phase) for phase in ENDED)
_NO_ERROR = (None, None, None, None)
# What is let go when the database is out of reach for so long that memory must be bounded. Node states
# always stay: there is one row a node, however often it changed.
_EXPENDABLE = ("runtime_exception", "map_item", "map_slice")
_NAMES = {"block": "node state", "map_slice": "map output slice", "runtime_exception": "exception"}
_COLUMN = {table: {name: i for i, name in enumerate(upsert.columns)} for table, upsert in UPSERTS.items()}
_BLOCK = _COLUMN["block"]

encode_json: Callable[[object], str] = json.JSONEncoder(separators=(",", ":"), default=str).encode


@dataclass(slots=True)
class _Map:
    """How far the items of an unfinished map are."""

    total: int | None = None
    done: IntervalSet = field(default_factory=IntervalSet)
    failed: set[int] = field(default_factory=set)
    cached: int = 0


class Batch:
    """Folds what is reported into rows. Used by the recorder's thread alone, except `__len__`.

    >>> batch = Batch("r1", 0)
    >>> batch.node("gen-data", "Running", 1, 10.0)
    >>> batch.node("gen-data", "Succeeded", 1, 12.5)
    >>> [row[1:2] + row[4:6] + row[7:9] for row in batch.take()["block"]]
    [('gen-data', 'Succeeded', 1, 10.0, 12.5)]
    """

    def __init__(self, run_id: str, version: int) -> None:
        self.run_id = run_id
        self.steps: list[Step] = []
        self.dropped: dict[str, int] = {}
        self.failed_items = 0
        self._version = version
        self._rows: dict[str, dict[Key, Row]] = {}
        self._live: dict[str, list[Any]] = {}
        self._maps: dict[str, _Map] = {}
        self._moved: set[str] = set()
        self._raised: set[str] = set()
        self._weight = 0
        self._run: list[Any] | None = None
        self._counted = Progress()

    def __len__(self) -> int:
        return sum(map(len, self._rows.values())) + len(self.steps) + len(self._moved)

    def take(self) -> dict[str, Sequence[Row]]:
        """The rows to write, by table. They stay here until `written`."""
        for path in self._moved:
            if path in self._live:
                self._put_block(path, self._live[path])
        self._moved.clear()
        self._put_progress()
        return {table: list(rows.values()) for table, rows in self._rows.items() if rows}

    def written(self) -> None:
        """All that was taken is in the database."""
        self._rows.clear()
        self.steps.clear()
        self._weight = 0

    def describe(self) -> str:
        """What is not in the database, for people: `3 node states, 1 attempt`."""
        counts = {table: len(rows) for table, rows in self._rows.items()}
        for table, count in self.dropped.items():
            counts[table] = counts.get(table, 0) + count
        parts: list[str] = []
        for table, count in counts.items():
            if table == "run":
                parts.insert(0, "the run's own state")
            elif count:
                parts.append(
                    f"{count} {_NAMES.get(table, table.replace('_', ' '))}{'s' if count > 1 else ''}"
                )
        return ", ".join(parts)

    # ------------------------------------------------------------ the run

    def run_started(self, info: RunInfo, where: Mapping[str, Any]) -> None:
        """The run's first row, with its document and configuration once each."""
        document = info.document() if callable(info.document) else info.document
        at = info.started_at
        self._run = [
            *(self.run_id, clean(info.name), info.backend, clean(info.target), "Running", ""),
            *(self._content("document", document, at), self._content("configuration", info.config, at)),
            *(encode_json(dict(info.code)), encode_json(dict(info.inputs)), None, *_NO_ERROR, None, 0),
            *(info.resumed_from, where["host"], where["pid"], where["process"], clean(where["login"])),
            *(at, None, at, 0),
            *(None, None, None),  # only runs on a cluster have a namespace, a project and labels
            *self._counted.counts(),
        ]
        self._put_run()

    def run_finished(
        self,
        phase: str,
        at: float,
        error: Failure | None = None,
        outputs: str | None = None,
        exit_code: int | None = None,
        message: str = "",
    ) -> None:
        """The run is over: nothing of it stays `Running`."""
        column = _COLUMN["run"]
        if self._run is not None:
            self._run[column["phase"]] = str(phase)
            self._run[column["message"]] = clean(message)
            self._run[column["outputs"]] = outputs
            self._run[column["error_node"] : column["error_class"] + 1] = _error(error)
            self._run[column["exit_code"]] = exit_code
            self._run[column["failed_items"]] = self.failed_items
            self._run[column["finished_at"]] = self._run[column["heartbeat_at"]] = at
            self._count()
            self._put_run()
        for table in ("block", "attempt"):
            sql = (
                f"UPDATE {table} SET phase = 'Cancelled', finished_at = coalesce(finished_at, :at) "
                "WHERE run_id = :run_id AND phase IN ('Running', 'Suspended')"
            )
            self.steps.append((sql, {"at": at, "run_id": self.run_id}))

    def heartbeat(self, at: float) -> None:
        """The run's process still lives."""
        self.steps.append(
            ("UPDATE run SET heartbeat_at = :at WHERE run_id = :run_id", {"at": at, "run_id": self.run_id})
        )

    def planned(self, paths: Sequence[str]) -> None:
        """These nodes are to come."""
        self._counted.planned(paths)

    def _count(self) -> bool:
        """Write down how far the run is; whether that is news."""
        assert self._run is not None
        at = _COLUMN["run"]["progress_done"]
        before = tuple(self._run[at : at + 2])
        self._run[at : at + 2] = self._counted.counts()
        return tuple(self._run[at : at + 2]) != before

    def _put_progress(self) -> None:
        if self._run is not None and self._run[_COLUMN["run"]["finished_at"]] is None and self._count():
            self._put_run()

    def _put_run(self) -> None:
        assert self._run is not None
        self._run[_COLUMN["run"]["version"]] = self._next()
        self._put("run", (self.run_id,), tuple(self._run))

    def _content(self, table: str, content: Mapping[str, Any] | None, at: float) -> str | None:
        if content is None:
            return None
        text, digest = digested(content)
        self._put(table, (digest,), (digest, text, at))
        return digest

    # ------------------------------------------------------------ nodes

    def node(
        self,
        path: str,
        phase: str,
        attempt: int,
        at: float,
        kind: str = "task",
        ref: str = "",
        inputs: str | None = None,
        outputs: str | None = None,
        error: Failure | None = None,
        message: str = "",
        answer: bool | None = None,
        started_at: float | None = None,
    ) -> None:
        """A node has a new state."""
        ended = phase in _ENDED
        self._counted.node(path, ended=ended and phase != "Cancelled")  # nothing came of it: no progress
        if started_at is None and (not ended or phase in ("Skipped", "Cached")) and phase != "Pending":
            started_at = at
        if error is not None:
            self._origin(path, attempt, error, at)
        row: list[Any] = [self.run_id, path, kind, ref, str(phase), attempt, clean(message), started_at]
        row += [at if ended else None, inputs, outputs, answer, None, None, None, None, *_error(error), 0]
        self._put_block(path, row)
        if ended:
            self._live.pop(path, None)
            ended_map = self._maps.pop(path, None)
            if ended_map is not None:
                self.failed_items += len(ended_map.failed)
        else:
            self._live[path] = row

    def _put_block(self, path: str, row: list[Any]) -> None:
        progress = self._maps.get(path)
        if progress is not None:
            counts = (progress.total, len(progress.done), len(progress.failed), progress.cached)
            row[_BLOCK["total"] : _BLOCK["cached"] + 1] = counts
        row[-1] = self._next()
        self._put("block", (path,), tuple(row))

    def _origin(self, path: str, attempt: int, error: Failure, at: float) -> None:
        """Keep an exception once, where it began, not again at every block around it."""
        origin = error.node or path
        if origin != path and origin in self._raised:
            return
        self.exception(origin, None, attempt, error, at)

    def exception(self, path: str, index: int | None, attempt: int, failure: Failure, at: float) -> None:
        """Something was raised."""
        if index is None:
            self._raised.add(path)
        traceback = clean(failure.traceback, TRACEBACK_LIMIT)
        self._weight += len(traceback) + 500
        place = -1 if index is None else index
        what = (failure.type, clean(failure.message), str(failure.error_class), traceback)
        row = (self.run_id, path, place, attempt, *what, at, self._next())
        self._put("runtime_exception", (path, place, attempt), row)
        self._shed()

    def attempt(
        self, path: str, attempt: int, at: float, phase: str = "Running", failure: Failure | None = None
    ) -> None:
        """An attempt has started or ended."""
        ended = phase in _ENDED
        if failure is not None:
            self._origin(path, attempt, failure, at)
        error = _error(failure)[1:]
        times = (None, at) if ended else (at, None)
        row = (self.run_id, path, attempt, str(phase), *times, *error, self._next())
        self._put("attempt", (path, attempt), row)

    def edges(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Nodes depend on nodes."""
        for pair in pairs:
            self._put("edge", pair, (self.run_id, *pair))

    # ------------------------------------------------------------ maps

    def sized(self, path: str, total: int, at: float) -> None:
        """The number of a map's items is known."""
        self._progress(path, at).total = total
        self._count_items(path)

    def items_done(
        self, path: str, ranges: Sequence[Range], outputs: str | None, at: float, cached: int = 0
    ) -> None:
        """Items of a map succeeded together."""
        progress = self._progress(path, at)
        progress.cached += cached
        for start, stop in ranges:
            progress.done.add(start, stop)
        if progress.failed:
            self._recovered(path, progress, ranges, at)
        self._count_items(path)
        text = ",".join(f"{a}-{b - 1}" if b - a > 1 else str(a) for a, b in ranges)
        first = ranges[0][0]
        self._weight += len(outputs or "") + len(text) + 200
        self._put("map_slice", (path, first), (self.run_id, path, first, text, outputs, at, self._next()))
        self._shed()

    def item_failed(self, path: str, index: int, attempt: int, failure: Failure, at: float) -> None:
        """One attempt of one item of a map failed."""
        self._progress(path, at).failed.add(index)
        self._count_items(path)
        self._weight += 500
        self._put_item(path, index, "Failed", attempt, at, failure)
        self.exception(path, index, attempt, failure, at)

    def _count_items(self, path: str) -> None:
        known = self._maps[path]
        if known.total is not None:
            self._counted.items(path, done=len(known.done) + len(known.failed), total=known.total)

    def _recovered(self, path: str, progress: _Map, ranges: Sequence[Range], at: float) -> None:
        failed = progress.failed
        for start, stop in ranges:
            few = range(start, stop) if stop - start < len(failed) else tuple(failed)
            for index in [i for i in few if start <= i < stop and i in failed]:
                failed.discard(index)
                sql = (
                    "UPDATE map_item SET phase = 'Succeeded', attempt = attempt + 1, finished_at = :at, "
                    "error_type = NULL, error_message = NULL, error_class = NULL "
                    "WHERE run_id = :run_id AND path = :path AND item_index = :index"
                )
                self.steps.append((sql, {"at": at, "run_id": self.run_id, "path": path, "index": index}))

    def _put_item(
        self, path: str, index: int, phase: str, attempt: int, at: float, failure: Failure | None
    ) -> None:
        row = (self.run_id, path, index, phase, attempt, *_error(failure)[1:], at, self._next())
        self._put("map_item", (path, index), row)

    def _progress(self, path: str, at: float) -> _Map:
        progress = self._maps.get(path)
        if progress is None:
            progress = self._maps[path] = _Map()
        if path in self._live:
            self._moved.add(path)
        return progress

    # ------------------------------------------------------------ artifacts and cache

    def artifact(self, digest: str, size: int, format: str, at: float) -> None:
        """A value was put into the artifact store."""
        self._put("artifact", (digest,), (digest, size, format, self.run_id, at))

    def cache_entry(self, key: str, node: str, size: int | None, at: float) -> None:
        """Outputs were put into the cache."""
        self._put("cache_entry", (key,), (key, node, size, self.run_id, at, self._next()))

    # ------------------------------------------------------------ rows

    def _next(self) -> int:
        self._version += 1
        return self._version

    def _put(self, table: str, key: Key, row: Row) -> None:
        rows = self._rows.setdefault(table, {})
        earlier = rows.get(key)
        if earlier is not None:
            upsert = UPSERTS[table]
            merged = list(row)
            for i in upsert.kept:
                if merged[i] is None:
                    merged[i] = earlier[i]
            for i in upsert.first:
                if earlier[i] is not None:
                    merged[i] = earlier[i]
            row = tuple(merged)
        rows[key] = row

    def _shed(self) -> None:
        if self._weight <= WEIGHT_LIMIT:
            return
        for table in _EXPENDABLE:
            count = len(self._rows.pop(table, ()))
            if count:
                self.dropped[table] = self.dropped.get(table, 0) + count
        self._weight = 0


def clean(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Text that every database takes: valid UTF-8 without NUL, its middle cut out when it is too long.

    >>> clean("a" * 20, 10)
    'aaaaa ... aaaaa'
    """
    if len(text) > limit:
        text = f"{text[: limit // 2]} ... {text[-limit // 2 :]}"
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.replace("\x00", "\\x00") if "\x00" in text else text


def _error(failure: Failure | None) -> tuple[str | None, str | None, str | None, str | None]:
    if failure is None:
        return _NO_ERROR
    return failure.node, failure.type, clean(failure.message), str(failure.error_class)
