"""What `flowctl doctor` says of operators and Slurm clusters; the rest is looked at on a real cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from headwater.backends.kubernetes.doctor import Finding, examine
from headwater.backends.kubernetes.errors import ClusterForbidden

STATUSES = {
    "hpc": {
        "phase": "Ready",
        "version": "24.11",
        "lastSeen": "2027-01-15T08:00:00Z",
        "partitions": ["a", "b"],
    },
    "old": {"phase": "Unreachable", "message": "no answer", "lastSeen": "2026-01-15T08:00:00Z"},
    "new": {},
}


def _get(path: str, *_: Any, **__: Any) -> dict[str, Any]:
    if path == "/version":
        return {"gitVersion": "v1.31.0", "major": "1", "minor": "31"}
    raise ClusterForbidden("not here")


def _list(path: str, *_: Any, **__: Any) -> list[dict[str, Any]]:
    if path.endswith("/namespaces/lab/slurmclusters"):
        return [{"metadata": {"name": name}, "status": each} for name, each in STATUSES.items()]
    raise ClusterForbidden("not here")


def cluster_with(list_: Any) -> Any:
    return SimpleNamespace(
        get=_get, create=_get, list=list_, core=lambda *words: "/".join(words), clock=lambda: 1800000000.0,
        namespace="lab", server="here", login=SimpleNamespace(context="c"), own=lambda *words: "/".join(words),
    )  # fmt: skip


def operator_findings(**lease: str) -> list[Finding]:
    def leases(path: str, *_: Any, **__: Any) -> list[dict[str, Any]]:
        if path.endswith("/leases"):
            return [{"metadata": {"name": "headwater-operator", "namespace": "lab"}, "spec": lease}]
        raise ClusterForbidden("not here")

    return [each for each in examine(cluster_with(leases)) if each.name == "operator"]


def test_an_operator_that_holds_its_lease_is_alive() -> None:
    (found,) = operator_findings(holderIdentity="me", renewTime="2027-01-15T07:59:50Z")
    assert (found.ok, found.said) == (True, "me is alive (lease lab/headwater-operator)")


def test_an_operator_that_has_given_its_lease_back_is_not_alive() -> None:
    (found,) = operator_findings(holderIdentity="", renewTime="2027-01-15T07:59:50Z")
    assert (found.ok, found.said) == (False, "the operator has ended, 10 s ago")
    assert found.fix == "Start it again: flowctl operator run."


def test_an_operator_that_is_silent_for_long_is_not_alive() -> None:
    (found,) = operator_findings(holderIdentity="me", renewTime="2027-01-15T07:58:20Z")
    assert (found.ok, found.said) == (False, "the operator was last alive 100 s ago")


def test_slurm_clusters_are_told_of() -> None:
    found = {each.name: each for each in examine(cluster_with(_list)) if each.name.startswith("Slurm")}
    assert {name: each.ok for name, each in found.items()} == {
        "Slurm cluster hpc": True, "Slurm cluster old": False, "Slurm cluster new": None,
    }  # fmt: skip
    assert found["Slurm cluster hpc"].said == "Slurm 24.11 answered at 2027-01-15T08:00:00Z; partitions: a, b"
    assert (
        found["Slurm cluster old"].said == "Unreachable: no answer; it answered last at 2026-01-15T08:00:00Z"
    )
