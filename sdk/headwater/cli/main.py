"""The commands of flowctl: their names, arguments and help. What they do is in `commands/`, loaded when called."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from headwater.cli.globals import GLOBALS, hoisted, project_command


class Output(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


def _app(help_text: str) -> typer.Typer:
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


app = _app("Run Python workflows anywhere, and see what happened.")
cache_app = _app("Look at, explain and clear the cache.")
app.add_typer(cache_app, name="cache")
flows_app = _app("Registered flows, and flows of flows.")
app.add_typer(flows_app, name="flows")

OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="How to print: text, or json for programs.")
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--param", "-p", metavar="NAME=VALUE", help="An input of the workflow; VALUE is JSON or text."
    ),
]
Target = Annotated[
    str,
    typer.Argument(
        help="module:workflow, a .py file (FILE.py:NAME if it has several), or a YAML/JSON document."
    ),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, the beginning of it, or `last`.")]


@app.callback(invoke_without_command=True)
def flowctl(
    context: typer.Context,
    config: Annotated[str | None, typer.Option(help="The config file (yml, yaml, json, toml).")] = None,
    settings: Annotated[str | None, typer.Option(help="The settings module.")] = None,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="default, parallel, ...")] = None,
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


@app.command()
def run(
    target: Target,
    param: Parameters = None,
    name: Annotated[str | None, typer.Option(help="A name for the run.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes of `parallel`.")] = None,
    track: Annotated[bool, typer.Option(help="Keep records of the run.")] = True,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run a workflow and follow it.

    Examples:

      flowctl run pipeline.py -p multiplier=3

      flowctl run tuto.flows:reduce --backend parallel --output json
    """
    from headwater.cli.commands.running import run_target

    run_target(target, param or [], name=name, workers=workers, track=track, json=output is Output.JSON)


@app.command("compile")
def compile_(
    target: Target,
    output: Annotated[str, typer.Option("--output", "-o", help="yaml or json.")] = "yaml",
) -> None:
    """Print the Workflow document of a target.

    Example: flowctl compile pipeline.py > workflow.yaml
    """
    from headwater.cli.commands.documents import compile_target

    compile_target(target, output)


@app.command()
def lint(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Documents, or `-` for standard input.")
    ],
    output: OutputOption = Output.TEXT,
) -> None:
    """Check documents and say how to mend them.

    Example: flowctl lint workflow.yaml
    """
    from headwater.cli.commands.documents import lint_files

    lint_files(files, json=output is Output.JSON)


@app.command()
def plan(target: Target, param: Parameters = None, output: OutputOption = Output.TEXT) -> None:
    """Say what would run, what is cached, and why.

    Example: flowctl plan pipeline.py -p x=3
    """
    from headwater.cli.commands.documents import plan_target

    plan_target(target, param or [], json=output is Output.JSON)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
    phase: Annotated[str | None, typer.Option(help="Only runs in this phase.")] = None,
    name: Annotated[str | None, typer.Option(help="Only runs of this name.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the recorded runs.

    Example: flowctl list --phase Failed
    """
    from headwater.cli.commands.looking import list_runs

    list_runs(limit, phase, name, json=output is Output.JSON)


@app.command()
def show(run: RunId = "last", output: OutputOption = Output.TEXT) -> None:
    """Show one run: nodes, times, outputs, errors.

    Example: flowctl show last
    """
    from headwater.cli.commands.looking import show_run

    show_run(run, json=output is Output.JSON)


@app.command()
def logs(
    run: RunId = "last",
    node: Annotated[str | None, typer.Argument(help="Only this node, or an item: process[3].")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what the tasks of a run printed and logged.

    Example: flowctl logs last gen_data
    """
    from headwater.cli.commands.looking import show_logs

    show_logs(run, node, follow=follow, json=output is Output.JSON)


From = Annotated[
    str | None, typer.Option("--from", metavar="NODE", help="NODE, or items of a map: NODE[3,7-9].")
]


@app.command()
def resume(
    run: RunId,
    from_: From = None,
    with_code: Annotated[bool, typer.Option("--with-code", help="Also run again what has new code.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes of `parallel`.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Go on with a failed, cancelled or lost run.

    First says what runs again, what is kept, and why.

    Examples:

      flowctl resume last

      flowctl resume last --from 'process[3,7-9]'
    """
    from headwater.cli.commands.resuming import resume_run

    resume_run(run, from_, with_code=with_code, workers=workers, json=output is Output.JSON)


@app.command()
def retry(
    run: RunId,
    from_: From = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes of `parallel`.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run a node of an earlier run and all after it again.

    What was upstream is kept.

    Example: flowctl retry last --from process_data
    """
    from headwater.cli.commands.resuming import resume_run

    resume_run(run, from_, with_code=False, workers=workers, json=output is Output.JSON)


@app.command()
def stop(run: RunId, output: OutputOption = Output.TEXT) -> None:
    """Have a run start nothing more, and end.

    Example: flowctl stop last
    """
    from headwater.cli.commands.controlling import tell

    tell(run, "stop", json=output is Output.JSON)


@app.command()
def cancel(run: RunId, output: OutputOption = Output.TEXT) -> None:
    """End a run of another process at once.

    Example: flowctl cancel last
    """
    from headwater.cli.commands.controlling import tell

    tell(run, "cancel", json=output is Output.JSON)


@app.command()
def approve(
    run: RunId,
    node: Annotated[str, typer.Argument(help="The node that waits.")],
    reject: Annotated[bool, typer.Option("--reject", help="Say no: the node fails.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Approve a node that waits for a person. Who did it is recorded.

    Example: flowctl approve last publish
    """
    from headwater.cli.commands.controlling import tell

    tell(run, "approve", node=node, granted=not reject, json=output is Output.JSON)


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A run.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another run.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Compare two runs.

    Code, parameters, inputs, outputs and durations, and the node at which they first went apart.

    Example: flowctl diff 20261124-1030 last
    """
    from headwater.cli.commands.looking import show_diff

    show_diff(a, b, json=output is Output.JSON)


@app.command()
def replay(
    run: RunId,
    node: Annotated[str, typer.Argument(help="A task, or an item of a map: process[17].")],
    pdb: Annotated[bool, typer.Option("--pdb", help="Run it under the debugger.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run one task of an earlier run again, here.

    It gets the inputs that it had then.

    Example: flowctl replay last 'process[17]' --pdb
    """
    from headwater.cli.commands.resuming import replay_task

    replay_task(run, node, pdb=pdb, json=output is Output.JSON)


@cache_app.command("ls")
def cache_ls(
    node: Annotated[str, typer.Argument(help="Only entries of this task or workflow.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """List what is cached.

    Example: flowctl cache ls compute
    """
    from headwater.cli.commands.caching import list_entries

    list_entries(node, json=output is Output.JSON)


@cache_app.command("clear")
def cache_clear(
    node: Annotated[str, typer.Argument(help="Only entries of this task or workflow.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove what is cached.

    Example: flowctl cache clear --yes
    """
    from headwater.cli.commands.caching import clear_entries

    clear_entries(node, yes=yes, json=output is Output.JSON)


@cache_app.command("explain")
def cache_explain(
    target: Annotated[str, typer.Argument(help="A target as for `run`, or a run.")],
    node: Annotated[str | None, typer.Argument(help="Only this node.")] = None,
    param: Parameters = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say why a node would hit or miss the cache: which input, parameter or code changed.

    Example: flowctl cache explain pipeline.py compute -p x=3
    """
    from headwater.cli.commands.caching import explain_nodes

    explain_nodes(target, node, param or [], json=output is Output.JSON)


Project = Annotated[str, typer.Option("--project", "-P", help="The project of the flow.")]


@flows_app.command("list")
def flows_list(
    project: Annotated[str | None, typer.Option("--project", "-P", help="Only this project.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the registered flows.

    Example: flowctl flows list
    """
    from headwater.cli.commands.flows import list_flows

    list_flows(project, json=output is Output.JSON)


@flows_app.command("show")
def flows_show(
    name: Annotated[str, typer.Argument(help="The flow.")],
    project: Project = "default",
    version: Annotated[int | None, typer.Option(help="A version; the newest by default.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show a flow: parameters, tasks, versions.

    Example: flowctl flows show reduce -P science
    """
    from headwater.cli.commands.flows import show_flow

    show_flow(name, project, version, json=output is Output.JSON)


@flows_app.command("register")
def flows_register(
    target: Annotated[str, typer.Argument(help="A target as for `run`, or the YAML of a flow of flows.")],
    project: Project = "default",
    name: Annotated[str | None, typer.Option(help="The flow's name; by default the workflow's.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Register a workflow, or a flow of flows, as a new version.

    Example: flowctl flows register pipeline.py -P science --name reduce
    """
    from headwater.cli.commands.flows import register_flow

    register_flow(target, project, name, json=output is Output.JSON)


@flows_app.command("run")
def flows_run(
    name: Annotated[str, typer.Argument(help="A registered flow, or the YAML of a flow of flows.")],
    param: Parameters = None,
    project: Project = "default",
    version: Annotated[int | None, typer.Option(help="A version; the newest by default.")] = None,
    task: Annotated[str | None, typer.Option(help="Print the result of this task only.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run a flow and print the results of its tasks.

    Example: flowctl flows run reduce -P science -p x=3
    """
    from headwater.cli.commands.flows import run_flow

    run_flow(name, param or [], project, version, task, json=output is Output.JSON)


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
