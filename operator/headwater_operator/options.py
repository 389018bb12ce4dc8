"""What an operator is told when it starts: the options of `flowctl operator run`."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_IMAGE = "headwater-runtime:0.1.0"
DEFAULT_STORE = "claim://headwater-store?size=10Gi"


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    """How an operator runs.

    `namespace` None watches all namespaces. `image` is what Python pods run in where nothing else is named, `store`
    where their values go (`claim://NAME?size=…&class=…&mode=…`, an fsspec URL, or `none`). `database_url` None
    mirrors nothing. Of several `shards` an operator takes one that no other has, and its runs.
    """

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    image: str = DEFAULT_IMAGE
    pull_policy: str = ""
    store: str = DEFAULT_STORE
    database_url: str | None = None
    shards: int = 1
    leader_election: bool = True
    lease_namespace: str | None = None
    install_crds: bool = True
    metrics_port: int | None = None
    probe_port: int | None = None
    log_format: str = "text"
    log_level: str = "info"
    allow_host: bool = False
    workers: int = 16
    concurrency: int = 48
    """API calls in flight at once."""
