"""The run database as the routes ask it: one pool of connections, and runs whose process is gone marked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from threading import Event, Lock
from typing import Any, TypeVar

from headwater.records.connection import Connection, shown
from headwater.records.lost import lost_in, mark_lost_in
from headwater.records.model import Node, Run
from headwater.records.pages import find_run
from headwater.records.queries import node, paths
from headwater.records.reading import Pool, reading
from headwater.records.trends import filter_names

from headwater_dashboard.problems import RequestError

T = TypeVar("T")

LOST_EVERY = 5.0
"""Seconds between looks for processes that are gone."""

MOST_KEPT = 1_000
KEPT_SECONDS = 10.0
"""For how long numbers about all runs are shown again."""


class Store:
    """What the API reads. One that is `read_only` writes nothing: runs whose process is gone are shown as `Lost`.

    >>> store = Store("sqlite:////nowhere/headwater.db")
    >>> with store.reading() as connection:
    ...     connection is None
    True
    """

    def __init__(
        self, url: str, clock: Callable[[], float] = time.monotonic, *, read_only: bool = False
    ) -> None:
        self.url = url
        self.pool = Pool(url, upgrades=not read_only)
        self.visible: tuple[str, ...] | None = None
        self._clock = clock
        self._kept: dict[object, tuple[float, Any]] = {}
        self._lock = Lock()
        self._read_only = read_only
        self._there = Event()
        self._lost: set[str] = set()

    @contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """A connection, or None while nothing is recorded yet.

        Raises:
            RequestError: the database was there, and is gone.
        """
        with reading(self.pool) as connection:
            if connection is not None:
                self._there.set()
                if self._is_time():
                    self._look_for_lost(connection)
            elif self._there.is_set():
                raise RequestError(
                    503, f"the run database {shown(self.url)} is gone", fix="Put it back, or run something."
                )
            yield connection

    def _look_for_lost(self, connection: Connection) -> None:
        looks = self._read_only
        found = [each["run"] for each in lost_in(connection)] if looks else mark_lost_in(connection)
        with self._lock:
            self._lost.clear()
            self._lost.update(found)

    def truly(self, run: Run) -> Run:
        """A run as it is: the row of one whose process is gone may say otherwise, where it cannot be written."""
        with self._lock:
            is_lost = not run.ended and run.run_id in self._lost
        return replace(run, phase="Lost") if is_lost else run

    def _is_time(self) -> bool:
        with self._lock:
            looked, _ = self._kept.get("lost", (float("-inf"), None))
            if self._clock() - looked < LOST_EVERY:
                return False
            self._kept["lost"] = (self._clock(), None)
            return True

    def within(self, namespaces: tuple[str, ...]) -> Store:
        """The same with nothing but the runs of these namespaces in it."""
        narrowed = copy(self)
        narrowed.visible = namespaces
        return narrowed

    def namespaces(self) -> list[str]:
        """The namespaces that have runs."""

        def find() -> list[str]:
            with self.reading() as connection:
                return [] if connection is None else filter_names(connection)["namespaces"]

        return self.kept("namespaces", find)

    def has(self, run: Run) -> bool:
        """Whether a run is in here."""
        return self.visible is None or run.namespace in self.visible

    def run(self, run_id: str) -> Run:
        """The run with this id.

        Raises:
            RequestError: there is none.
        """
        with self.reading() as connection:
            found = None if connection is None else find_run(connection, run_id)
        if found is None or not self.has(found):
            raise RequestError(404, f"there is no run {run_id!r}", fix="`flowctl list` shows the runs.")
        return self.truly(found)

    def node(self, run_id: str, path: str) -> Node:
        """A node of a run.

        Raises:
            RequestError: the run or the node is not there.
        """
        self.run(run_id)
        found = node(self.pool, run_id, path)
        if found is None:
            listed = ", ".join(paths(self.pool, run_id)[:20]) or "none"
            raise RequestError(404, f"there is no node {path!r} in {run_id}", fix=f"Nodes: {listed}.")
        return found

    def kept(self, key: object, compute: Callable[[], T]) -> T:
        """What was computed a moment ago, or is now."""
        key = (self.visible, key)
        with self._lock:
            at, value = self._kept.get(key, (float("-inf"), None))
        if self._clock() - at < KEPT_SECONDS:
            kept: T = value
            return kept
        computed = compute()
        with self._lock:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (self._clock(), computed)
        return computed

    def close(self) -> None:
        """Let go of the database."""
        self.pool.close()
