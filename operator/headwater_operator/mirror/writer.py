"""Where batches go: what a writer of any database does, and the one for SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from headwater.errors import RecordsError
from headwater.records.connection import Connection, Row, Step, connect, sqlite_path
from headwater.records.schema import ensure_schema

# A run is over, and what an older version left unfinished will not be heard of again: how it ended is lost. It
# depends on nothing but the rows, so that writing them in another order comes to the same.
SETTLED_TABLES = ("block", "attempt")
SETTLE = (
    "UPDATE {table} SET phase = 'Lost' WHERE run_id = {run} AND phase IN ('Pending', 'Running', 'Suspended') "
    "AND version < (SELECT version FROM run WHERE run_id = {run} AND finished_at IS NOT NULL)"
)


class Writer(Protocol):
    """Writes in a thread; only `abort` is called from another one."""

    def check(self) -> None:
        """Make sure that the database answers and has our tables.

        Raises:
            RecordsError: it does not; the message is for people.
        """

    def write(self, rows: Mapping[str, Sequence[Row]], run_ids: Sequence[str]) -> int:
        """Write rows of whole things, newer versions over older ones; how many had to be left out.

        Raises:
            RecordsError: nothing is certain to be written, and trying again may help.
        """

    def abort(self) -> None:
        """Make a write that hangs fail now."""

    def close(self) -> None:
        """Let go of the database."""


def open_writer(url: str, *, patience: float = 10.0) -> Writer:
    """A writer for this database; it connects when it first writes.

    `patience`: how many seconds a statement may take, and how long it waits for somebody's lock (half of that).
    """
    if sqlite_path(url) is not None:
        return SqliteWriter(url, patience)
    from headwater_operator.mirror.postgres import PostgresWriter

    return PostgresWriter(url, patience)


class SqliteWriter:
    """Writes to a SQLite file: for small installations and tests."""

    def __init__(self, url: str, patience: float) -> None:
        self._url = url
        self._patience = patience
        self._connection: Connection | None = None

    def check(self) -> None:
        """Open the file; create or upgrade it as needed."""
        if self._connection is not None:
            return
        connection = connect(self._url, create=True, patience=self._patience / 2)
        try:
            ensure_schema(connection, self._url)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def write(self, rows: Mapping[str, Sequence[Row]], run_ids: Sequence[str]) -> int:
        """Write in one transaction."""
        self.check()
        assert self._connection is not None
        steps: list[Step] = [
            (SETTLE.format(table=table, run=":run"), {"run": run_id})
            for run_id in run_ids
            for table in SETTLED_TABLES
        ]
        try:
            self._connection.write(rows, steps, whole=True)
        except RecordsError:
            self.close()
            raise
        return 0

    def abort(self) -> None:
        """A file answers or it does not: there is nothing to cut."""

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
