"""Maps that are stopped, suspended or limited while they run: what runs may end, nothing else begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.operator.simulated_nodes import JOBS, PODS, End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import WORKFLOWS, World

Object = dict[str, Any]
CONTAINER = {"image": "busybox", "command": ["true"]}


def mapped(**spec: Any) -> Object:
    over = {"i": {"range": 12}}
    node = {"name": "m", "map": {"container": CONTAINER, "over": over, "parallelism": 3}}
    return {"blocks": [{"name": "main", "nodes": [node]}], **spec}


def begun(world: World) -> int:
    return sum(attempt > 0 for _, attempt, _ in world.nodes.starts)


def ended_well(world: World) -> int:
    return sum(pod["status"].get("phase") == "Succeeded" for pod in world.api.collection(PODS).values())


def live_pods(world: World) -> list[str]:
    pods = world.api.collection(PODS)
    return [name for name, pod in pods.items() if pod["status"].get("phase") in ("Pending", "Running")]


async def started(world: World, spec: Object, pods: int = 2) -> None:
    world.start_operator()
    world.submit("run", spec)
    await world.until(lambda: ended_well(world) >= pods)


def test_a_stopped_map_ends_what_runs_and_begins_no_more() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        await started(world, mapped())
        world.api.change(WORKFLOWS, "run", spec={"terminate": "Stop"})
        await world.until(lambda: not world.api.collection(JOBS))
        before = begun(world) + sum(
            pod["status"].get("phase") == "Pending" for pod in world.api.collection(PODS).values()
        )
        await world.finish("run")
        assert world.status("run")["phase"] == "Cancelled"
        assert begun(world) == before < 12
        assert all(pod["status"]["phase"] == "Succeeded" for pod in world.api.collection(PODS).values())
        await world.stop_operator()

    run_simulated(run())


def test_a_suspended_map_goes_on_where_it_was_with_nothing_run_twice() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 2)
        await started(world, mapped())
        world.api.change(WORKFLOWS, "run", spec={"suspend": True})
        await world.until(lambda: world.status("run").get("phase") == "Suspended")
        await world.until(
            lambda: not world.api.collection(JOBS) and ended_well(world) == len(world.api.collection(PODS))
        )
        done = ended_well(world)
        assert done < 12
        await world.stop_operator()
        world.start_operator()
        world.api.change(WORKFLOWS, "run", spec={"suspend": False})
        await world.finish("run")
        assert world.status("run")["phase"] == "Succeeded"
        assert world.status("run")["nodes"]["m"]["items"] == {"total": 12, "succeeded": "0-11"}
        assert len(world.api.collection(PODS)) == 12
        await world.stop_operator()

    run_simulated(run())


def test_the_runs_parallelism_holds_for_the_pods_of_maps_and_can_be_raised_and_lifted() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 3)
        spec = mapped(parallelism=2)
        del spec["blocks"][0]["nodes"][0]["map"]["parallelism"]
        world.start_operator()
        world.submit("run", spec)
        await world.until(lambda: bool(world.api.collection(JOBS)))
        job = next(iter(world.api.collection(JOBS)))
        assert world.api.collection(JOBS)[job]["spec"]["parallelism"] == 2
        world.api.change(WORKFLOWS, "run", spec={"parallelism": 5})
        await world.until(lambda: world.api.collection(JOBS)[job]["spec"]["parallelism"] == 5)
        world.api.change(WORKFLOWS, "run", spec={"parallelism": None})
        await world.until(lambda: world.api.collection(JOBS)[job]["spec"]["parallelism"] == 12)
        await world.finish("run")
        assert world.status("run")["phase"] == "Succeeded"
        await world.stop_operator()

    run_simulated(run())


def test_after_a_failure_elsewhere_a_map_begins_no_more_items() -> None:
    async def run() -> None:
        def script(path: str, attempt: int, index: int) -> End:
            return End(1, "broken") if path == "bad" else End()

        world = World(script, 4)
        spec = mapped()
        spec["blocks"][0]["nodes"].append({"name": "bad", "container": CONTAINER})
        world.start_operator()
        world.submit("run", spec)
        await world.finish("run")
        assert world.status("run")["phase"] == "Failed"
        assert world.status("run")["nodes"]["bad"]["phase"] == "Failed"
        assert not any(
            pod["status"].get("phase") in ("Pending", "Running")
            for pod in world.api.collection(PODS).values()
        )
        await world.stop_operator()

    run_simulated(run())


def test_a_cancelled_run_leaves_no_live_pod() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 5)
        await started(world, mapped())
        world.api.change(WORKFLOWS, "run", spec={"terminate": "Cancel"})
        await world.finish("run")
        assert world.status("run")["phase"] == "Cancelled"
        await world.until(
            lambda: (
                not any(
                    pod["status"].get("phase") in ("Pending", "Running")
                    for pod in world.api.collection(PODS).values()
                )
            )
        )
        await world.stop_operator()

    run_simulated(run())


def _most_at_once(world: World) -> Callable[[], bool]:
    """Looks, each time it is called, how many pods run; the most is in `world.most`."""
    seen = [0]

    def look() -> bool:
        seen[0] = max(seen[0], len(live_pods(world)))
        world.most = seen[0]
        return world.status("run").get("phase") in ("Succeeded", "Failed")

    return look


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limits", [(1, None), (None, 1), (2, None), (3, 2)])
@pytest.mark.parametrize("kind", ["large items", "items that fail"])
def test_several_jobs_of_a_map_keep_to_its_limit_together(
    kind: str, limits: tuple[int | None, int | None], seed: int
) -> None:
    """Large items lie in several ConfigMaps, so in several Jobs; failed items come again in a Job of their own."""

    async def run() -> None:
        fails = kind == "items that fail"
        world = World(lambda path, attempt, index: End(int(fails and attempt == 1 and index % 2)), seed)
        over = {"range": 6} if fails else {"value": ["a" * 500_000 + str(number) for number in range(4)]}
        of_run, of_map = limits
        mapped = {"container": CONTAINER, "over": {"i": over}, **({"parallelism": of_map} if of_map else {})}
        spec = {"blocks": [{"name": "main", "nodes": [{"name": "m", "map": mapped, "retry": {"limit": 2}}]}]}
        world.start_operator()
        world.submit("run", {**spec, **({"parallelism": of_run} if of_run else {})})
        await world.until(_most_at_once(world))
        await world.stop_operator()
        assert world.status("run")["phase"] == "Succeeded"
        assert world.most <= min(limit for limit in limits if limit)
        pods = world.api.collection(PODS).values()
        assert {pod["status"]["phase"] for pod in pods} <= {"Succeeded", "Failed"}

    run_simulated(run())
