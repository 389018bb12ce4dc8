"""Which blocks share a pod where the document leaves it open."""

from __future__ import annotations

from typing import Any

import pytest
from headwater.document.placement import placed


def decided(nodes: list[dict[str, Any]], **spec: Any) -> str | None:
    found = placed({"blocks": [{"name": "main", "placement": "auto", "nodes": nodes}], **spec})[0]
    result: str | None = found.get("placement")
    return result


A = {"name": "a", "task": "m:a"}
B = {"name": "b", "task": "m:b", "inputs": {"x": {"from": "a.x"}}}


def test_a_chain_of_python_tasks_shares_a_pod() -> None:
    assert decided([A, B, {"name": "c", "task": "m:c", "dependsOn": ["b"]}]) == "unit"


@pytest.mark.parametrize(
    "nodes",
    [
        [A],
        [A, {"name": "b", "task": "m:b"}],
        [A, B, {"name": "c", "task": "m:c", "inputs": {"x": {"from": "a.x"}}}],
        [A, {**B, "resources": {"limits": {"memory": "1Gi"}}}],
        [A, {**B, "image": "other"}],
        [A, {**B, "retry": {"limit": 2}}],
        [A, {"name": "b", "container": {"image": "i"}, "dependsOn": ["a"]}],
        [A, {"name": "b", "map": {"task": "m:b", "over": {"x": {"from": "a.x"}}}}],
        [A, {"name": "b", "suspend": {"duration": "1h"}, "dependsOn": ["a"]}],
    ],
    ids=[
        "one",
        "two beside each other",
        "a fork",
        "resources",
        "image",
        "retry",
        "container",
        "map",
        "suspend",
    ],
)
def test_what_gains_by_pods_of_its_own_gets_them(nodes: list[dict[str, Any]]) -> None:
    assert decided(nodes) is None


def test_what_the_author_says_holds() -> None:
    blocks = [{"name": "main", "placement": "nodes", "nodes": [A, B]}]
    assert placed({"blocks": blocks}) == blocks


def test_retries_by_default_keep_nodes_apart() -> None:
    assert decided([A, B], defaults={"retry": {"limit": 1}}) is None
