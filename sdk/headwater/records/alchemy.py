"""A connection through SQLAlchemy: used for PostgreSQL, imported only when one is configured."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import exc

from headwater.errors import RecordsError
from headwater.records.connection import (
    DatabaseBusyError,
    Row,
    Rows,
    Step,
    chunks,
    shown,
    upsert_sql,
    with_driver,
)


class AlchemyConnection:
    """A database through SQLAlchemy Core."""

    def __init__(self, url: str, *, patience: float) -> None:
        self.url = url
        self._engine = engine_of(url, patience=patience)
        self.dialect = self._engine.dialect.name
        self._patience = patience
        with self._transaction():
            pass

    @contextmanager
    def _transaction(self) -> Iterator[sqlalchemy.Connection]:
        try:
            with self._engine.begin() as connection:
                if self.dialect == "postgresql":
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(self._patience * 1000)}")
                yield connection
        except exc.DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            if isinstance(error, exc.OperationalError) or error.connection_invalidated:
                raise DatabaseBusyError(
                    f"the run database {shown(self.url)} cannot be reached ({reason})",
                    fix="Check that it runs.",
                ) from error
            raise RecordsError(
                f"the run database {shown(self.url)} failed ({reason})", fix="Run `flowctl db upgrade`."
            ) from error

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """What a SELECT answers."""
        with self._transaction() as connection:
            return [tuple(row) for row in connection.execute(sqlalchemy.text(sql), dict(parameters or {}))]

    def write(self, rows: Rows, steps: Sequence[Step] = (), *, whole: bool = False) -> None:
        """Upsert rows, by table, then execute the steps: all in one transaction, or nothing."""
        placeholder = "?" if self.dialect == "sqlite" else "%s"
        with self._transaction() as connection:
            for table, of_table in rows.items():
                for piece in chunks(of_table):
                    values = tuple(value for row in piece for value in row)
                    sql = upsert_sql(table, len(piece), placeholder, whole=whole)
                    connection.exec_driver_sql(sql, values)
            for text, parameters in steps:
                connection.execute(sqlalchemy.text(text), dict(parameters))

    def now(self) -> float:
        """The time of PostgreSQL's server; with another database this machine's."""
        if self.dialect != "postgresql":
            return time.time()
        return float(self.rows("SELECT extract(epoch FROM clock_timestamp())")[0][0])

    def patience(self, seconds: float) -> None:
        """How long to wait for somebody else's lock."""
        self._patience = seconds

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()


def engine_of(url: str, *, patience: float = 2.0) -> sqlalchemy.Engine:
    """An engine for a URL, before anything is connected.

    Raises:
        RecordsError: the URL is not valid, or its driver is not there.
    """
    try:
        found = with_driver(url)
        options = _options(found, patience)
        return sqlalchemy.create_engine(found, connect_args=options, pool_size=1, max_overflow=0)
    except ModuleNotFoundError as error:
        raise RecordsError(
            f"the database {shown(url)} needs the package {error.name!r}", fix=f"pip install {error.name}."
        ) from error
    except (exc.ArgumentError, exc.NoSuchModuleError, ValueError) as error:  # a port that is no number, too
        raise RecordsError(
            f"the database URL {shown(url)} is not valid: {error}",
            fix="Write it as postgresql://USER:PASSWORD@HOST/NAME, or sqlite:///FILE.",
        ) from error


def _options(url: str, patience: float) -> dict[str, object]:
    """What a connection to PostgreSQL is opened with, where its URL does not say otherwise.

    A server that has gone without a word (its machine died, a firewall forgot the connection) is given up in
    about 20 s, not in the hours that a kernel takes by itself.
    """
    if not url.startswith("postgresql"):
        return {}
    options = {
        **{"connect_timeout": max(1, round(patience)), "tcp_user_timeout": 20_000},
        **{"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2},
    }
    given = sqlalchemy.make_url(url).query
    return {name: value for name, value in options.items() if name not in given}
