"""The Leases of operators: which are alive, and what they say of themselves."""

from __future__ import annotations

import json
from typing import Any

from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.errors import ClusterForbidden
from headwater.backends.kubernetes.outcome import epoch

LEASE = "headwater-operator"
HEALTH = "headwater.dev/health"
HOMES = ("headwater", "headwater-system", "default")
_LEASES = "/apis/coordination.k8s.io/v1"


def operator_leases(cluster: Cluster) -> list[Json]:
    """The Leases of operators, as far as they may be looked at; the one of this namespace first."""
    try:
        found = cluster.list(f"{_LEASES}/leases")
    except ClusterForbidden:
        found = []
        for namespace in dict.fromkeys((cluster.namespace, *HOMES)):
            try:
                found += cluster.list(f"{_LEASES}/namespaces/{namespace}/leases")
            except ClusterForbidden:
                continue
    own = [each for each in found if each["metadata"]["name"].startswith(LEASE)]
    return sorted(own, key=lambda lease: lease["metadata"]["namespace"] != cluster.namespace)


def renewed_at(lease: Json) -> float:
    """When its holder was last heard of."""
    return epoch((lease.get("spec") or {}).get("renewTime")) or 0.0


def holder_of(lease: Json) -> str:
    """Who holds it; "" when an operator that has ended has given it back."""
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def health_of(lease: Json) -> dict[str, Any]:
    """What the operator writes of itself: `runs`, `mirror`, `store`, `image`, `namespace` ("" for all).

    >>> health_of({"metadata": {"annotations": {"headwater.dev/health": '{"runs": 3}'}}})
    {'runs': 3}
    """
    text = (lease["metadata"].get("annotations") or {}).get(HEALTH)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
