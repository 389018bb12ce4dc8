"""Migrations of a project: Headwater's own history and one branch for each plugin, in one database or several."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import exc

from headwater.configuration import database_url, settings
from headwater.errors import RecordsError, UsageError
from headwater.pipeline.database.model import Model, models_of
from headwater.pipeline.database.operations import add_grants, grantee, grants
from headwater.pipeline.plugins import BUILT_IN, PluginError, plugin_folder
from headwater.records.connection import connect, shown, sqlite_path
from headwater.records.schema import alembic_config, migrations_dir
from headwater.records.tables import metadata as own_tables

logger = logging.getLogger("headwater")
OWN = "headwater"
LOCK = 0x4EAD_0A7E5


def plugins() -> list[str]:
    """The project's plugins, Headwater's own left out."""
    return [name for name in settings.PLUGINS if name not in BUILT_IN]


def versions_folder(plugin: str, label: str) -> Path:
    """Where a plugin keeps the migrations of a database."""
    return plugin_folder(plugin) / "models" / "versions" / label


def _label(label: str | None) -> str:
    return label or str(settings.MAIN_DATABASE)


def _is_main(label: str) -> bool:
    return label == str(settings.MAIN_DATABASE)


def _config(label: str) -> Config:
    config = alembic_config(database_url(label, role="admin"))
    folders = [migrations_dir() / "versions"] if _is_main(label) else []
    folders += [folder for plugin in plugins() if (folder := versions_folder(plugin, label)).is_dir()]
    config.set_main_option("version_locations", _joined(folders) or str(migrations_dir() / "none"))
    return config


def _joined(folders: list[Path]) -> str:
    import os

    return os.pathsep.join(str(folder).replace("%", "%%") for folder in folders)


@contextmanager
def _connected(label: str, config: Config) -> Iterator[sqlalchemy.Connection]:
    """A connection in one transaction that only one migration at a time can have."""
    url = database_url(label, role="admin")
    path = sqlite_path(url)
    if path is not None:
        connect(url, create=True).close()
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    if path is not None:
        _take_write_lock_first(engine)
    token = grantee.set(_user_of(label))
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            config.attributes["connection"] = connection
            yield connection
    except (CommandError, AssertionError) as error:
        said = str(error) or "there is no such revision, or nothing to take back"
        raise UsageError(
            f"the migrations of {shown(url)} do not allow that: {said}",
            fix="Nothing was changed. `db history` lists the revisions, `db current` where it stands.",
        ) from error
    except exc.DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise RecordsError(
            f"the database {shown(url)} could not be migrated: {reason}",
            fix="Nothing was changed. `db history` lists the revisions, `db current` where it stands.",
        ) from error
    finally:
        grantee.reset(token)
        engine.dispose()


def _take_write_lock_first(engine: Any) -> None:
    """Have SQLite take its write lock at once, DDL included: whoever comes second waits, and finds it done."""

    @sqlalchemy.event.listens_for(engine, "connect")
    def _manual(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None
        dbapi_connection.execute("PRAGMA busy_timeout=30000")

    @sqlalchemy.event.listens_for(engine, "begin")
    def _immediate(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _user_of(label: str) -> str | None:
    url = sqlalchemy.make_url(database_url(label))
    admin = sqlalchemy.make_url(database_url(label, role="admin"))
    return url.username if url.username != admin.username else None


# ---------------------------------------------------------------------- up and down


def upgrade(revision: str = "heads", label: str | None = None) -> None:
    """Bring a database up to date.

    Raises:
        RecordsError: a migration failed; nothing was changed.
    """
    name = _label(label)
    config = _config(name)
    with _connected(name, config) as connection:
        command.upgrade(config, revision)
        user = grantee.get()
        if connection.dialect.name == "postgresql" and user is not None:
            quote = connection.dialect.identifier_preparer.quote
            existing = set(sqlalchemy.inspect(connection).get_table_names())
            for table in [*own_tables.tables, "alembic_version"]:
                if table in existing:
                    for statement in grants(quote(table), quote(user))[
                        : 1 if table == "alembic_version" else 2
                    ]:
                        connection.exec_driver_sql(statement)


def downgrade(revision: str, label: str | None = None) -> None:
    """Bring a database back: `PLUGIN@base`, `base`, `-1`, or a revision.

    Raises:
        UsageError: `-1` could mean several branches.
    """
    name = _label(label)
    config = _config(name)
    if re.fullmatch(r"-\d+", revision):
        branches = [plugin for plugin in plugins() if _heads(config, plugin)]
        if len(branches) != 1:
            listed = ", ".join(f"{branch}@{revision}" for branch in branches) or "none"
            raise UsageError(f"{revision} of which plugin?", fix=f"Say it: {listed}.")
        revision = f"{branches[0]}@{revision}"
    with _connected(name, config):
        command.downgrade(config, revision)


def _heads(config: Config, plugin: str) -> tuple[str, ...]:
    script = ScriptDirectory.from_config(config)
    return tuple(
        revision.revision for revision in script.get_revisions("heads") if plugin in revision.branch_labels
    )


def make_migrations(plugin: str, message: str, label: str | None = None) -> Path | None:
    """Write a migration that brings the database to a plugin's models; None when there is nothing to do.

    Raises:
        UsageError: the plugin is not one of the project's, or the database is not up to date.
    """
    if plugin not in plugins():
        raise UsageError(f"there is no plugin {plugin!r}", fix=f"Plugins: {', '.join(plugins()) or 'none'}.")
    name = _label(label)
    versions_folder(plugin, name).mkdir(parents=True, exist_ok=True)
    config = _config(name)
    known = bool(_heads(config, plugin))
    models = models_of(plugin, None if _is_main(name) else name)
    tables = {str(model.__tablename__) for model in models}
    dropped = _tables_made_by(versions_folder(plugin, name)) - tables
    config.attributes.update(
        target_metadata=Model.metadata,
        include_object=_only(tables, dropped),
        process_revision_directives=_with_grants,
    )
    with _connected(name, config), redirect_stdout(io.StringIO()):  # alembic talks while it writes
        if _pending(config):
            raise UsageError(
                "the database is not up to date, so that nothing can be compared with it",
                fix="Run `db upgrade heads` first.",
            )
        made = command.revision(
            config,
            message,
            autogenerate=True,
            head=f"{plugin}@head" if known else "base",
            branch_label=None if known else plugin,
            version_path=str(versions_folder(plugin, name)),
        )
    if not made:
        return None
    script = made[0] if isinstance(made, list) else made
    return Path(script.path) if script is not None else None


def _only(tables: set[str], dropped: set[str]) -> Callable[..., bool]:
    def include(found: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
        table = name if kind == "table" else found.table.name
        return table in tables or (reflected and table in dropped)

    return include


def _tables_made_by(folder: Path) -> set[str]:
    text = "\n".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    return set(re.findall(r"op\.create_table\(\s*['\"](\w+)['\"]", text))


def _with_grants(_context: Any, _revision: Any, directives: list[Any]) -> None:
    script = directives[0]
    if script.upgrade_ops.is_empty():
        directives[:] = []
    else:
        script.upgrade_ops.ops = add_grants(script.upgrade_ops.ops)


def _pending(config: Config) -> list[str]:
    """Revisions that the connected database lacks."""
    script = ScriptDirectory.from_config(config)
    context = MigrationContext.configure(config.attributes["connection"])
    applied = set(context.get_current_heads())
    done: set[str] = set()
    known = {revision.revision for revision in script.walk_revisions()}
    for head in applied & known:
        done |= {revision.revision for revision in script.iterate_revisions(head, "base")}
    return sorted(known - done)


# ---------------------------------------------------------------------- looking


def _printed(label: str | None, what: Callable[..., Any], **options: Any) -> str:
    name = _label(label)
    config = _config(name)
    out = io.StringIO()
    config.stdout = out
    with _connected(name, config), redirect_stdout(out):
        what(config, **options)
    return out.getvalue().strip()


def current(label: str | None = None) -> str:
    """Where a database stands, a line for each branch."""
    return "\n".join(sorted(_printed(label, command.current, verbose=False).splitlines()))


def history(label: str | None = None) -> str:
    """All revisions that there are, newest first."""
    return _printed(label, command.history)


def execute_sql(sql: str, label: str | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Execute one SQL statement in a transaction; the columns and rows that it gives."""
    if not sql.strip():
        raise UsageError("there is no statement to execute", fix="Give it with --execute or --input.")
    name = _label(label)
    engine = sqlalchemy.create_engine(database_url(name, role="admin"), poolclass=sqlalchemy.pool.NullPool)
    try:
        with engine.begin() as connection:
            answer = connection.exec_driver_sql(sql)
            if not answer.returns_rows:
                return [], []
            return list(answer.keys()), [tuple(row) for row in answer]
    except exc.DBAPIError as error:
        raise RecordsError(
            f"the database {shown(database_url(name))} refused it: {error.orig}", fix="Nothing was changed."
        ) from error
    finally:
        engine.dispose()


def describe_tables(label: str | None = None) -> str:
    """The tables of the project's models as Markdown."""
    name = _label(label)
    lines = [f"# Tables of the database `{name}`"]
    for model in models_of(None, None if _is_main(name) else name):
        lines += ["", f"## {model.__tablename__}", ""]
        if model.__doc__:
            lines += [" ".join(model.__doc__.split()), ""]
        lines += ["| column | type | null | |", "|---|---|---|---|"]
        for column in model.__table__.columns:
            marks = ["primary key"] if column.primary_key else []
            marks += [f"references {key.target_fullname}" for key in column.foreign_keys]
            lines.append(
                f"| {column.name} | {column.type} | {'yes' if column.nullable else 'no'} | {', '.join(marks)} |"
            )
    return "\n".join(lines) + "\n"


def refuse_missing_migrations() -> None:
    """Refuse to run against a database that lacks migrations of the project's plugins.

    Raises:
        UsageError: with what is missing, and the command that applies it.
    """
    for label in _databases():
        if _is_main(label) and sqlite_path(database_url(label)) is None and not _own_applied(label):
            raise UsageError(
                f"the database {shown(database_url(label))} lacks Headwater's own tables",
                fix="Make them: python manage.py management db upgrade heads",
            )
        for plugin in plugins():
            if models_of(plugin, None if _is_main(label) else label) and not _has_migrations(plugin, label):
                where = "" if _is_main(label) else f" -d {label}"
                logger.warning(
                    "%s has models in %r without migrations: "
                    "python manage.py management db make_migrations -p %s -m MESSAGE%s",
                    plugin, label, plugin, where,
                )  # fmt: skip
        branches = [plugin for plugin in plugins() if _has_migrations(plugin, label)]
        if not branches:
            continue
        applied = _applied(label)
        config = _config(label)
        missing = [plugin for plugin in branches if not set(_heads(config, plugin)) <= applied]
        if missing:
            where = "" if _is_main(label) else f" -d {label}"
            raise UsageError(
                f"the database {shown(database_url(label))} lacks migrations of {', '.join(missing)}",
                fix=f"Apply them: python manage.py management db upgrade heads{where}",
            )


def _own_applied(label: str) -> bool:
    return any(revision.startswith(f"{OWN}_") for revision in _applied(label))


def _has_migrations(plugin: str, label: str) -> bool:
    try:
        return any(versions_folder(plugin, label).glob("*.py"))
    except PluginError:
        return False


def _databases() -> list[str]:
    from headwater.configuration import config

    return list(dict.fromkeys([str(settings.MAIN_DATABASE), *(config.get("databases") or {})]))


def _applied(label: str) -> set[str]:
    url = database_url(label)
    path = sqlite_path(url)
    if path is not None and not Path(path).exists():
        return set()
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    try:
        with engine.connect() as connection:
            return set(MigrationContext.configure(connection).get_current_heads())
    except exc.DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise RecordsError(
            f"the database {shown(url)} does not answer: {reason}",
            fix="Check that it runs, and `user` in the config.",
        ) from error
    finally:
        engine.dispose()
