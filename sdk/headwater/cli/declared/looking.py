"""list, show, get, logs, diff, ui."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.app import (
    Context,
    Format,
    FormatOption,
    Kubeconfig,
    Namespace,
    Output,
    OutputOption,
    RunId,
    RunIds,
    app,
)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
    phase: Annotated[str | None, typer.Option(help="Only runs in this phase.")] = None,
    name: Annotated[str | None, typer.Option(help="Only runs of this name.")] = None,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List runs: of this machine, or of a cluster.

    The cluster's with --context, --namespace or --kubeconfig, with `--backend kubernetes`, or where the config
    says `backend: kubernetes`.

    Examples:

      flowctl list --phase Failed

      flowctl list --namespace science
    """
    from headwater.cli.commands.looking import list_runs

    list_runs(limit, phase, name, place=(kubeconfig, context, namespace), json=output is Output.JSON)


@app.command()
def show(
    run: RunId = "last",
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show one run: nodes, times, outputs, errors.

    Runs are looked for on this machine first, then in the cluster.

    Example: flowctl show last
    """
    from headwater.cli.commands.looking import show_run

    show_run(run, place=(kubeconfig, context, namespace), json=output is Output.JSON)


@app.command()
def get(
    runs: RunIds,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show runs of a cluster: nodes, what waits, what failed.

    With -o json or yaml, the objects as they are.

    Examples:

      flowctl get reduce-x7k2p

      flowctl get last -o yaml --namespace science
    """
    from headwater.cli.commands.clusters import get_runs

    get_runs(runs, place=(kubeconfig, context, namespace), output=output.value)


@app.command()
def logs(
    run: RunId = "last",
    node: Annotated[str | None, typer.Argument(help="Only this node, or an item: process[3].")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    item: Annotated[int | None, typer.Option(min=0, help="Only this item of the map.")] = None,
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what the tasks of a run printed and logged.

    Of a run in a cluster, the logs of its pods, for as long as there are pods.

    Examples:

      flowctl logs last gen_data

      flowctl logs -f reduce-x7k2p process --item 17
    """
    from headwater.cli.commands.looking import show_logs

    show_logs(
        run, node, item, place=(kubeconfig, context, namespace), follow=follow, json=output is Output.JSON
    )


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
def ui(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 0,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the browser.")] = True,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="The run database; that of the config by default.")
    ] = None,
    token: Annotated[
        str, typer.Option(envvar="HEADWATER_UI_TOKEN", help="A secret that everybody must give.")
    ] = "",
    trust_proxy_headers: Annotated[
        bool,
        typer.Option("--trust-proxy-headers", help="A proxy in front logs people in and says who they are."),
    ] = False,
    per_namespace: Annotated[
        bool,
        typer.Option(
            "--per-namespace", help="People see and change what the cluster's RBAC lets them; behind a proxy."
        ),
    ] = False,
    store: Annotated[
        str, typer.Option(metavar="URL", help="The artifact store to preview values from; this machine's.")
    ] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="For looking only: no actions.")] = False,
    keep_logs: Annotated[
        bool, typer.Option("--keep-logs", help="Copy the logs of a cluster's runs before their pods go.")
    ] = False,
) -> None:
    """Look at runs in the browser: a list, graphs, logs, as they change.

    On another address than 127.0.0.1 it wants --token or --trust-proxy-headers.

    Examples:

      flowctl ui

      flowctl ui --no-open --port 8265 --database postgresql://headwater@db/runs

      flowctl ui --no-open --host 0.0.0.0 --trust-proxy-headers --per-namespace --keep-logs
    """
    from headwater.cli.commands.dashboard import open_dashboard

    open_dashboard(
        host=host,
        port=port,
        opens=open_,
        database=database,
        token=token,
        trust_proxy_headers=trust_proxy_headers,
        per_namespace=per_namespace,
        store=store,
        read_only=read_only,
        keep_logs=keep_logs,
    )
