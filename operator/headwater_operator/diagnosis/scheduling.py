"""Why no node takes a pod: the scheduler's text as a sentence, with what would fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from headwater_operator.diagnosis.missing import missing
from headwater_operator.diagnosis.nodes import largest_offer, of_node, requested, untolerated, usable
from headwater_operator.diagnosis.reading import Json, one_line
from headwater_operator.diagnosis.verdicts import Waiting

_HEAD = re.compile(r"^\d+/(\d+) nodes are available: ")
_TAIL = re.compile(r"[.,]? (?:no new claims to deallocate, )?preemption: ")
_PART = re.compile(r"(\d+) (.+?)(?=, \d+ [A-Za-z]|$)")
_TAINT = re.compile(r"had untolerated taint(?:\(s\))?(?: \{([^:}]*)(?:: ?([^}]*))?\})?")

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
_SICK = {
    "node.kubernetes.io/not-ready": "not ready",
    "node.kubernetes.io/unreachable": "unreachable",
    "node.kubernetes.io/disk-pressure": "short of disk",
    "node.kubernetes.io/memory-pressure": "short of memory",
    "node.kubernetes.io/pid-pressure": "short of process ids",
    "node.kubernetes.io/network-unavailable": "without network",
    "node.kubernetes.io/unschedulable": "cordoned",
}
_VOLUME = (
    ("unbound immediate PersistentVolumeClaims", "a volume of the pod is not there yet (its claim is not bound)",
     "check the storage class of the claim"),
    ("didn't find available persistent volumes to bind", "no volume fits the claim",
     "check size and storage class of the claim"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Part:
    """One reason: what is the matter, the facts of it, what to do."""

    sentence: str
    fact: str = ""
    fix: str = ""


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
    absent = missing(why)
    if absent is not None:
        return absent
    for sign, sentence, fix in _VOLUME:
        if sign in why:
            return Waiting(f"{sentence}: {fix}", "Volume")
    parts = [_part(pod, int(count), text.strip(" ."), nodes) for count, text in _PART.findall(why)]
    if not parts:
        return Waiting(f"no node takes the pod: {one_line(why)}", "Unschedulable")
    text = "; ".join(f"{part.sentence} ({part.fact})" if part.fact else part.sentence for part in parts)
    fixes = ", or ".join(dict.fromkeys(part.fix for part in parts if part.fix))
    return Waiting(f"{text}: {fixes}" if fixes else text, "Unschedulable")


def _part(pod: Json, count: int, text: str, nodes: Sequence[Json]) -> _Part:
    n = "1 node" if count == 1 else f"{count} nodes"
    if text.startswith("Insufficient "):
        return _insufficient(pod, n, text.removeprefix("Insufficient "), nodes)
    taint = _TAINT.search(text)
    if taint is not None:
        named = [(taint[1].strip(), (taint[2] or "").strip())] if taint[1] else untolerated(pod, nodes)
        return _tainted(n, named)
    for sign, sentence, fix in _KNOWN:
        if sign in text:
            return _Part(sentence.format(n=n), _selected(pod) if "nodeSelector" in sentence else "", fix)
    return _Part(f"{n}: {text.removeprefix('node(s) ')}")


def _insufficient(pod: Json, n: str, resource: str, nodes: Sequence[Json]) -> _Part:
    """Too little of a resource: wait where a node could hold it, else ask for less."""
    sentence = f"Insufficient {resource} on {n}"
    fewer = "less" if resource in ("cpu", "memory", "ephemeral-storage") else "fewer"
    candidates = usable(pod, nodes)
    if not candidates:
        return _Part(sentence, fix=f"ask for {fewer} or add nodes")
    largest = largest_offer(candidates, resource)
    if largest is None:
        return _Part(sentence, "no node that it could use has any", f"add nodes that have {resource}")
    asked = requested(pod, resource)
    shown = f"the largest node has {of_node(largest[1])}"
    if asked is None:
        return _Part(sentence, shown, f"ask for {fewer} or add nodes")
    fact = f"it asks for {asked[1]}; {shown}"
    if asked[0] > largest[0]:
        return _Part(sentence, fact, f"ask for {fewer} or add a larger node")
    return _Part(sentence, fact, f"wait for other pods to end, ask for {fewer} or add nodes")


def _selected(pod: Json) -> str:
    selector = (pod.get("spec") or {}).get("nodeSelector") or {}
    return ", ".join(f"{key}={value}" for key, value in selector.items())


def _tainted(n: str, taints: Sequence[tuple[str, str]]) -> _Part:
    sick = [_SICK[key] for key, _ in taints if key in _SICK]
    shown = [f"{key}={value}" if value else key for key, value in taints if key not in _SICK]
    if sick and not shown:
        return _Part(f"{n} {' or '.join(sick)}")
    which = f"the taint {' or '.join(shown)}" if shown else "a taint"
    return _Part(f"{n} with {which}", fix="add a toleration for it")
