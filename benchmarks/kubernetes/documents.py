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


def pod(name: str) -> Object:
    """A pod as the operator would make it, created directly: the floor."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"bench": "floor"}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", **CONTAINER}],
            **FAKE,
        },
    }


def indexed_job(name: str, completions: int) -> Object:
    """An indexed Job as the operator would make it, created directly: the floor."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "completionMode": "Indexed",
            "completions": completions,
            "parallelism": min(completions, 1000),
            "backoffLimitPerIndex": 0,
            "template": {
                "metadata": {"labels": {"bench": "floor"}},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "containers": [{"name": "main", **CONTAINER}],
                    **FAKE,
                },
            },
        },
    }
