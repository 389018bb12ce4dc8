"""cache ls, clear, explain; flows list, show, register, run."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.app import Output, OutputOption, Parameters, app, cache_app, flows_app

app.add_typer(cache_app, name="cache")
app.add_typer(flows_app, name="flows")

Project = Annotated[str, typer.Option("--project", "-P", help="The project of the flow.")]


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
