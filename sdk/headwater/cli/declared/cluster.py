"""doctor, operator run."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli import completion
from headwater.cli.app import Context, Kubeconfig, Namespace, Output, OutputOption, app, operator_app

app.add_typer(operator_app, name="operator")


@app.command()
def doctor(
    context: Context = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check a cluster, and say how to mend it.

    API server, resources, operator, permissions, store, images, and runs that wait. Exit code 1 when something is
    wrong.

    Example: flowctl doctor --namespace science
    """
    from headwater.cli.commands.clusters import examine_cluster

    examine_cluster(place=(kubeconfig, context, namespace), json=output is Output.JSON)


@operator_app.command("run")
def operator_run(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            help="Only runs of this namespace; all by default.", autocompletion=completion.namespaces
        ),
    ] = None,
    image: Annotated[str | None, typer.Option(help="What Python runs in where no image is named.")] = None,
    pull_policy: Annotated[
        str,
        typer.Option(help="Always, IfNotPresent or Never, for that image; Kubernetes decides by default."),
    ] = "",
    store: Annotated[
        str | None,
        typer.Option(
            help="claim://NAME?size=10Gi&class=X&mode=M, a URL such as s3://bucket/folder, or none."
        ),
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(envvar="HEADWATER_DATABASE_URL", help="Where runs are recorded.")
    ] = None,
    shards: Annotated[
        int, typer.Option(min=1, max=100, help="Share the runs among so many operators: each takes one part.")
    ] = 1,
    leader_election: Annotated[
        bool, typer.Option(help="Have one operator of several be active, by a Lease.")
    ] = True,
    lease_namespace: Annotated[str | None, typer.Option(help="The namespace of the Lease.")] = None,
    install_crds: Annotated[bool, typer.Option(help="Install or update Headwater's resources first.")] = True,
    metrics_port: Annotated[int | None, typer.Option(help="Serve Prometheus metrics there.")] = None,
    probe_port: Annotated[int | None, typer.Option(help="Serve health probes there.")] = None,
    log_format: Annotated[str, typer.Option(help="text or json.")] = "text",
    allow_host: Annotated[
        bool, typer.Option("--allow-host", help="Allow hostPath, hostNetwork and privileged containers.")
    ] = False,
) -> None:
    """Run the operator in this process, until it is told to end.

    Examples:

      flowctl operator run --kubeconfig ~/.kube/config --namespace science

      flowctl operator run --store s3://bucket/headwater --database-url postgresql://headwater@db/headwater
    """
    from headwater.cli.commands.operating import run_operator

    given = {
        "kubeconfig": kubeconfig, "context": context, "namespace": namespace, "image": image,
        "pull_policy": pull_policy, "store": store, "database_url": database_url, "shards": shards,
        "leader_election": leader_election, "lease_namespace": lease_namespace, "install_crds": install_crds,
        "metrics_port": metrics_port, "probe_port": probe_port, "log_format": log_format,
        "allow_host": allow_host,
    }  # fmt: skip
    run_operator(given)
