"""Writing to PostgreSQL: COPY into a temporary table, then one INSERT … ON CONFLICT for each table.

That is the quickest way that there is short of a plain COPY (`benchmarks/kubernetes/mirror.py`).
"""

from __future__ import annotations

import io
import logging
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg2
import psycopg2.extensions
from headwater.errors import RecordsError
from headwater.records import schema
from headwater.records.connection import Row
from headwater.records.statements import UPSERTS, WHOLE
from psycopg2.extras import execute_batch

from headwater_operator.mirror.troubles import BadRowsError, trouble
from headwater_operator.mirror.writer import SETTLE, SETTLED_TABLES

logger = logging.getLogger("headwater.operator.mirror")

_COLUMNS = {table: ", ".join(upsert.columns) for table, upsert in UPSERTS.items()}
# LIKE takes the types, so that nothing here knows them; the rows live for one transaction.
_STAGE = "CREATE TEMPORARY TABLE IF NOT EXISTS new_{table} (LIKE {table}) ON COMMIT DELETE ROWS"
_COPY = "COPY new_{table} ({columns}) FROM STDIN"
_MERGE = "INSERT INTO {table} ({columns}) SELECT {columns} FROM new_{table}{after}"
_ENDED = "SELECT run_id FROM run WHERE run_id = ANY(%s) AND finished_at IS NOT NULL"


class PostgresWriter:
    """Writes batches over one connection, which it makes again whenever it breaks."""

    def __init__(self, url: str, patience: float) -> None:
        self._url = url
        self._dsn = f"postgresql://{url.partition('://')[2]}"
        self._patience = patience
        self._lock = threading.Lock()
        self._connection: Any = None

    def check(self) -> None:
        """Connect and see to the tables; on an open connection, ask whether it still answers."""
        try:
            if self._connection is None:
                self._open()
            else:
                with self._connection, self._connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
        except psycopg2.Error as error:
            self.close()
            raise trouble(error, self._url) from error

    def write(self, rows: Mapping[str, Sequence[Row]], run_ids: Sequence[str]) -> int:
        """Write in one transaction; only if the database refuses a row as such, the others without it."""
        try:
            if self._connection is None:
                self._open()
            return self._write_or_halve([(t, row) for t, some in rows.items() for row in some], run_ids)
        except psycopg2.Error as error:
            self.close()
            raise trouble(error, self._url) from error

    def abort(self) -> None:
        """Cut the connection under a write that hangs: a server that is stopped never answers by itself."""
        with self._lock:
            if self._connection is None or self._connection.closed:
                return
            with suppress(OSError, psycopg2.Error):
                copy = socket.socket(fileno=os.dup(self._connection.fileno()))
                with copy:
                    copy.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg2.Error):
                connection.close()

    # ------------------------------------------------------------ the connection and its tables

    def _open(self) -> None:
        if not self._connected():
            # Nothing to cut meanwhile: a migration may well wait for another operator's.
            self.close()
            schema.upgrade(self._url)
            self._connected()

    def _connected(self) -> bool:
        """Connect; whether the tables are as this code knows them.

        Raises:
            RecordsError: they are newer.
        """
        given = psycopg2.extensions.parse_dsn(self._dsn)
        wait = max(2, round(self._patience / 2))
        defaults = {
            "application_name": "headwater-operator", "connect_timeout": wait, "client_encoding": "UTF8",
            "keepalives_idle": wait, "keepalives_interval": wait, "keepalives_count": 2,
            "tcp_user_timeout": round(self._patience * 1000),
        }  # fmt: skip
        connection = psycopg2.connect(**{**defaults, **given})
        with self._lock:
            self._connection = connection
        try:
            found = self._revisions()
            schema.refuse_newer(found, self._url)
        except BaseException:
            self.close()
            raise
        return found == {schema.REVISION}

    def _revisions(self) -> set[str]:
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
            if not cursor.fetchone()[0]:
                return set()
            cursor.execute("SELECT version_num FROM alembic_version")
            return {name for (name,) in cursor.fetchall() if name.startswith(schema.PREFIX)}

    # ------------------------------------------------------------ rows

    def _write_or_halve(self, rows: Sequence[tuple[str, Row]], run_ids: Sequence[str]) -> int:
        try:
            self._transaction(rows, run_ids)
            return 0
        except psycopg2.Error as error:
            found = trouble(error, self._url)
            if not isinstance(found, BadRowsError):
                raise
            if len(rows) > 1:
                middle = len(rows) // 2
                return self._write_or_halve(rows[:middle], run_ids) + self._write_or_halve(
                    rows[middle:], run_ids
                )
            return self._write_plain(rows[0], run_ids, found)

    def _write_plain(self, place: tuple[str, Row], run_ids: Sequence[str], why: RecordsError) -> int:
        """Write a row that was refused in plain ASCII, which databases of every encoding take; else leave it out."""
        table, row = place
        plain = tuple(
            value.encode("ascii", "backslashreplace").decode() if type(value) is str else value
            for value in row
        )
        try:
            if plain != row:
                self._transaction([(table, plain)], run_ids)
                return 0
        except psycopg2.Error as error:
            if not isinstance(trouble(error, self._url), BadRowsError):
                raise
        logger.error("a row of %s, of run %s, cannot be recorded and is left out: %s", table, row[0], why)
        return 1

    def _transaction(self, rows: Sequence[tuple[str, Row]], run_ids: Sequence[str]) -> None:
        by_table: dict[str, list[Row]] = {}
        for table, row in rows:
            by_table.setdefault(table, []).append(row)
        milliseconds = round(self._patience * 1000)
        begin = [
            f"SET LOCAL statement_timeout = {milliseconds}",
            f"SET LOCAL lock_timeout = {milliseconds // 2}",
            *(_STAGE.format(table=table) for table in by_table),
        ]
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute("; ".join(begin))
            for table, some in by_table.items():
                columns = _COLUMNS[table]
                cursor.copy_expert(_COPY.format(table=table, columns=columns), io.StringIO(copy_text(some)))
                cursor.execute(_MERGE.format(table=table, columns=columns, after=WHOLE[table]))
            cursor.execute(_ENDED, (list(run_ids),))
            ended = cursor.fetchall()
            for table in SETTLED_TABLES if ended else ():
                sql = SETTLE.format(table=table, run="%(run)s")
                execute_batch(cursor, sql, [{"run": run_id} for (run_id,) in ended])


def copy_text(rows: Sequence[Row]) -> str:
    r"""Rows in the text form of COPY.

    >>> copy_text([("a\tb", 1, None, True)])
    'a\\tb\t1\t\\N\tTrue\n'
    """
    lines = [
        "\t".join(
            [
                "\\N"
                if value is None
                else value.replace("\\", "\\\\")
                .replace("\t", "\\t")
                .replace("\n", "\\n")
                .replace("\r", "\\r")
                if type(value) is str
                else str(value)
                for value in row
            ]
        )
        for row in rows
    ]
    lines.append("")
    return "\n".join(lines)
