"""What `flowctl doctor` says of Slurm clusters; the rest is looked at on a real cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from headwater.backends.kubernetes.doctor import examine
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


def test_slurm_clusters_are_told_of() -> None:
    cluster: Any = SimpleNamespace(
        get=_get, create=_get, list=_list, core=lambda *words: "/".join(words), clock=lambda: 0.0,
        namespace="lab", server="here", login=SimpleNamespace(context="c"), own=lambda *words: "/".join(words),
    )  # fmt: skip
    found = {each.name: each for each in examine(cluster) if each.name.startswith("Slurm")}
    assert {name: each.ok for name, each in found.items()} == {
        "Slurm cluster hpc": True, "Slurm cluster old": False, "Slurm cluster new": None,
    }  # fmt: skip
    assert found["Slurm cluster hpc"].said == "Slurm 24.11 answered at 2027-01-15T08:00:00Z; partitions: a, b"
    assert (
        found["Slurm cluster old"].said == "Unreachable: no answer; it answered last at 2026-01-15T08:00:00Z"
    )
