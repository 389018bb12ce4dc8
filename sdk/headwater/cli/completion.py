"""What the shell offers to complete: runs, namespaces, contexts. Nothing here may fail or take long."""

from __future__ import annotations

from typing import Any


def runs(ctx: Any, incomplete: str) -> list[str]:
    """Runs of this machine, and of the cluster where one is named or configured."""
    try:
        from headwater.configuration import database_url
        from headwater.records import queries

        found = [run.run_id for run in queries.list_runs(database_url(), limit=20)]
    except Exception:  # a completion must never fail loudly
        found = []
    found += _names(ctx, "workflows")
    return [name for name in ["last", *found] if name.startswith(incomplete)]


def namespaces(ctx: Any, incomplete: str) -> list[str]:
    """The namespaces of the cluster."""
    try:
        found = [each["metadata"]["name"] for each in _cluster(ctx).list("/api/v1/namespaces")]
    except Exception:
        return []
    return [name for name in found if name.startswith(incomplete)]


def contexts(ctx: Any, incomplete: str) -> list[str]:
    """The contexts of the kubeconfig."""
    try:
        from headwater.backends.kubernetes.login import context_names

        return [
            name for name in context_names(ctx.params.get("kubeconfig") or "") if name.startswith(incomplete)
        ]
    except Exception:
        return []


def _names(ctx: Any, resource: str) -> list[str]:
    try:
        cluster = _cluster(ctx)
        return [each["metadata"]["name"] for each in cluster.list(cluster.own(resource))]
    except Exception:
        return []


def _cluster(ctx: Any) -> Any:
    from headwater.backends.kubernetes.api import Cluster
    from headwater.backends.kubernetes.login import Place

    given = ctx.params
    return Cluster(Place(*(given.get(name) or "" for name in ("kubeconfig", "context", "namespace"))))
