"""Nothing of a run goes on that nobody waits for, whenever the operator dies; and two operators do no harm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.operator.run.test_crashes import SPEC, a_run, outcome, script
from tests.operator.simulated_nodes import JOBS, PODS, End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import WORKFLOWS, World

Object = dict[str, Any]
CONTAINER = {"image": "busybox", "command": ["true"]}


def live(world: World, node: str = "") -> list[str]:
    """The pods (of a node) that have not ended."""
    return [
        name
        for name, pod in world.api.collection(PODS).items()
        if pod["status"].get("phase") not in ("Succeeded", "Failed")
        and node in ("", pod["metadata"]["annotations"]["headwater.dev/path"])
    ]


def spec(*nodes: Object) -> Object:
    return {"entrypoint": "main", "blocks": [{"name": "main", "nodes": list(nodes)}]}


def killed_at_each_call(run: Callable[[Any], Any]) -> None:
    """Run it undisturbed, and then once for every call of the operator, which is killed there."""
    calls = run_simulated(run(lambda call, done: False))
    for at in range(1, calls + 1):
        for after in (False, True):
            run_simulated(run(lambda call, done, at=at, after=after: call == at and done is after))


def test_a_cancelled_run_leaves_nothing_running() -> None:
    nodes = spec(
        {"name": "long", "container": CONTAINER},
        {"name": "many", "map": {"container": CONTAINER, "over": {"i": {"range": 3}}}},
    )

    async def run(kill_at: Any) -> int:
        world = World(lambda path, attempt, index: End(), 0)
        world.kill_at = kill_at
        world.nodes.stuck = "long many"
        world.start_operator()
        world.submit("run", nodes)
        await world.until(lambda: len(live(world)) == 4)
        world.api.change(WORKFLOWS, "run", spec={"terminate": "Cancel"})
        await world.finish("run")
        await world.until(lambda: not live(world), 120)
        await world.until(lambda: not world.api.collection(JOBS), 120)
        await world.stop_operator()
        assert world.status("run")["phase"] == "Cancelled"
        return world.operator_calls

    killed_at_each_call(run)


def test_items_of_a_suspended_map_end_when_the_run_is_cancelled() -> None:
    nodes = spec({"name": "many", "map": {"container": CONTAINER, "over": {"i": {"range": 3}}}})

    async def run(kill_at: Any) -> int:
        world = World(lambda path, attempt, index: End(), 0)
        world.kill_at = kill_at
        world.nodes.stuck = "many"
        world.start_operator()
        world.submit("run", nodes)
        await world.until(lambda: len(live(world)) == 3)
        world.api.change(WORKFLOWS, "run", spec={"suspend": True})
        await world.until(lambda: not world.api.collection(JOBS))
        world.api.change(WORKFLOWS, "run", spec={"terminate": "Cancel"})
        await world.finish("run")
        await world.until(lambda: not live(world), 120)
        await world.stop_operator()
        return world.operator_calls

    killed_at_each_call(run)


def test_an_attempt_that_has_timed_out_does_not_go_on_beside_the_next_node() -> None:
    nodes = spec(
        {"name": "slow", "container": CONTAINER, "timeout": "5s", "continueOnFailure": True},
        {"name": "next", "container": CONTAINER, "dependsOn": ["slow"]},
    )

    async def run(kill_at: Any) -> int:
        world = World(lambda path, attempt, index: End(), 0)
        world.kill_at = kill_at
        world.nodes.stuck = "slow next"
        world.start_operator()
        world.submit("run", nodes)
        await world.until(lambda: bool(live(world, "next")))
        await world.until(lambda: not live(world, "slow"), 120)
        world.nodes.stuck = ""
        await world.finish("run")
        await world.stop_operator()
        assert world.status("run")["nodes"]["slow"]["error"]["class"] == "Timeout"
        return world.operator_calls

    killed_at_each_call(run)


def test_a_finished_run_is_forgotten() -> None:
    async def run() -> None:
        world = World(script, 0)
        world.start_operator()
        world.submit("run", SPEC)
        await world.finish("run")
        await world.until(lambda: not world.reconciler.runs, 60)
        assert not world.cluster.workflows.objects
        assert not world.cluster.active
        assert not world.cluster.pods.objects
        assert not world.cluster.jobs.objects
        await world.stop_operator()

    run_simulated(run())


@pytest.mark.parametrize("seed", range(20))
def test_two_operators_by_mistake_come_to_the_same(seed: int) -> None:
    async def run() -> World:
        world = World(script, seed)
        world.start_operator()
        world.start_operator(beside=True)
        world.submit("run", SPEC)
        await world.finish("run")
        await world.stop_operator()
        return world

    _, expected = run_simulated(a_run(seed))
    world = run_simulated(run())
    assert outcome(world) == expected
    assert max(world.nodes.starts.values()) == 1
