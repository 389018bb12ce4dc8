"""An operator killed at any of its calls: the run ends as if nothing had happened, and nothing is started twice."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from headwater_operator.kube.api import ApiError

from tests.operator.simulated_nodes import PODS, End, result
from tests.operator.simulated_time import run_simulated
from tests.operator.world import World

Object = dict[str, Any]
CONTAINER = {"image": "busybox", "command": ["true"]}

SPEC: Object = {
    "entrypoint": "main",
    "blocks": [
        {
            "name": "main",
            "nodes": [
                {"name": "gen", "container": CONTAINER, "outputs": {"xs": {"type": "list"}}},
                {
                    "name": "square",
                    "map": {"container": CONTAINER, "over": {"x": {"from": "gen.xs"}}},
                    "outputs": {"y": {"type": "int"}},
                    "retry": {"limit": 2},
                },
                {"name": "left", "container": CONTAINER, "dependsOn": ["gen"], "retry": {"limit": 2}},
                {"name": "right", "container": CONTAINER, "dependsOn": ["gen"]},
                {
                    "name": "big",
                    "condition": {"input": {"from": "gen.xs"}, "operator": "exists"},
                },
                {"name": "yes", "container": CONTAINER, "branch": {"of": "big", "when": True}},
                {"name": "no", "container": CONTAINER, "branch": {"of": "big", "when": False}},
                {"name": "merge", "merge": {}, "dependsOn": ["yes", "no"]},
                {"name": "twice", "loop": {"block": "body", "iterations": 2}, "dependsOn": ["left", "right"]},
                {
                    "name": "total",
                    "container": CONTAINER,
                    "inputs": {"ys": {"from": "square.y"}},
                    "dependsOn": ["merge", "twice"],
                    "outputs": {"sum": {"type": "int"}},
                },
            ],
        },
        {"name": "body", "nodes": [{"name": "step", "container": CONTAINER}]},
    ],
}


def script(path: str, attempt: int, index: int) -> End:
    """Some attempts fail: the first of `left`, and the first two of item 2."""
    if path == "gen":
        return result(xs=[1, 2, 3, 4, 5])
    if path == "square":
        # On a retry the Job's index is not the item's, and the test does not look into the pod.
        return End(1, "boom") if index == 2 and attempt == 1 else result(y=7)
    if path == "left" and attempt == 1:
        return End(1, "no")
    return result(sum=35) if path == "total" else End()


def outcome(world: World, name: str = "run") -> Object:
    """What must be the same however often the operator died."""
    status = world.status(name)
    nodes = {
        path: (node["phase"], node.get("attempts"), json.dumps(node.get("items"), sort_keys=True))
        for path, node in status["nodes"].items()
    }
    return {"phase": status["phase"], "outputs": status["outputs"], "nodes": nodes}


async def a_run(seed: int, kill_at: Any = None) -> tuple[World, Object]:
    world = World(script, seed)
    if kill_at is not None:
        world.kill_at = kill_at
    world.start_operator()
    world.submit("run", SPEC)
    await world.finish("run")
    await world.stop_operator()
    return world, outcome(world)


EXPECTED_NODES = {
    "gen": "Succeeded", "square": "Succeeded", "left": "Succeeded", "right": "Succeeded", "big": "Succeeded",
    "yes": "Succeeded", "no": "Skipped", "merge": "Succeeded", "twice": "Succeeded", "total": "Succeeded",
}  # fmt: skip


def test_a_run_without_accidents_succeeds() -> None:
    world, found = run_simulated(a_run(0))
    assert found["phase"] == "Succeeded"
    assert found["outputs"] == {"sum": 35}
    assert {path: found["nodes"][path][0] for path in EXPECTED_NODES} == EXPECTED_NODES
    assert found["nodes"]["left"][1] == 2
    assert max(world.nodes.starts.values()) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("part", range(8))
def test_killed_at_every_call_it_ends_the_same(part: int, after: bool) -> None:
    reference, expected = run_simulated(a_run(0))
    calls = reference.operator_calls
    for call in range(1 + part, calls + 1, 8):

        def kill_at(number: int, done: bool, call: int = call) -> bool:
            return number == call and done is after

        world, found = run_simulated(a_run(0, kill_at))
        assert world.kills == 1
        assert found == expected, f"killed {'after' if after else 'before'} call {call}"
        assert max(world.nodes.starts.values()) == 1, f"call {call}: {world.nodes.starts.most_common(3)}"


@pytest.mark.parametrize("seed", range(40))
def test_killed_again_and_again_at_random_it_ends_the_same(seed: int) -> None:
    rng = random.Random(seed)
    _, expected = run_simulated(a_run(seed))
    world, found = run_simulated(a_run(seed, lambda number, done: rng.random() < 0.05))
    assert found == expected
    assert max(world.nodes.starts.values()) == 1


async def a_troubled_run(seed: int, trouble: Callable[[World, random.Random], None]) -> tuple[World, Object]:
    """A run during which something happens again and again."""
    world, rng = World(script, seed), random.Random(seed)
    world.start_operator()
    world.submit("run", SPEC)

    def ended() -> bool:
        if rng.random() < 0.2:
            trouble(world, rng)
        return world.status("run").get("phase") in ("Succeeded", "Failed", "Cancelled")

    await world.until(ended)
    await world.stop_operator()
    return world, outcome(world)


@pytest.mark.parametrize("seed", range(30))
def test_watches_cut_and_history_forgotten_lose_nothing(seed: int) -> None:
    def trouble(world: World, rng: random.Random) -> None:
        if rng.random() < 0.5:
            world.api.forget_history()
        world.api.cut_watches()

    _, expected = run_simulated(a_run(seed))
    world, found = run_simulated(a_troubled_run(seed, trouble))
    assert found == expected
    assert max(world.nodes.starts.values()) == 1


@pytest.mark.parametrize("seed", range(30))
def test_calls_that_fail_or_are_done_and_fail_change_nothing(seed: int) -> None:
    rng = random.Random(seed)

    def fail(call: int) -> Exception | None:
        return ApiError(rng.choice((0, 500, 503)), "injected") if rng.random() < 0.15 else None

    async def run() -> tuple[World, Object]:
        world = World(script, seed)
        world.fail_at = fail
        world.start_operator()
        world.submit("run", SPEC)
        await world.finish("run")
        await world.stop_operator()
        return world, outcome(world)

    _, expected = run_simulated(a_run(seed))
    world, found = run_simulated(run())
    assert found == expected
    assert max(world.nodes.starts.values()) == 1


@pytest.mark.parametrize("seed", range(30))
def test_pods_deleted_by_hand_are_tried_again_and_the_result_is_the_same(seed: int) -> None:
    deleted: list[str] = []

    def trouble(world: World, rng: random.Random) -> None:
        pods = sorted(name for name, pod in world.api.collection(PODS).items() if name not in deleted)
        if pods and len(deleted) < 4:
            name = rng.choice(pods)
            deleted.append(name)
            world.api.remove(PODS, name)
        if rng.random() < 0.3:
            world._die()

    world, found = run_simulated(a_troubled_run(seed, trouble))
    assert found["phase"] == "Succeeded", world.status("run")["message"]
    assert found["outputs"] == {"sum": 35}
