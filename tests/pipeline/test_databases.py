"""Models, sessions and migrations, on SQLite and on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys

import pytest


def migrate(project) -> None:
    project.ok("management", "db", "upgrade", "heads")
    project.ok(
        "management", "db", "make_migrations", "--plugin", "tuto.reduction", "--message", "Add results"
    )
    project.ok("management", "db", "upgrade", "heads")


def rows(project) -> int:
    shown = project.ok("db", "execute_sql", "-e", "SELECT count(*) AS n FROM computation_result")
    return int(shown.split()[1])


def test_the_manuals_tutorial(any_database) -> None:
    project = any_database
    migrate(project)
    assert project.ok("compute_data").count("computing") == 4
    again = project.ok("compute_data")
    assert again.count("found in the database") == 4
    assert "results: [84, 86, 88, 90]" in again
    assert project.ok("compute_data", "-b", "parallel", "--multiplier", "3").count("computing") == 4
    assert rows(project) == 8
    assert project.ok("management", "list_runs").count("Succeeded") == 3


def test_a_database_without_migrations_says_so(any_database) -> None:
    project = any_database
    migrate(project)
    project.ok("db", "downgrade", "tuto.reduction@base")
    refused = project("compute_data")
    assert refused.returncode == 2
    assert "lacks migrations of tuto.reduction" in refused.stderr
    assert "management db upgrade heads" in refused.stderr


def test_down_and_up_again(any_database) -> None:
    project = any_database
    migrate(project)
    assert "tuto.reduction" in project.ok("db", "history")
    head = project.ok("db", "current")
    project.ok("compute_data")
    project.ok("db", "downgrade", "-1")
    assert project.ok("db", "current") != head
    project.ok("db", "upgrade")
    assert project.ok("db", "current") == head
    assert rows(project) == 0
    project.ok("db", "downgrade", "base")
    assert "no migration is applied" in project.ok("db", "current")
    project.ok("db", "upgrade", "heads")
    assert project.ok("db", "current") == head


def test_a_changed_model_is_another_migration(any_database) -> None:
    project = any_database
    migrate(project)
    assert "have not changed" in project.ok("db", "make_migrations", "-p", "tuto.reduction", "-m", "nothing")
    model = project.plugin / "models" / "result.py"
    model.write_text(model.read_text() + "    remark = Column(Integer, nullable=True)\n")
    made = project.ok("db", "make_migrations", "-p", "tuto.reduction", "-m", "Add a remark")
    assert "add_a_remark" in made
    project.ok("db", "upgrade")
    project.ok("compute_data")
    assert rows(project) == 4


def test_many_upgrades_at_once_are_one(any_database) -> None:
    project = any_database
    project.ok("db", "upgrade")
    project.ok("db", "make_migrations", "-p", "tuto.reduction", "-m", "first")
    processes = [
        subprocess.Popen(
            [sys.executable, "manage.py", "db", "upgrade"],
            cwd=project.folder,
            env=project.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said


def test_a_failed_item_can_be_debugged(any_database) -> None:
    project = any_database
    migrate(project)
    project.ok("compute_data", "-b", "parallel", UNLUCKY="1")
    failed = project("management", "debug", "last", UNLUCKY="1")
    assert failed.returncode == 1
    assert "process-data[3]" in failed.stdout
    assert "raw_data = 45" in failed.stdout
    assert "ValueError: unlucky" in failed.stderr
    assert "it succeeds now" in project.ok("management", "debug", "last")


def test_two_databases_and_binds(reduction) -> None:
    models = reduction.plugin / "models"
    (models / "other.py").write_text(
        "from headwater import Model\nfrom sqlalchemy import Column, Integer\n\n\n"
        'class Elsewhere(Model):\n    __bind_key__ = "archive"\n    id = Column(Integer, primary_key=True)\n'
    )
    reduction.configure(
        databases={
            "default": {"dialect": "sqlite", "path": "main.db"},
            "archive": {"dialect": "sqlite", "path": "archive.db"},
        }
    )
    migrate(reduction)
    refused = reduction("compute_data")
    assert refused.returncode == 0  # nothing is to be migrated there yet
    reduction.ok("db", "make_migrations", "-p", "tuto.reduction", "-m", "archive", "-d", "archive")
    refused = reduction("compute_data")
    assert refused.returncode == 2
    assert "-d archive" in refused.stderr
    reduction.ok("db", "upgrade", "-d", "archive")
    script = (
        "from tuto.reduction.models.other import Elsewhere\n"
        "from tuto.reduction.models.result import ComputationResult\n"
        "session = context.session\n"
        "session.add(Elsewhere(id=7))\nsession.commit()\n"
        "print([each.id for each in session.query(Elsewhere)], session.query(ComputationResult).count())\n"
    )
    done = reduction("shell", stdin=script)
    assert "[7] 4" in done.stdout, done.stderr


def test_a_user_cannot_alter_tables(reduction, headwater_postgres) -> None:
    with headwater_postgres.database() as section:
        reduction.configure(databases={"default": dict(section)})
        migrate(reduction)
        script = (
            "from sqlalchemy import text\n"
            "session = context.session\n"
            "session.execute(text('SELECT count(*) FROM computation_result'))\n"
            "session.execute(text('DROP TABLE computation_result'))\n"
        )
        done = reduction("shell", stdin=script)
        assert done.returncode == 1
        assert "must be owner of table" in done.stderr


def test_a_thousand_parallel_items_do_not_exhaust_the_server(reduction, headwater_postgres) -> None:
    tasks = reduction.plugin / "tasks.py"
    tasks.write_text(tasks.read_text().replace("[42, 43, 44, 45]", "list(range(1000))"))
    with headwater_postgres.database() as section:
        reduction.configure(databases={"default": dict(section)})
        migrate(reduction)
        reduction.ok("compute_data", "-b", "parallel", "-ll", "WARNING")
        assert rows(reduction) == 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["db", "make_migrations", "-p", "tuto.gone", "-m", "x"], "there is no plugin 'tuto.gone'"),
        (["db", "upgrade", "nonsense"], "nonsense"),
        (["db", "upgrade", "-d", "elsewhere"], "no database 'elsewhere'"),
        (["db", "execute_sql", "-e", "SELECT nothing FROM nowhere"], "refused it"),
        (["db", "execute_sql", "-i", "gone.sql"], "there is no file"),
        (["db", "downgrade", "-1"], "of which plugin?"),
    ],
)
def test_what_is_wrong_is_said(reduction, words: list[str], said: str) -> None:
    done = reduction(*words)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_tables_are_described(reduction) -> None:
    shown = reduction.ok("db", "gen_doc")
    assert "## computation_result" in shown
    assert "Results of computations." in shown
