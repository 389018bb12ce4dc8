"""`context.session`: one SQLAlchemy session a task, closed when it ends; few connections a process."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, orm

from headwater.configuration import context, database_url, settings
from headwater.errors import UsageError
from headwater.records.connection import sqlite_path
from headwater.runtime import scope

LOCK_SECONDS = 30
_engines: dict[tuple[str | None, str, str], Engine] = {}
_here = threading.local()


def engine_of(label: str | None = None, *, role: Any = "user") -> Engine:
    """The engine of a database of the config; the same one for the same place.

    Each process holds at most two connections to a database: many tasks at once cannot use up a server.
    """
    if label == settings.MAIN_DATABASE:
        label = None
    url = database_url(label, role=role)
    key = (label, role, url)
    if key not in _engines:
        path = sqlite_path(url)
        options: dict[str, Any] = {"pool_size": 1, "max_overflow": 1, "pool_pre_ping": True}
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            options = {"connect_args": {"timeout": LOCK_SECONDS}}
        _engines[key] = sqlalchemy.create_engine(url, **options)
    return _engines[key]


class _Session(orm.Session):
    """Finds the database of a table by its model's `__bind_key__`."""

    def get_bind(self, mapper: Any = None, **options: Any) -> Any:
        model = getattr(mapper, "class_", mapper)
        return engine_of(getattr(model, "__bind_key__", None))


def current_session() -> orm.Session:
    """The session of the task that runs here.

    Raises:
        UsageError: the command that runs is `db_untracked`.
    """
    if context.db_untracked:
        raise UsageError(
            "this command is db_untracked: it has no database session",
            fix="Remove db_untracked=True from it.",
        )
    session: orm.Session | None = getattr(_here, "session", None)
    if session is None:
        scope.at_end(close_session)
        session = _here.session = _Session()
    return session


def close_session() -> None:
    """End the task's session; what was not committed is rolled back."""
    session: orm.Session | None = getattr(_here, "session", None)
    if session is not None:
        _here.session = None
        session.close()


def dispose() -> None:
    """Close every connection of this process."""
    close_session()
    for engine in _engines.values():
        engine.dispose()
    _engines.clear()
