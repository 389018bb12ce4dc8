"""Whoever follows a run that no operator takes up is told so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from headwater.backends.kubernetes.errors import ClusterForbidden
from headwater.backends.kubernetes.unseen import Unseen


def cluster_without_operator() -> Any:
    return SimpleNamespace(list=lambda *_, **__: [], clock=lambda: 0.0, namespace="lab")


def test_after_some_seconds_it_is_said_with_what_to_do() -> None:
    said: list[str] = []
    with Unseen(cluster_without_operator(), said.append, patience=0) as unseen:
        unseen.see({"metadata": {}, "spec": {}})
        unseen.thread.join()
    assert said == [
        "no operator has taken the run up yet: no operator has ever run here. Start one: flowctl operator run."
    ]


def test_nothing_is_said_once_an_operator_has_seen_it() -> None:
    said: list[str] = []
    with Unseen(cluster_without_operator(), said.append, patience=60) as unseen:
        unseen.see({"status": {"phase": "Pending"}})
        unseen.thread.join()
    assert said == []


def test_an_operator_that_cannot_be_looked_for_is_no_error() -> None:
    def refuses(*_: Any, **__: Any) -> Any:
        raise ClusterForbidden("'me' may not list leases")

    said: list[str] = []
    cluster = cluster_without_operator()
    cluster.list = cluster.clock = refuses
    with Unseen(cluster, said.append, patience=0) as unseen:
        unseen.thread.join()
    assert "may not list leases" in said[0]
