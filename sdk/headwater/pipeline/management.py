"""The commands that every pipeline has: `management create`, `management db`, `display_config`, `shell`, ..."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from headwater.configuration import config, context, database_url, masked, plain
from headwater.errors import UsageError
from headwater.pipeline.commands import Command, RootCommand, argument


@RootCommand.subcommand(invokable=False, db_untracked=True, backend="default")
class Management(Command):
    """Look after the pipeline: create, databases, past runs, a shell."""


@Management.subcommand()
def display_config() -> None:
    """Print where the config is and what it says, secrets masked."""
    import yaml

    print(f"# {config.path or 'there is no config file'}")
    content = masked(plain(config))
    if content:
        print(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), end="")


@Management.subcommand()
def shell() -> None:
    """Open a Python shell with config, context, settings and the tasks of all plugins; or run a piped script."""
    from headwater.pipeline.shell import open_shell

    context.db_untracked = False
    open_shell()


@Management.subcommand()
@argument("--no-limit", action="store_true", help="all runs, not only the latest 50")
@argument("--success-only", action="store_true", help="only runs that succeeded")
def list_runs(no_limit: bool, success_only: bool) -> None:
    """Print the recorded runs, oldest first."""
    import time

    from headwater.records import queries

    phase = "Succeeded" if success_only else None
    runs = queries.list_runs(database_url(), limit=None if no_limit else 50, phase=phase)
    rows = [
        (
            run.run_id,
            run.name,
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started_at)),
            run.phase,
            str(run.error.message if run.error else run.message).partition("\n")[0][:60],
        )
        for run in reversed(runs)
    ]
    _print_table(("run", "command", "started", "phase", ""), rows)


@Management.subcommand()
@argument("run", metavar="RUN", help="the run's id, its beginning, or `last`")
@argument(
    "node", nargs="?", help="a task, or an item of a map: process[17]; by default the first that failed"
)
def debug(run: str, node: str | None) -> None:
    """Go back into a failed task of a run, with the inputs that it had."""
    from headwater.pipeline.debugging import debug_run

    debug_run(run, node)


@Management.subcommand(invokable=False)
class Create(Command):
    """Make a new pipeline or plugin."""


@Create.subcommand(name="pipeline")
@argument("name", help="the name of the pipeline; a folder of that name is made here")
def create_pipeline_command(name: str) -> None:
    """Make a new pipeline project."""
    from headwater.pipeline.create import create_pipeline

    made = create_pipeline(name)
    print(f"made {_relative(made)}; next: cd {_relative(made)} && python manage.py --help")


@Create.subcommand(name="plugin")
@argument("name", metavar="NAMESPACE.NAME", help="the name of the plugin")
@argument("--plugin_dir", "--plugin-dir", help="where to put it; by default plugins/NAME")
def create_plugin_command(name: str, plugin_dir: str | None) -> None:
    """Make a new plugin."""
    from headwater.pipeline.create import create_plugin

    made = create_plugin(name, Path(plugin_dir) if plugin_dir else None)
    print(f'made {_relative(made)}; next: add "{name}" to PLUGINS in settings.py')


# ---------------------------------------------------------------------- db


@Management.subcommand(invokable=False)
class Db(Command):
    """Databases and migrations."""


_DATABASE: dict[str, Any] = {"metavar": "LABEL", "help": "a database of the config; by default the main one"}


@Db.subcommand(name="upgrade")
@argument("revision", nargs="?", default="heads", help="a revision; by default the newest of all")
@argument("-d", "--database", **_DATABASE)
def db_upgrade(revision: str, database: str | None) -> None:
    """Apply migrations."""
    from headwater.pipeline.database import migrations

    migrations.upgrade(revision, database)
    print(migrations.current(database) or "nothing to apply")


@Db.subcommand(name="downgrade")
@argument("revision", help="PLUGIN@base, base, -1, or a revision")
@argument("-d", "--database", **_DATABASE)
def db_downgrade(revision: str, database: str | None) -> None:
    """Take migrations back."""
    from headwater.pipeline.database import migrations

    migrations.downgrade(revision, database)
    print(migrations.current(database) or "no migration is applied")


@Db.subcommand(name="make_migrations")
@argument("-p", "--plugin", required=True, help="the plugin whose models have changed")
@argument("-m", "--message", required=True, help="what changes, in a few words")
@argument("-d", "--database", **_DATABASE)
def db_make_migrations(plugin: str, message: str, database: str | None) -> None:
    """Write a migration from what the models say and the database lacks."""
    from headwater.pipeline.database import migrations

    made = migrations.make_migrations(plugin, message, database)
    print(f"made {_relative(made)}: read it before you apply it" if made else "the models have not changed")


@Db.subcommand(name="current")
@argument("-d", "--database", **_DATABASE)
def db_current(database: str | None) -> None:
    """Print which revisions the database stands at."""
    from headwater.pipeline.database import migrations

    print(migrations.current(database) or "no migration is applied")


@Db.subcommand(name="history")
@argument("-d", "--database", **_DATABASE)
def db_history(database: str | None) -> None:
    """Print all revisions, newest first."""
    from headwater.pipeline.database import migrations

    print(migrations.history(database) or "there are no migrations")


@Db.subcommand(name="execute_sql")
class DbExecuteSql(Command):
    """Execute SQL on a database, in one transaction."""

    def add_arguments(self) -> None:
        """The statement, or a file with it."""
        given = self.add_mutually_exclusive_group(required=True)
        given.add_argument("-e", "--execute", metavar="SQL", help="the statement")
        given.add_argument("-i", "--input", metavar="FILE", help="a file with it")
        self.add_argument("-d", "--database", **_DATABASE)

    def setup_tasks(self) -> None:
        """Nothing is left to a task: it happens here."""
        from headwater.pipeline.database import migrations

        args = context.args
        if args.input is not None and not Path(args.input).is_file():
            raise UsageError(f"there is no file {args.input!r}", fix="Check --input.")
        sql = args.execute if args.execute is not None else Path(args.input).read_text(encoding="utf-8")
        columns, rows = migrations.execute_sql(sql, args.database)
        if columns:
            _print_table(columns, [tuple(map(str, row)) for row in rows])
        else:
            print("done")


@Db.subcommand(name="prune")
@argument(
    "--older-than", required=True, metavar="AGE", help="how long ago a run must have ended: 90d, 12h, 4w"
)
@argument("-d", "--database", **_DATABASE)
def db_prune(older_than: str, database: str | None) -> None:
    """Remove the records of runs that ended long ago; with --dry-run, only count them."""
    import time

    from headwater.records.pruning import prune, seconds_of

    dry_run = bool(context.args.dry_run)
    counts = prune(database_url(database), before=time.time() - seconds_of(older_than), dry_run=dry_run)
    if not any(counts.values()):
        print(f"no run ended more than {older_than} ago")
        return
    _print_table(("table", "would go" if dry_run else "gone"), [(name, str(n)) for name, n in counts.items()])


@Db.subcommand(name="gen_doc")
@argument("-d", "--database", **_DATABASE)
@argument("-o", "--output", metavar="FILE", help="a file to write; by default it is printed")
def db_gen_doc(database: str | None, output: str | None) -> None:
    """Describe the tables of the project's models as Markdown."""
    from headwater.pipeline.database import migrations

    text = migrations.describe_tables(database)
    if output is None:
        print(text, end="")
    else:
        Path(output).write_text(text, encoding="utf-8")
        print(f"wrote {output}")


# ---------------------------------------------------------------------- printing


def _print_table(header: Any, rows: Any) -> None:
    listed = [tuple(header), *rows]
    widths = [max(len(row[column]) for row in listed) for column in range(len(listed[0]))]
    try:
        for row in listed:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()


def _relative(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except ValueError:
        return str(path)
