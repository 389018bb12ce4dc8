"""Why no node takes a pod: the scheduler's text as a sentence, with what would fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from headwater.errors import DocumentError

from headwater_operator.builders.quantities import amount
from headwater_operator.diagnosis.reading import Json, one_line
from headwater_operator.diagnosis.verdicts import Waiting

_HEAD = re.compile(r"^\d+/(\d+) nodes are available: ")
_TAIL = re.compile(r"[.,]? (?:no new claims to deallocate, )?preemption: ")
_PART = re.compile(r"(\d+) (.+?)(?=, \d+ [A-Za-z]|$)")
_TAINT = re.compile(r"had untolerated taint(?:\(s\))? ?\{?([^:}]*)(?:: ?([^}]*))?\}?")

_KNOWN: tuple[tuple[str, str, str], ...] = (
    ("didn't match Pod's node affinity/selector", "{n} with other labels than nodeSelector and affinity ask for",
     "change nodeSelector or affinity, or label a node"),
    ("were unschedulable", "{n} cordoned", "uncordon one, or wait for maintenance to end"),
    ("Too many pods", "{n} with as many pods as they may hold", "wait for other pods to end, or add nodes"),
    ("had volume node affinity conflict", "{n} out of reach of the pod's volume",
     "use a storage class whose volumes every node reaches"),
    ("didn't match pod anti-affinity rules", "{n} ruled out by anti-affinity", "relax the rule, or add nodes"),
    ("didn't match pod affinity rules", "{n} ruled out by affinity to other pods", "relax the rule"),
    ("didn't have free ports", "{n} whose port is taken", "leave hostPort out"),
    ("didn't match pod topology spread constraints", "{n} ruled out by topology spread",
     "relax the constraint, or add nodes"),
    ("exceed max volume count", "{n} with as many volumes as they may have", "wait, or add nodes"),
)  # fmt: skip
_VOLUME = (
    ("unbound immediate PersistentVolumeClaims", "a volume of the pod is not there yet (its claim is not bound)",
     "check the storage class of the claim"),
    ("persistentvolumeclaim", "", "create the claim, or name another one"),
    ("didn't find available persistent volumes to bind", "no volume fits the claim",
     "check size and storage class of the claim"),
)  # fmt: skip


def unschedulable(pod: Json, message: str, nodes: Sequence[Json]) -> Waiting:
    """What the scheduler's message says, with what would fit.

    >>> text = "0/4 nodes are available: 4 Insufficient nvidia.com/gpu. preemption: 0/4 nodes are available."
    >>> unschedulable({}, text, []).text
    'Insufficient nvidia.com/gpu on 4 nodes: ask for fewer or add nodes'
    """
    if "no nodes available" in message:
        return Waiting("the cluster has no nodes: add some", "Unschedulable")
    head = _HEAD.match(message)
    why = _TAIL.split(message[head.end() :] if head else message, maxsplit=1)[0].strip(" .")
    for sign, sentence, fix in _VOLUME:
        if sign in why:
            return Waiting(f"{sentence or one_line(why)}: {fix}", "Volume")
    parts = [(int(count), text.strip(" .")) for count, text in _PART.findall(why)]
    if not parts:
        return Waiting(f"no node takes the pod: {one_line(why)}", "Unschedulable")
    said = [_sentence(pod, count, text, nodes) for count, text in parts]
    fixes = list(dict.fromkeys(fix for _, fix in said if fix))
    text = "; ".join(sentence for sentence, _ in said)
    return Waiting(f"{text}: {', or '.join(fixes)}" if fixes else text, "Unschedulable")


def _sentence(pod: Json, count: int, text: str, nodes: Sequence[Json]) -> tuple[str, str]:
    n = "1 node" if count == 1 else f"{count} nodes"
    if text.startswith("Insufficient "):
        resource = text.removeprefix("Insufficient ")
        return f"Insufficient {resource} on {n}", _what_fits(pod, resource, nodes)
    taint = _TAINT.search(text)
    if taint is not None:
        key, value = (taint[1] or "").strip(), (taint[2] or "").strip()
        return _tainted(n, f"{key}={value}" if value else key)
    for sign, sentence, fix in _KNOWN:
        if sign in text:
            return sentence.format(n=n), fix
    return f"{n}: {text.removeprefix('node(s) ')}", ""


_SICK = {
    "node.kubernetes.io/not-ready": "not ready",
    "node.kubernetes.io/unreachable": "unreachable",
    "node.kubernetes.io/disk-pressure": "short of disk",
    "node.kubernetes.io/memory-pressure": "short of memory",
    "node.kubernetes.io/pid-pressure": "short of process ids",
    "node.kubernetes.io/network-unavailable": "without network",
    "node.kubernetes.io/unschedulable": "cordoned",
}


def _tainted(n: str, taint: str) -> tuple[str, str]:
    if taint in _SICK:
        return f"{n} {_SICK[taint]}", ""
    return f"{n} with the taint {taint or 'that it has'}", "add a toleration, or use other nodes"


# ---------------------------------------------------------------- what would fit


def _what_fits(pod: Json, resource: str, nodes: Sequence[Json]) -> str:
    """What to do about too little of a resource: wait where a node could hold it, else ask for less."""
    asked = requested(pod, resource)
    largest = max(_offers(nodes, resource), default=None, key=lambda offer: offer[0])
    fewer = "less" if resource in ("cpu", "memory", "ephemeral-storage") else "fewer"
    if largest is None:
        if nodes:
            return f"no usable node has {resource}; add one that has"
        return f"ask for {fewer} or add nodes"
    shown = f"the largest node has {_of_node(largest[1])}"
    if asked is None:
        return f"{shown}; ask for {fewer} or add nodes"
    wanted = f"it asks for {asked[1]}"
    if asked[0] > largest[0]:
        return f"{wanted} and {shown}; ask for {fewer} or add a larger node"
    return f"{wanted}, which fits when other pods end ({shown}); wait, ask for {fewer} or add nodes"


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


def _offers(nodes: Sequence[Json], resource: str) -> Iterator[tuple[Decimal, Mapping[str, Any]]]:
    for node in nodes:
        allocatable = (node.get("status") or {}).get("allocatable") or {}
        if resource in allocatable and not (node.get("spec") or {}).get("unschedulable"):
            try:
                offered = amount(allocatable[resource])
            except DocumentError:
                continue
            if offered > 0:
                yield offered, allocatable


def _of_node(allocatable: Mapping[str, Any]) -> str:
    """`8 cpu, 31.3Gi memory, 2 nvidia.com/gpu`."""
    shown = [f"{allocatable['cpu']} cpu"] if "cpu" in allocatable else []
    if "memory" in allocatable:
        shown.append(f"{amount(allocatable['memory']) / 2**30:.3g}Gi memory")
    shown += [f"{value} {name}" for name, value in allocatable.items() if "/" in name and str(value) != "0"]
    return ", ".join(shown)
