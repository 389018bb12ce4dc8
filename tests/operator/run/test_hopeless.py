"""Pods that can never start: their node fails, and nothing of it stays."""

from __future__ import annotations

from typing import Any

import pytest
from headwater_operator.kube.api import ApiError

from tests.operator.simulated_nodes import PODS, ROOT_IMAGE, End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import World

Object = dict[str, Any]
CONTAINER = {"image": ROOT_IMAGE}
SAID = "the image runs as root, and the pod may not"


def mapped(**more: Any) -> Object:
    return {"name": "a", "map": {"container": CONTAINER, "over": {"x": {"range": 3}}, **more}}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["unit", "map", "tolerant map"])
def test_a_node_whose_pods_can_never_start_fails(kind: str, seed: int) -> None:
    node = {
        "unit": {"name": "a", "container": CONTAINER, "retry": {"limit": 3}},
        "map": {**mapped(), "retry": {"limit": 3}},
        "tolerant map": mapped(tolerate="all"),
    }[kind]

    async def run() -> None:
        world = World(lambda path, attempt, index: End(), seed)
        world.kill_at = lambda call, done: seed > 0 and world.rng.random() < 0.05
        world.start_operator()
        world.submit("run", {"blocks": [{"name": "main", "nodes": [node]}]})
        await world.finish("run")
        status = world.status("run")
        if kind == "tolerant map":
            assert status["phase"] == "Succeeded"
            assert status["nodes"]["a"]["items"] == {"total": 3, "succeeded": "", "failed": "0-2"}
        else:
            assert status["phase"] == "Failed"
            assert SAID in status["message"]
        await world.until(lambda: not world.api.collection(PODS), 60)
        await world.stop_operator()

    run_simulated(run())


def test_a_map_whose_job_the_server_refuses_fails_with_the_servers_words() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 0)
        said = {
            "kind": "Status",
            "reason": "Invalid",
            "message": "Job is invalid: volumeMounts[0].name: Not found",
        }
        others = world.api.hook

        def refuse(method: str, path: str, done: bool) -> None:
            if method == "POST" and path.endswith("/jobs"):
                raise ApiError(422, "refused", said)
            others(method, path, done)

        world.api.hook = refuse
        world.start_operator()
        world.submit("run", {"blocks": [{"name": "main", "nodes": [mapped()]}]})
        await world.finish("run")
        assert world.status("run")["phase"] == "Failed"
        assert "volumeMounts[0].name: Not found" in world.status("run")["message"]
        await world.stop_operator()

    run_simulated(run())
