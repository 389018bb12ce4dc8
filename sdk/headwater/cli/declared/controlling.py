"""resume, retry, stop, cancel, suspend, approve, delete, replay."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.app import (
    Context,
    From,
    Kubeconfig,
    Namespace,
    Output,
    OutputOption,
    RunId,
    RunIds,
    app,
)


@app.command()
def resume(
    runs: RunIds,
    from_: From = None,
    with_code: Annotated[bool, typer.Option("--with-code", help="Also run again what has new code.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes of `parallel`.")] = None,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Go on with a failed, cancelled, lost or suspended run.

    On this machine: first says what runs again, what is kept, and why. In a cluster a suspended run goes on; for
    one that failed or was cancelled a new run is made, NAME-r1, that adopts what had succeeded. A run is looked for
    on this machine first; with --context, --namespace or --kubeconfig it is one of the cluster.

    Examples:

      flowctl resume last

      flowctl resume last --from 'process[3,7-9]'

      flowctl resume reduce-x7k2p --namespace science
    """
    from headwater.cli.commands.resuming import resume_runs

    resume_runs(
        runs,
        from_,
        place=(kubeconfig, context, namespace),
        with_code=with_code,
        workers=workers,
        json=output is Output.JSON,
    )


@app.command()
def retry(
    runs: RunIds,
    from_: From = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes of `parallel`.")] = None,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run a node of an earlier run and all after it again.

    What was upstream is kept. In a cluster this makes a new run, NAME-r1, that adopts what had succeeded.

    Examples:

      flowctl retry last --from process_data

      flowctl retry reduce-x7k2p --namespace science
    """
    from headwater.cli.commands.resuming import retry_runs

    retry_runs(
        runs, from_, place=(kubeconfig, context, namespace), workers=workers, json=output is Output.JSON
    )


@app.command()
def stop(
    runs: RunIds,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Have runs start nothing more, and end.

    What runs goes on to its end.

    Examples:

      flowctl stop last

      flowctl stop reduce-x7k2p reduce-m2p9w --namespace science
    """
    from headwater.cli.commands.controlling import tell

    tell(runs, "stop", place=(kubeconfig, context, namespace), json=output is Output.JSON)


@app.command()
def cancel(
    runs: RunIds,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """End runs at once, with what runs in them.

    Examples:

      flowctl cancel last

      flowctl cancel reduce-x7k2p --context lab
    """
    from headwater.cli.commands.controlling import tell

    tell(runs, "cancel", place=(kubeconfig, context, namespace), json=output is Output.JSON)


@app.command()
def suspend(
    runs: RunIds,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Have runs start nothing new until `flowctl resume`.

    Example: flowctl suspend reduce-x7k2p
    """
    from headwater.cli.commands.controlling import tell

    tell(runs, "suspend", place=(kubeconfig, context, namespace), json=output is Output.JSON)


@app.command()
def approve(
    run: RunId,
    node: Annotated[str, typer.Argument(help="The node that waits.")],
    refuse: Annotated[bool, typer.Option("--refuse", "--reject", help="Say no: the node fails.")] = False,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Approve a node that waits for a person. Who did it is recorded.

    Examples:

      flowctl approve last publish

      flowctl approve reduce-x7k2p publish --refuse --namespace science
    """
    from headwater.cli.commands.controlling import answer

    answer(
        run,
        node,
        granted=not refuse,
        place=(kubeconfig, context, namespace),
        json=output is Output.JSON,
    )


@app.command()
def delete(
    runs: RunIds,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Delete runs of a cluster, with their pods and logs.

    What runs in them ends.

    Example: flowctl delete reduce-x7k2p --yes
    """
    from headwater.cli.commands.controlling import delete_runs

    delete_runs(runs, yes=yes, place=(kubeconfig, context, namespace), json=output is Output.JSON)


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
