"""The way to a database that is only read: opened for one question, or kept open for many."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headwater.records.connection import Connection, connect, sqlite_path
from headwater.records.schema import ensure_schema, has_table, refuse_newer, revisions


class Pool:
    """Connections that stay open between questions, for a process that asks often.

    As many are opened as are used at once; `kept` of them stay open. A connection that failed is let go.
    SQLite files are opened anew each time: that costs next to nothing, and the file may be replaced.
    Without `upgrades` the file of an older Headwater is refused, not brought up to date.

    >>> pool = Pool("sqlite:////nowhere/headwater.db")
    >>> with reading(pool) as connection:
    ...     connection is None
    True
    """

    def __init__(self, url: str, *, kept: int = 8, upgrades: bool = True) -> None:
        self.url = url
        self._upgrades = upgrades
        self._kept = kept if sqlite_path(url) is None else 0
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    @contextmanager
    def borrowed(self) -> Iterator[Connection | None]:
        """A connection for the time of the `with`, or None where the database holds nothing yet."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or _opened(self.url, self._upgrades)
        if connection is None:
            yield None
            return
        keeps = False
        try:
            yield connection
            keeps = True
        finally:
            with self._lock:
                keeps = keeps and len(self._idle) < self._kept
                if keeps:
                    self._idle.append(connection)
            if not keeps:
                connection.close()

    def close(self) -> None:
        """Close what is open and not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


Database = str | Pool
"""What a question is asked of: the URL of a database, or a pool of connections to it."""


@contextmanager
def reading(database: Database) -> Iterator[Connection | None]:
    """A connection to a database at the right schema, or None where there is nothing in it yet.

    Raises:
        RecordsError: it is damaged, newer than this code, or out of reach.
    """
    if isinstance(database, Pool):
        with database.borrowed() as connection:
            yield connection
        return
    opened = _opened(database)
    try:
        yield opened
    finally:
        if opened is not None:
            opened.close()


def _opened(url: str, upgrades: bool = True) -> Connection | None:
    path = sqlite_path(url)
    if path is not None and path != ":memory:" and not Path(path).exists():
        return None
    connection = connect(url)
    try:
        found = revisions(connection)
        refuse_newer(found, url)
        if not found and not has_table(connection, "run"):
            connection.close()
            return None
        ensure_schema(connection, url, upgrades=upgrades)
    except BaseException:
        connection.close()
        raise
    return connection
