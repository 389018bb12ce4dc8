"""flowctl: what holds for all commands, and the way in. The commands are declared in `declared/`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import headwater.cli.declared  # noqa: F401  # the commands
from headwater.cli.app import app
from headwater.cli.globals import GLOBALS, hoisted, project_command

__all__ = ["app", "main"]


@app.callback(invoke_without_command=True)
def flowctl(
    context: typer.Context,
    config: Annotated[str | None, typer.Option(help="The config file (yml, yaml, json, toml).")] = None,
    settings: Annotated[str | None, typer.Option(help="The settings module.")] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", "-b", help="default, parallel, kubernetes, ...")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log-level", "-l", help="debug, info, warning, error.")
    ] = None,
    overwrite_cache: Annotated[
        bool, typer.Option("--overwrite-cache", help="Compute cached results anew.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours, on a terminal either.")] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show tracebacks of errors.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Run Python workflows anywhere, and see what happened.

    Examples:

      flowctl run pipeline.py -p x=3 --backend parallel

      flowctl show last

    These options may stand before or after the command.
    """
    if version:
        from headwater.version import __version__

        print(f"headwater {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.BadParameter("a command is missing", ctx=context)
    GLOBALS.set(config, settings, backend, log_level, overwrite_cache, dry_run, not no_color, traceback)


def main() -> None:
    """Run flowctl and exit with its code: 0 success, 1 a run that failed, 2 wrong usage."""
    from headwater.cli.failures import exit_code_of

    argv = hoisted(sys.argv[1:])
    command = project_command(argv)
    if command is not None:
        from headwater.pipeline.entry import run_in_project

        sys.exit(run_in_project(*command))
    try:
        result = app(args=argv, prog_name="flowctl", standalone_mode=False)
    except BaseException as error:
        sys.exit(exit_code_of(error))
    sys.exit(result if isinstance(result, int) else 0)
