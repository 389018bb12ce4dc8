"""Nodes that have not started are in the status with what they wait for; a suspended run starts none."""

from __future__ import annotations

from typing import Any

from tests.operator.simulated_nodes import PODS, End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import WORKFLOWS, World

Object = dict[str, Any]


def node(name: str, *after: str) -> Object:
    return {"name": name, "container": {"image": "busybox", "command": ["true"]}, "dependsOn": list(after)}


def spec(*nodes: Object, **more: Any) -> Object:
    return {"blocks": [{"name": "main", "nodes": list(nodes)}], **more}


def phases(world: World) -> dict[str, str]:
    return {path: each["phase"] for path, each in world.status("run").get("nodes", {}).items()}


def test_a_run_that_is_created_suspended_starts_when_it_is_let() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        world.start_operator()
        world.submit("run", spec(node("a"), suspend=True))
        await world.until(lambda: world.status("run").get("phase") == "Suspended")
        assert world.api.collection(PODS) == {}
        assert world.status("run")["nodes"]["a"] == {"phase": "Pending", "waiting": "the run is suspended"}
        world.api.change(WORKFLOWS, "run", spec={"suspend": False})
        await world.finish("run")
        assert phases(world) == {"a": "Succeeded"}
        await world.stop_operator()

    run_simulated(run())


def test_what_a_node_waits_for_is_told_from_the_start_and_as_it_shrinks() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 2)
        world.start_operator()
        world.submit("run", spec(node("a"), node("b", "a"), node("c", "a", "b"), parallelism=1))

        def waits(path: str) -> str | None:
            found: str | None = world.status("run").get("nodes", {}).get(path, {}).get("waiting")
            return found

        await world.until(lambda: (waits("b"), waits("c")) == ("a", "a, b"))
        await world.until(lambda: waits("c") == "b")
        await world.finish("run")
        assert set(phases(world).values()) == {"Succeeded"}
        assert (waits("b"), waits("c")) == (None, None)
        await world.stop_operator()

    run_simulated(run())


def test_a_node_that_the_limit_of_the_run_keeps_back_says_so() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 3)
        world.start_operator()
        world.submit("run", spec(node("a"), node("b"), parallelism=1))
        await world.until(
            lambda: any(
                each.get("waiting") == "parallelism: 1 units run already"
                for each in world.status("run").get("nodes", {}).values()
            )
        )
        await world.finish("run")
        await world.stop_operator()

    run_simulated(run())
