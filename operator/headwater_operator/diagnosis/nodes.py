"""What the cluster's nodes offer, and which of them a pod could use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from headwater.errors import DocumentError

from headwater_operator.builders.quantities import amount
from headwater_operator.diagnosis.reading import Json

_REPELS = ("NoSchedule", "NoExecute")


def usable(pod: Json, nodes: Sequence[Json]) -> list[Json]:
    """The nodes that the pod could run on if they were empty: not cordoned, taints and nodeSelector fit."""
    selector = (pod.get("spec") or {}).get("nodeSelector") or {}
    return [
        node
        for node in nodes
        if not (node.get("spec") or {}).get("unschedulable")
        and selector.items() <= ((node.get("metadata") or {}).get("labels") or {}).items()
        and not untolerated(pod, [node])
    ]


def untolerated(pod: Json, nodes: Sequence[Json]) -> list[tuple[str, str]]:
    """Key and value of the taints of these nodes that keep the pod away.

    >>> node = {"spec": {"taints": [{"key": "gpu", "value": "a100", "effect": "NoSchedule"}]}}
    >>> untolerated({}, [node]), untolerated({"spec": {"tolerations": [{"operator": "Exists"}]}}, [node])
    ([('gpu', 'a100')], [])
    """
    tolerations = (pod.get("spec") or {}).get("tolerations") or ()
    found = [
        (taint.get("key", ""), taint.get("value") or "")
        for node in nodes
        for taint in (node.get("spec") or {}).get("taints") or ()
        if taint.get("effect") in _REPELS and not any(_tolerates(each, taint) for each in tolerations)
    ]
    return list(dict.fromkeys(found))


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint.get("key")):
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (
        taint.get("value") or ""
    )


def requested(pod: Json, resource: str) -> tuple[Decimal, str] | None:
    """How much of a resource the pod's containers ask for together, and how to show it.

    >>> requested({"spec": {"containers": [{"resources": {"requests": {"cpu": "1500m"}}}]}}, "cpu")
    (Decimal('1.500'), '1500m')
    """
    found = [
        str(quantity)
        for container in (pod.get("spec") or {}).get("containers") or ()
        for quantity in [((container.get("resources") or {}).get("requests") or {}).get(resource)]
        if quantity is not None
    ]
    if not found:
        return None
    total = sum((amount(quantity) for quantity in found), Decimal(0))
    return total, found[0] if len(found) == 1 else f"{total.normalize():f}"


def largest_offer(nodes: Sequence[Json], resource: str) -> tuple[Decimal, Mapping[str, Any]] | None:
    """The most that one node has of a resource, and all that this node has; None where none has any."""
    found: tuple[Decimal, Mapping[str, Any]] | None = None
    for node in nodes:
        allocatable = (node.get("status") or {}).get("allocatable") or {}
        try:
            offered = amount(allocatable.get(resource, 0))
        except DocumentError:
            continue
        if offered > (found[0] if found else 0):
            found = offered, allocatable
    return found


def of_node(allocatable: Mapping[str, Any]) -> str:
    """What a node has, for people.

    >>> of_node({"cpu": "8", "memory": "32863848Ki", "pods": "110", "nvidia.com/gpu": "2"})
    '8 cpu, 31.3Gi memory, 2 nvidia.com/gpu'
    """
    shown = [f"{allocatable['cpu']} cpu"] if "cpu" in allocatable else []
    if "memory" in allocatable:
        shown.append(f"{amount(allocatable['memory']) / 2**30:.3g}Gi memory")
    shown += [f"{value} {name}" for name, value in allocatable.items() if "/" in name and str(value) != "0"]
    return ", ".join(shown)
