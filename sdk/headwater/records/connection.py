"""A connection to a run database: the standard library's for SQLite files, SQLAlchemy's for everything else.

Both take the same SQL. SQLite is spoken to directly because a run must not pay for importing SQLAlchemy
(0.1 to 0.4 s of a process's life) to write its few rows.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from headwater.errors import RecordsError
from headwater.records.statements import UPSERTS, WHOLE

Row = tuple[Any, ...]
Rows = Mapping[str, Sequence[Row]]
Step = tuple[str, Mapping[str, Any]]

# Many rows go in one statement: sqlite3 gives up the GIL once a statement, and may wait 5 ms to get it back.
_ROWS_AT_ONCE = (128, 16, 1)

_TRANSIENT = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNREADABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


class DatabaseBusyError(RecordsError):
    """The database is locked or out of reach for the moment: trying again later may help."""

    code = "HW016"


class Connection(Protocol):
    """What the records need of a database. SQL has `:name` parameters."""

    dialect: str

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """What a SELECT answers."""

    def write(self, rows: Rows, steps: Sequence[Step] = (), *, whole: bool = False) -> None:
        """Upsert rows, by table, then execute the steps: all in one transaction, or nothing.

        Of what a `whole` row replaces nothing stays; else what a row leaves open stays as it was.
        """

    def now(self) -> float:
        """The database's time, seconds since the epoch: one clock for all machines that ask one server."""

    def patience(self, seconds: float) -> None:
        """How long to wait for somebody else's lock."""

    def close(self) -> None:
        """Let go of the database."""


def connect(url: str, *, create: bool = False, patience: float = 2.0) -> Connection:
    """Open a database. SQLite files and their folders are created with `create`.

    Raises:
        RecordsError: it cannot be opened; the message names it and the fix.

    >>> connect("sqlite://").rows("SELECT :x + 1", {"x": 1})
    [(2,)]
    """
    path = sqlite_path(url)
    if path is not None:
        return SqliteConnection(path, create=create, patience=patience)
    from headwater.records.alchemy import AlchemyConnection

    return AlchemyConnection(url, patience=patience)


def sqlite_path(url: str) -> str | None:
    """The file of a SQLite URL (`:memory:` for none), or None for another dialect.

    >>> sqlite_path("sqlite:////data/runs.db"), sqlite_path("postgresql://db/runs")
    ('/data/runs.db', None)
    """
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] != "sqlite":
        return None
    return rest.partition("?")[0].removeprefix("/") or ":memory:"


def with_driver(url: str) -> str:
    """A URL for SQLAlchemy: where PostgreSQL's names no driver, the one that Headwater brings.

    >>> with_driver("postgres://ada@db/runs"), with_driver("sqlite://")
    ('postgresql+psycopg2://ada@db/runs', 'sqlite://')
    """
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg2{separator}{rest}" if scheme in ("postgresql", "postgres") else url


def shown(url: str) -> str:
    """How a database is named to people: a file's path, or the URL without its password.

    >>> shown("postgresql+psycopg2://ada:byron@db/runs")
    'postgresql+psycopg2://ada:***@db/runs'
    """
    path = sqlite_path(url)
    if path is not None:
        return path
    from headwater.configuration.masking import masked

    return str(masked({"url": url})["url"])


def upsert_sql(table: str, count: int, placeholder: str, *, whole: bool = False) -> str:
    """The statement that upserts `count` rows of a table."""
    upsert = UPSERTS[table]
    group = "(" + ", ".join([placeholder] * len(upsert.columns)) + ")"
    return upsert.before + ", ".join([group] * count) + (WHOLE[table] if whole else upsert.after)


def chunks(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """Cut rows into few statement sizes, so that each statement is prepared once."""
    pieces = []
    at = 0
    for size in _ROWS_AT_ONCE:
        while len(rows) - at >= size:
            pieces.append(rows[at : at + size])
            at += size
    return pieces


class SqliteConnection:
    """A SQLite file through the standard library."""

    dialect = "sqlite"

    def __init__(self, path: str, *, create: bool, patience: float) -> None:
        self.path = path
        try:
            if create and path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._open(create, patience)
        except (sqlite3.Error, OSError) as error:
            raise sqlite_error(error, path) from error

    def _open(self, create: bool, patience: float) -> sqlite3.Connection:
        if self.path == ":memory:":
            return self._set_up(sqlite3.connect(self.path, isolation_level=None, check_same_thread=False))
        uri = Path(self.path).absolute().as_uri()
        if create:
            connection = self._set_up(_sqlite(f"{uri}?mode=rwc", patience))
            _use_wal(connection, patience)
            return connection
        try:
            return self._set_up(_sqlite(f"{uri}?mode=rw", patience))
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNREADABLE:
                raise
        # A folder that cannot be written: no -shm file can be made in it, so read the file as it is.
        return self._set_up(_sqlite(f"{uri}?immutable=1", patience))

    @staticmethod
    def _set_up(connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """What a SELECT answers."""
        try:
            return self._fetched(sql, parameters or {})
        except sqlite3.Error as error:
            raise sqlite_error(error, self.path) from error

    def _fetched(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if "Could not decode to UTF-8" not in str(error):
                raise
        # One damaged text must not take the others with it. Only then: this is slower for each text.
        self._connection.text_factory = lambda text: text.decode("utf-8", "replace")
        return self._connection.execute(sql, parameters).fetchall()

    def write(self, rows: Rows, steps: Sequence[Step] = (), *, whole: bool = False) -> None:
        """Upsert rows, by table, then execute the steps: all in one transaction, or nothing."""
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            try:
                for table, of_table in rows.items():
                    for piece in chunks(of_table):
                        sql = upsert_sql(table, len(piece), "?", whole=whole)
                        execute(sql, [value for row in piece for value in row])
                for step, parameters in steps:
                    execute(step, parameters)
                execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled back already
                    execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise sqlite_error(error, self.path) from error

    def now(self) -> float:
        """This machine's time: a file has no clock."""
        return time.time()

    def patience(self, seconds: float) -> None:
        """How long to wait for somebody else's lock."""
        self._connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _sqlite(uri: str, patience: float) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=64
    )


def _use_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Readers and one writer side by side. Where the file system cannot, SQLite keeps to its journal."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # Changing the mode does not wait for locks by itself.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _TRANSIENT or time.monotonic() > until:
                raise
            time.sleep(0.01)


def sqlite_error(error: Exception, path: str) -> RecordsError:
    """What a failure of SQLite means to the person whose run it is."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in _TRANSIENT:
        return DatabaseBusyError(
            f"the run database {path} is locked", fix="See which process holds it: `fuser` names it."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return RecordsError(
            f"the run database {path} is damaged ({error})",
            fix=f"Move it away (mv {path} {path}.damaged); the next run creates a new one.",
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return RecordsError(
            f"the run database {path} cannot be written ({error})",
            fix="Free some space on its disk, or set HEADWATER_HOME to a folder on another one.",
        )
    if code in _UNREADABLE or isinstance(error, OSError):
        return RecordsError(
            f"the run database {path} cannot be opened for writing ({error})",
            fix="Check its permissions and its folder's, or set HEADWATER_HOME to another folder.",
        )
    return RecordsError(f"the run database {path} failed: {error}", fix="Check the file and its folder.")
