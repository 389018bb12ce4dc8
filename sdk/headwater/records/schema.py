"""The schema of a run database: make it, bring it up to date, refuse one that is newer than this code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.errors import RecordsError
from headwater.records.connection import Connection, Step, connect, shown, sqlite_path, with_driver
from headwater.records.statements import SCHEMA

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "headwater_0005"
"""The revision of the alembic history that `tables.py` describes."""

LOCK_SECONDS = 60
"""How long a migration of PostgreSQL waits for somebody else's lock."""

PREFIX = "headwater_"
_LOCK = 0x4845_4144_5741_5445
"""The advisory lock under which PostgreSQL is migrated, so that several operators may start at once."""

_VERSION_TABLE = (
    "CREATE TABLE IF NOT EXISTS alembic_version "
    "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
_STAMP = "INSERT INTO alembic_version (version_num) VALUES (:revision) ON CONFLICT (version_num) DO NOTHING"


def ensure_schema(connection: Connection, url: str, *, upgrades: bool = True) -> None:
    """Make the tables usable: a SQLite file is created or upgraded as needed, another database only checked.

    Without `upgrades` a SQLite file is only checked too.

    Raises:
        RecordsError: the database is newer than this code, or lacks migrations that a person must apply.
    """
    found = revisions(connection)
    if found == {REVISION}:
        return
    refuse_newer(found, url)
    if sqlite_path(url) is None or not upgrades:
        raise RecordsError(
            f"the run database {shown(url)} lacks the migration {REVISION!r}", fix="Run `flowctl db upgrade`."
        )
    if found:
        upgrade(url)
    else:
        connection.write({}, _creation())


def revisions(connection: Connection) -> set[str]:
    """The revisions of our own history that the database stands at; of other histories nothing is said."""
    if not has_table(connection, "alembic_version"):
        return set()
    rows = connection.rows("SELECT version_num FROM alembic_version")
    return {revision for (revision,) in rows if revision.startswith(PREFIX)}


def refuse_newer(found: set[str], url: str) -> None:
    """Raise `RecordsError` when a revision is one that this code has never heard of."""
    newer = max(found, default="")
    if newer > REVISION:
        raise RecordsError(
            f"the run database {shown(url)} was written by a newer Headwater "
            f"(it is at {newer}, this one knows {REVISION})",
            fix="Upgrade Headwater here, or set HEADWATER_HOME to another folder.",
        )


def has_table(connection: Connection, name: str) -> bool:
    """Whether the database has a table of this name."""
    if connection.dialect == "sqlite":
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name"
    else:
        sql = (
            "SELECT 1 FROM information_schema.tables "
            "WHERE table_schema = current_schema() AND table_name = :name"
        )
    return bool(connection.rows(sql, {"name": name}))


def _creation() -> Sequence[Step]:
    # IF NOT EXISTS: two processes may both have seen an empty file; the second finds everything there.
    statements = list(SCHEMA)
    for kind in ("TABLE", "INDEX", "TRIGGER"):
        statements = [
            text.replace(f"CREATE {kind} ", f"CREATE {kind} IF NOT EXISTS ", 1) for text in statements
        ]
    return [(text, {}) for text in (*statements, _VERSION_TABLE)] + [(_STAMP, {"revision": REVISION})]


# ---------------------------------------------------------------- alembic, imported when it has work


def migrations_dir() -> Path:
    """The alembic history: inside an installed package, or at the top of a checkout."""
    here = Path(__file__).parent
    for folder in (here / "migrations", here.parents[2] / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise RecordsError("the migrations are missing from this installation", fix="Install Headwater again.")


def alembic_config(url: str, directory: Path | None = None) -> Config:
    """What alembic needs to work on this database."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(directory or migrations_dir()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", with_driver(url).replace("%", "%%"))
    return config


def upgrade(url: str, revision: str = "heads", *, directory: Path | None = None) -> None:
    """Bring a database to a revision of the history; create it where there is none."""
    _migrate(url, "upgrade", revision, directory)


def downgrade(url: str, revision: str, *, directory: Path | None = None) -> None:
    """Bring a database back to an earlier revision (`base`: no tables left)."""
    _migrate(url, "downgrade", revision, directory)


def _migrate(url: str, direction: str, revision: str, directory: Path | None) -> None:
    import sqlalchemy
    from alembic import command

    path = sqlite_path(url)
    if path is not None:
        connect(url, create=True).close()  # with its folder, and in WAL mode
    engine = sqlalchemy.create_engine(with_driver(url), poolclass=sqlalchemy.pool.NullPool)
    if path is not None:
        _serialise(engine)
    config = alembic_config(url, directory)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_SECONDS * 1000}")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            config.attributes["connection"] = connection
            getattr(command, direction)(config, revision)
    except sqlalchemy.exc.DBAPIError as error:
        raise RecordsError(
            f"the run database {shown(url)} could not be migrated ({error.orig})",
            fix="Nothing was changed. Correct the cause and run `flowctl db upgrade`.",
        ) from error


def _serialise(engine: Any) -> None:
    """Make SQLite take its write lock first, DDL included: whoever comes second finds the work done."""
    import sqlalchemy

    @sqlalchemy.event.listens_for(engine, "connect")
    def _manual(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None
        dbapi_connection.execute("PRAGMA busy_timeout=10000")

    @sqlalchemy.event.listens_for(engine, "begin")
    def _immediate(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
