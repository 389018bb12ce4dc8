"""run, submit, watch, compile, lint, plan."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.app import (
    Context,
    Format,
    FormatOption,
    Image,
    Kubeconfig,
    Namespace,
    Output,
    OutputOption,
    Parameters,
    RunId,
    Store,
    Target,
    app,
)


@app.command()
def run(
    target: Target,
    param: Parameters = None,
    name: Annotated[str | None, typer.Option(help="A name for the run.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes of `parallel`.")] = None,
    track: Annotated[bool, typer.Option(help="Keep records of the run.")] = True,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background.")] = False,
    image: Image = None,
    store: Store = None,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run a workflow and follow it. Ctrl-C cancels it.

    The last five options are for `--backend kubernetes`.

    Examples:

      flowctl run pipeline.py -p multiplier=3

      flowctl run tuto.flows:reduce --backend parallel --output json

      flowctl run pipeline.py --backend kubernetes --namespace science
    """
    if detach:
        from headwater.cli.commands.detaching import run_detached

        run_detached(track=track, as_json=output is Output.JSON)
        return
    from headwater.cli.commands.running import run_target

    elsewhere = {"image": image, "store": store, "context": context, "namespace": namespace,
                 "kubeconfig": kubeconfig}  # fmt: skip
    run_target(
        target,
        param or [],
        name=name,
        workers=workers,
        track=track,
        json=output is Output.JSON,
        options={option: value for option, value in elsewhere.items() if value},
    )


@app.command()
def submit(
    target: Target,
    param: Parameters = None,
    name: Annotated[str | None, typer.Option(help="The run's name; by default WORKFLOW-xxxxx.")] = None,
    image: Image = None,
    store: Store = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait quietly until it ends.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it until it ends.")] = False,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Put a workflow into a cluster, where the operator runs it.

    The project's own modules go along. With --wait or --watch the exit code is the run's, and -o json prints what
    `run -o json` prints; Ctrl-C then only ends the following. With --dry-run the document is printed.

    Examples:

      flowctl submit pipeline.py -p multiplier=3

      flowctl submit workflow.yaml --wait -o json --namespace science

      flowctl submit reduce --watch --image registry.example/reduce:3
    """
    from headwater.cli.commands.submitting import submit_target

    submit_target(
        target,
        param or [],
        place=(kubeconfig, context, namespace),
        name=name,
        image=image,
        store=store,
        follow="watch" if watch else "wait" if wait else "",
        output=output.value,
    )


@app.command()
def watch(
    run: RunId = "last",
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Follow a run in a cluster until it ends.

    The exit code is the run's. Ctrl-C ends the following, not the run.

    Example: flowctl watch reduce-x7k2p
    """
    from headwater.cli.commands.submitting import watch_run

    watch_run(run, place=(kubeconfig, context, namespace), output=output.value)


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
