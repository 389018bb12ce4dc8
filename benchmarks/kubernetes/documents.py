"""The workflows that are measured, on fake nodes: their pods end the moment they are placed."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

FAKE = {
    "nodeSelector": {"type": "kwok"},
    "tolerations": [
        {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule", "operator": "Equal"}
    ],
}
CONTAINER: Object = {"image": "fake", "command": ["true"]}


def workflow(name: str, nodes: list[Object], **spec: Any) -> Object:
    """A Workflow whose pods go to fake nodes."""
    return {
        "apiVersion": "headwater.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {"defaults": FAKE, "blocks": [{"name": "main", "nodes": nodes}], **spec},
    }


def one_task() -> list[Object]:
    """One container."""
    return [{"name": "a", "container": CONTAINER}]


def chain(length: int) -> list[Object]:
    """Each after the one before."""
    return [
        {"name": f"n{i}", "container": CONTAINER, **({"dependsOn": [f"n{i - 1}"]} if i else {})}
        for i in range(length)
    ]


def diamond() -> list[Object]:
    """One, two beside each other, one."""
    return [
        {"name": "a", "container": CONTAINER},
        {"name": "b", "container": CONTAINER, "dependsOn": ["a"]},
        {"name": "c", "container": CONTAINER, "dependsOn": ["a"]},
        {"name": "d", "container": CONTAINER, "dependsOn": ["b", "c"]},
    ]


def fan_out(width: int) -> list[Object]:
    """So many, none of which waits for another."""
    return [{"name": f"n{i}", "container": CONTAINER} for i in range(width)]


def mapped(items: int, **options: Any) -> list[Object]:
    """One map."""
    return [{"name": "m", "map": {"container": CONTAINER, "over": {"i": {"range": items}}, **options}}]


def again(found: Object, name: str) -> Object:
    """The same pod or Job as one that the operator has made, to be created directly: the floor.

    What the server has written into it goes, and the label by which the operator knows it.
    """
    meta, spec = found["metadata"], {**found["spec"]}
    for assigned in ("nodeName", "priority", "preemptionPolicy", "selector", "enableServiceLinks"):
        spec.pop(assigned, None)
    if "template" in spec:
        template = spec["template"]
        spec["template"] = {**template, "metadata": _metadata(template["metadata"])}
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {**_metadata(meta), "name": name, "ownerReferences": meta["ownerReferences"]},
        "spec": spec,
    }


def _metadata(found: Object) -> Object:
    labels = {
        key: text
        for key, text in (found.get("labels") or {}).items()
        if key not in _OF_RUN and "batch." not in key
    }
    return {"labels": labels, "annotations": found.get("annotations") or {}}


_OF_RUN = frozenset({"headwater.dev/run-uid", "controller-uid", "job-name"})
