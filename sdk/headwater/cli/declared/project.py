"""create, db, manage, port."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.app import Output, OutputOption, app
from headwater.cli.globals import GLOBALS

_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def create(words: typer.Context) -> None:
    """Make a new pipeline project or plugin.

    Example: flowctl create pipeline my_pipeline
    """
    raise typer.Exit(_managed("create", words.args))


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def db(words: typer.Context) -> None:
    """Databases and migrations of a project.

    Example: flowctl db upgrade
    """
    raise typer.Exit(_managed("db", words.args))


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def manage(words: typer.Context) -> None:
    """Other things a project knows: shell, debug, list_runs, display_config.

    Example: flowctl manage debug last
    """
    raise typer.Exit(_managed("", words.args))


@app.command()
def port(
    path: Annotated[str, typer.Argument(help="A Python file, or a folder of them.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Port a pipeline written for Outflow, in place.

    It rewrites the imports and says what it could not do. Doing it twice is harmless.

    Example: flowctl port my_pipeline/
    """
    from headwater.cli.commands.porting import port_pipeline

    port_pipeline(path, json=output is Output.JSON)


def _managed(first: str, words: list[str]) -> int:
    from headwater.pipeline.entry import project_root, run_command

    return run_command(project_root(), [*GLOBALS.words, "management", *([first] if first else []), *words])
