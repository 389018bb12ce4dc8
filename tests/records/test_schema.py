"""One schema, three ways to it: the tables, the generated statements, the alembic history."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from headwater.errors import RecordsError
from headwater.records import Recorder, generate, list_runs, nodes, schema, statements, tables, upgrade
from headwater.records.connection import SqliteConnection, connect
from sqlalchemy.dialects import postgresql, sqlite

Start = Callable[..., Recorder]

LATER = """
import sqlalchemy as sa
from alembic import op

revision = "headwater_0006"
down_revision = "headwater_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("note", sa.Text()))


def downgrade() -> None:
    with op.batch_alter_table("run") as batch:
        batch.drop_column("note")
"""


OLD_RUN = (
    "INSERT INTO run (run_id, name, backend, target, phase, message, failed_items, host, pid, process, login, "
    "started_at, version) VALUES ('r0', 'reduce', 'default', '', 'Succeeded', '', 0, 'h', 1, '', 'ada', 5.0, 1)"
)


def described(path: Path) -> list[tuple[object, ...]]:
    """Everything that SQLite knows of a schema, without the spelling of its statements."""
    connection = sqlite3.connect(path)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: list[tuple[object, ...]] = []
    for name in sorted(names):
        found += [(name, *row) for row in connection.execute(f"PRAGMA table_info({name})")]
        indexes = connection.execute(f"PRAGMA index_list({name})").fetchall()
        for index in sorted(indexes, key=lambda index: str(index[1])):
            columns = connection.execute(f"PRAGMA index_info({index[1]})").fetchall()
            found.append((name, *index[1:], tuple(columns)))
    connection.close()
    return found


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The history with one more revision, as the next version of Headwater may have it."""
    folder = tmp_path / "later"
    shutil.copytree(schema.migrations_dir(), folder)
    (folder / "versions" / "headwater_0006_note.py").write_text(LATER)
    return folder


def test_the_generated_statements_are_up_to_date() -> None:
    written = Path(statements.__file__).read_text(encoding="utf-8")
    assert written == generate.source(), "run `python -m headwater.records.generate`"


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=lambda table: table.name)
def test_postgresql_is_written_to_with_the_same_words_as_sqlite(table: sqlalchemy.Table) -> None:
    assert generate.upsert(table, postgresql.dialect()) == generate.upsert(table, sqlite.dialect())


def test_a_new_file_has_exactly_the_schema_of_the_alembic_history(tmp_path: Path) -> None:
    made, migrated = tmp_path / "made.db", tmp_path / "migrated.db"
    connection = connect(f"sqlite:///{made}", create=True)
    schema.ensure_schema(connection, f"sqlite:///{made}")
    connection.close()
    upgrade(f"sqlite:///{migrated}")
    assert described(made) == described(migrated)
    assert sqlite3.connect(made).execute("SELECT * FROM alembic_version").fetchall() == [(schema.REVISION,)]


def test_the_history_makes_what_the_tables_say(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/migrated.db"
    upgrade(url)
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_the_revision_is_the_head_of_the_history() -> None:
    script = ScriptDirectory.from_config(schema.alembic_config("sqlite://"))
    assert script.get_heads() == [schema.REVISION]


def test_migrating_down_leaves_nothing_and_up_again_works(path: Path, url: str) -> None:
    upgrade(url)
    whole = described(path)
    schema.downgrade(url, "base")
    assert {row[0] for row in described(path)} == {"alembic_version"}
    upgrade(url)
    assert described(path) == whole


def test_the_migrations_are_found_in_an_installed_package_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = schema.migrations_dir()
    package = tmp_path / "site-packages" / "headwater" / "records"
    package.mkdir(parents=True)
    monkeypatch.setattr(schema, "__file__", str(package / "schema.py"))
    with pytest.raises(RecordsError, match="migrations are missing"):
        schema.migrations_dir()
    shutil.copytree(checkout, package / "migrations")
    assert schema.migrations_dir() == package / "migrations"


def test_alembic_is_not_imported_for_a_new_file_or_a_current_one(url: str) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from headwater.records import Recorder, RunInfo, list_runs, nodes\n"
        f"r = Recorder({url!r}, RunInfo('r1', 'n', 'default')); assert r.close(); list_runs({url!r})\n"
        "print(sorted({'alembic', 'sqlalchemy', 'psutil'} & set(sys.modules)))"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "[]\n"


# ---------------------------------------------------------------- other versions


def test_an_older_database_is_upgraded_where_it_stands(
    record: Start, url: str, path: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = record("r0")
    before.node_changed("a", "Succeeded", 1, 11.0)
    assert before.close()
    monkeypatch.setattr(schema, "REVISION", "headwater_0006")
    monkeypatch.setattr(schema, "migrations_dir", lambda: later)
    assert record("r1").close(10)
    assert "note" in {row[2] for row in described(path) if row[0] == "run"}
    assert [run.run_id for run in list_runs(url)] == ["r1", "r0"]
    assert list(nodes(url, "r0")) == ["a"]


def test_a_database_of_the_first_release_is_upgraded_by_the_next_run(record: Start, url: str) -> None:
    upgrade(url, "headwater_0001")
    connection = connect(url)
    connection.write({}, [(OLD_RUN, {})])
    connection.close()
    assert record("r1").close(10)
    assert [(run.run_id, run.namespace, run.labels) for run in list_runs(url)] == [
        ("r1", "", {}),
        ("r0", "", {}),
    ]


def test_a_newer_database_is_refused_and_not_touched(
    record: Start, url: str, path: Path, later: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade(url, directory=later)
    whole = described(path)
    assert record("r1").close() is False
    message = (
        f"the run database {path} was written by a newer Headwater "
        "(it is at headwater_0006, this one knows headwater_0005). Upgrade Headwater here"
    )
    (warning,) = (entry.getMessage() for entry in caplog.records if entry.name == "headwater.records")
    assert message in warning
    with pytest.raises(RecordsError) as refused:
        list_runs(url)
    assert message in str(refused.value)
    assert described(path) == whole


def test_tables_and_revisions_of_others_in_the_same_file_are_left_alone(
    record: Start, url: str, path: Path
) -> None:
    path.parent.mkdir()
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE measurement (x)")
    theirs.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    theirs.execute("INSERT INTO alembic_version VALUES ('their_plugin_3')")
    theirs.commit()
    assert list_runs(url) == []
    assert record("r1").close()
    assert len(list_runs(url)) == 1
    found = theirs.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()
    theirs.close()
    assert found == [(schema.REVISION,), ("their_plugin_3",)]


def test_a_migration_that_fails_changes_nothing(url: str, path: Path, later: Path) -> None:
    upgrade(url)
    whole = described(path)
    broken = LATER.replace('op.add_column("run"', 'op.execute("CREATE TABLE x (y)"); op.add_column("nowhere"')
    (later / "versions" / "headwater_0006_note.py").write_text(broken)
    with pytest.raises(RecordsError, match="could not be migrated"):
        upgrade(url, directory=later)
    assert described(path) == whole


def test_two_that_create_at_once_both_find_the_schema_made(url: str, path: Path) -> None:
    first, second = connect(url, create=True), connect(url, create=True)
    assert schema.revisions(first) == schema.revisions(second) == set()
    for connection in (first, second):
        assert isinstance(connection, SqliteConnection)
        schema.ensure_schema(connection, url)
    first.write({}, schema._creation())
    assert schema.revisions(second) == {schema.REVISION}
    first.close()
    second.close()
