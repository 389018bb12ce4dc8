"""What is around a node is tried again: its pods are new ones, whatever their attempts count from."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.operator.simulated_nodes import PODS, End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import World

Object = dict[str, Any]
CONTAINER = {"image": "busybox", "command": ["true"]}
STEP = {"name": "body", "inputs": {"i": {"default": 0}}, "nodes": [{"name": "fit", "container": CONTAINER}]}


def fails_first(path: str) -> Any:
    ends: Counter[str] = Counter()

    def script(found: str, attempt: int, index: int) -> End:
        ends[found] += 1
        return End(1, "no") if found == path and ends[found] == 1 else End()

    return script


def around(node: Object) -> Object:
    return {
        "entrypoint": "main",
        "blocks": [{"name": "main", "nodes": [{**node, "retry": {"limit": 1}}]}, STEP],
    }


CASES = {
    "loop": ({"name": "n", "loop": {"block": "body", "iterations": 2}}, "n[1]/fit", 4),
    "call": ({"name": "n", "call": {"block": "body"}}, "n/fit", 2),
    "map": ({"name": "n", "map": {"call": {"block": "body"}, "over": {"i": {"range": 3}}}}, "n[1]/fit", 4),
    "iterate": ({"name": "n", "iterate": {"block": "body", "maxIterations": 2}}, "n[0]/fit", 3),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", CASES)
def test_a_retry_of_what_is_around_a_node_runs_the_node_again(kind: str, seed: int) -> None:
    node, failing, pods = CASES[kind]

    async def run() -> None:
        world = World(fails_first(failing), seed)
        world.kill_at = lambda call, done: seed > 0 and world.rng.random() < 0.05
        world.start_operator()
        world.submit("run", around(node))
        await world.finish("run")
        await world.stop_operator()
        assert world.status("run")["phase"] == "Succeeded", world.status("run")["message"]
        assert len(world.api.collection(PODS)) == pods

    run_simulated(run())


def test_a_map_that_timed_out_is_tried_again_with_jobs_of_its_own() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 3)
        spec = around(
            {"name": "m", "map": {"container": CONTAINER, "over": {"i": {"range": 3}}}, "timeout": "30s"}
        )
        spec["blocks"].pop()
        world.nodes.stuck = "m"
        world.start_operator()
        world.submit("run", spec)
        await world.until(lambda: world.status("run").get("nodes", {}).get("m", {}).get("attempts") == 2)
        world.nodes.stuck = ""
        await world.finish("run")
        assert world.status("run")["phase"] == "Succeeded"
        assert world.status("run")["nodes"]["m"]["items"] == {"total": 3, "succeeded": "0-2"}
        await world.stop_operator()

    run_simulated(run())


def test_the_time_that_a_map_waits_for_a_place_is_not_its_time() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 3)
        body = {"container": CONTAINER, "over": {"i": {"range": 3}}}
        spec = around({"name": "m", "map": body, "timeout": "30s"})
        spec["blocks"].pop()
        world.nodes.frozen = True
        world.start_operator()
        world.submit("run", spec)
        later = asyncio.get_running_loop().time() + 300
        await world.until(lambda: asyncio.get_running_loop().time() > later)
        world.nodes.frozen = False
        await world.finish("run")
        assert world.status("run")["nodes"]["m"]["attempts"] == 1
        assert world.status("run")["phase"] == "Succeeded"
        await world.stop_operator()

    run_simulated(run())


@pytest.mark.parametrize("frozen", [True, False])
def test_a_map_has_to_start_in_time(frozen: bool) -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 3)
        body = {"container": CONTAINER, "over": {"i": {"range": 3}}}
        spec = around({"name": "m", "map": body, "queueTimeout": "30s"})
        spec["blocks"].pop()
        world.nodes.frozen, world.nodes.stuck = frozen, "m"
        world.start_operator()
        world.submit("run", spec)
        if frozen:
            await world.until(lambda: world.status("run").get("phase") == "Failed")
            error = world.status("run")["nodes"]["m"]["error"]
            assert (error["class"], error["message"]) == (
                "Timeout",
                "did not start within its queueTimeout of 30 s",
            )
        else:
            later = asyncio.get_running_loop().time() + 60
            await world.until(lambda: asyncio.get_running_loop().time() > later)
            world.nodes.stuck = ""
            await world.finish("run")
            assert world.status("run")["phase"] == "Succeeded", world.status("run")["message"]
        await world.stop_operator()

    run_simulated(run())


def test_a_unit_that_timed_out_leaves_no_pod_and_is_tried_again() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 3)
        spec = around({"name": "a", "container": CONTAINER, "timeout": "30s"})
        spec["blocks"].pop()
        world.nodes.stuck = "a"
        world.start_operator()
        world.submit("run", spec)
        await world.until(lambda: world.status("run").get("nodes", {}).get("a", {}).get("attempts") == 2)
        world.nodes.stuck = ""
        await world.finish("run")
        assert world.status("run")["phase"] == "Succeeded"
        assert [pod["status"]["phase"] for pod in world.api.collection(PODS).values()] == ["Succeeded"]
        await world.stop_operator()

    run_simulated(run())
