"""Nodes that run on Slurm: a bridge for each, replaced when it is lost, and no job that nobody waits for."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from headwater.document.unit import UnitReport, write_report

from tests.operator.simulated_nodes import JOBS, PODS, End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import WORKFLOWS, World

Object = dict[str, Any]
CLUSTERS = WORKFLOWS.replace("workflows", "slurmclusters")
KILLED = End(137, "", "Error")


def node(name: str, *after: str, **more: Any) -> Object:
    slurm = {"executor": "slurm", "slurm": {"cluster": "hpc", "partition": "short"}}
    return {
        "name": name,
        "task": f"m:{name}",
        "outputs": {"x": {"type": "int"}},
        "dependsOn": list(after),
        **slurm,
        **more,
    }


def spec(*nodes: Object, **more: Any) -> Object:
    return {
        "blocks": [{"name": "main", "placement": "nodes", "nodes": list(nodes)}],
        "code": {"image": "i"},
        **more,
    }


def ended(**outputs: Any) -> End:
    return End(0, write_report(UnitReport(outputs={name: {"json": each} for name, each in outputs.items()})))


def world_with_cluster(script: Any, seed: int = 1) -> World:
    world = World(script, seed)
    cluster = {"transport": "rest", "endpoint": "http://slurm", "workdir": "/w", "secretRef": {"name": "jwt"}}
    world.api.add(CLUSTERS, {"kind": "SlurmCluster", "metadata": {"name": "hpc"}, "spec": cluster})
    return world


def bridges(world: World) -> list[Object]:
    """Every bridge that ever was created."""
    return [
        obj
        for _, where, kind, obj in world.api.log
        if where == PODS and kind == "ADDED" and obj["metadata"]["labels"]["headwater.dev/kind"] == "bridge"
    ]


def order(pod: Object) -> Object:
    found: Object = json.loads(
        next(
            each["value"] for each in pod["spec"]["containers"][0]["env"] if each["name"] == "HEADWATER_SLURM"
        )
    )
    return found


def jobs(world: World) -> Counter[str]:
    """How many bridges carried each Slurm job, those that cancel left out."""
    return Counter(order(pod)["name"] for pod in bridges(world) if not cancels(pod))


def cancels(pod: Object) -> bool:
    return "cancel" in pod["spec"]["containers"][0]["command"]


def cancelled(world: World) -> set[str]:
    return {order(pod)["name"] for pod in bridges(world) if cancels(pod)}


def finalizers(world: World) -> list[str]:
    found: list[str] = world.api.collection(WORKFLOWS)["run"]["metadata"].get("finalizers") or []
    return found


def test_a_node_waits_in_the_queue_until_its_job_runs() -> None:
    async def run() -> None:
        world = world_with_cluster(lambda path, attempt, index: ended(x=3))
        world.nodes.queued = "fit"
        world.start_operator()
        world.submit("run", spec(node("fit")))
        await world.until(lambda: "queue of Slurm" in str(world.status("run").get("nodes", {}).get("fit")))
        assert world.status("run")["nodes"]["fit"]["phase"] == "Running"
        world.nodes.queued = ""
        await world.finish("run")
        assert world.status("run")["nodes"]["fit"]["phase"] == "Succeeded"
        await world.until(lambda: finalizers(world) == [])
        (pod,) = bridges(world)
        assert order(pod)["slurm"] == {"partition": "short"}
        assert "secretRef" not in order(pod)["cluster"]
        await world.stop_operator()

    run_simulated(run())


def test_a_bridge_that_is_lost_is_replaced_as_often_as_it_takes_and_the_job_stays_the_same() -> None:
    async def run() -> None:
        deaths = iter([KILLED] * 8)
        world = world_with_cluster(lambda path, attempt, index: next(deaths, ended(x=3)), 2)
        world.start_operator()
        world.submit("run", spec(node("fit")))
        await world.finish("run")
        found = world.status("run")["nodes"]["fit"]
        assert (found["phase"], found["attempts"]) == ("Succeeded", 1)
        assert [*jobs(world).values()] == [9]
        assert cancelled(world) == set()
        await world.stop_operator()

    run_simulated(run())


def test_a_bridge_that_is_deleted_by_hand_comes_again() -> None:
    async def run() -> None:
        world = world_with_cluster(lambda path, attempt, index: ended(x=3), 3)
        world.nodes.stuck = "fit"
        world.start_operator()
        world.submit("run", spec(node("fit")))
        for seen in (1, 2, 3):
            await world.until(
                lambda seen=seen: len(bridges(world)) == seen and bool(world.api.collection(PODS))
            )  # type: ignore[misc]
            world.api.remove(PODS, next(iter(world.api.collection(PODS))))
        world.nodes.stuck = ""
        await world.finish("run")
        found = world.status("run")["nodes"]["fit"]
        assert (found["phase"], found["attempts"], len(jobs(world))) == ("Succeeded", 1, 1)
        await world.stop_operator()

    run_simulated(run())


def test_a_failure_that_the_job_reports_is_one_of_the_node_and_a_retry_is_another_job() -> None:
    async def run() -> None:
        said = {"type": "ValueError", "message": "no", "class": "Error", "node": "fit"}
        failed = End(1, write_report(UnitReport(failure=said)), "Error")
        world = world_with_cluster(lambda path, attempt, index: failed if attempt == 1 else ended(x=1), 4)
        world.start_operator()
        world.submit("run", spec(node("fit", retry={"limit": 1})))
        await world.finish("run")
        assert world.status("run")["nodes"]["fit"]["attempts"] == 2
        assert [*jobs(world).values()] == [1, 1]
        assert cancelled(world) == set()
        await world.stop_operator()

    run_simulated(run())


def test_a_run_that_is_cancelled_cancels_its_job_and_stays_until_that_is_done() -> None:
    async def run() -> None:
        world = world_with_cluster(lambda path, attempt, index: ended(x=3), 5)
        world.nodes.stuck = "fit"
        world.start_operator()
        world.submit("run", spec(node("fit")))
        await world.until(
            lambda: world.status("run").get("nodes", {}).get("fit", {}).get("phase") == "Running"
        )
        world.api.change(WORKFLOWS, "run", spec={"terminate": "Cancel"})
        await world.finish("run")
        await world.until(lambda: cancelled(world) == set(jobs(world)))
        await world.until(lambda: finalizers(world) == [] and world.status("run").get("settled") == "true")
        assert [pod["status"]["phase"] for pod in world.api.collection(PODS).values()] == ["Succeeded"]
        await world.stop_operator()

    run_simulated(run())


@pytest.mark.parametrize("seed", range(12))
def test_a_run_that_is_deleted_at_any_time_leaves_nothing_on_slurm(seed: int) -> None:
    async def run() -> None:
        world = world_with_cluster(lambda path, attempt, index: ended(x=3), seed)
        world.nodes.stuck = "fit"
        world.start_operator()
        world.submit("run", spec(node("fit"), node("other")))
        await world.until(lambda: len(bridges(world)) == 2)
        first = world.operator_calls + world.rng.randrange(1, 8)
        world.kill_at = lambda call, done: call == first and done == bool(seed % 2)
        done = "other" in {
            path
            for path, each in world.status("run").get("nodes", {}).items()
            if each["phase"] == "Succeeded"
        }
        world.api.change(WORKFLOWS, "run", metadata={"deletionTimestamp": "2027-01-15T08:00:00Z"})
        await world.until(lambda: "run" not in world.api.collection(WORKFLOWS))
        wanted = {job for job in jobs(world) if "-fit-" in job or not (done or "-other-" in job)}
        assert wanted <= cancelled(world)
        await world.stop_operator()

    run_simulated(run())


def test_a_map_is_one_job_with_one_bridge_that_a_kill_does_not_end() -> None:
    async def run() -> None:
        results = {index: {"x": {"json": index}} for index in range(5)}
        report = write_report(UnitReport(items="0-4", results=results))
        deaths = iter([KILLED, KILLED])
        world = world_with_cluster(lambda path, attempt, index: next(deaths, End(0, report)), 6)
        world.start_operator()
        mapped = {key: each for key, each in node("fit").items() if key != "task"}
        mapped["map"] = {"task": "m:f", "over": {"i": {"range": 5}}, "itemsPerPod": 2, "parallelism": 4}
        world.submit("run", spec(mapped, node("after", "fit")))
        await world.until(lambda: bool(world.api.collection(JOBS)))
        (job,) = world.api.collection(JOBS).values()
        assert job["spec"]["completions"] == 1
        await world.finish("run")
        assert world.status("run")["nodes"]["fit"]["items"]["succeeded"] == "0-4"
        assert sorted(jobs(world).values()) == [1, 3]
        assert [order(pod).get("parallelism") for pod in bridges(world)] == [4, 4, 4, None]
        await world.stop_operator()

    run_simulated(run())


def test_the_runs_parallelism_reaches_an_array_that_is_running() -> None:
    async def run() -> None:
        results = {index: {"x": {"json": index}} for index in range(20)}
        report = write_report(UnitReport(items="0-19", results=results))
        world = world_with_cluster(lambda path, attempt, index: End(0, report), 7)
        world.nodes.stuck = "fit"
        world.start_operator()
        mapped = {key: each for key, each in node("fit").items() if key != "task"}
        mapped["map"] = {"task": "m:f", "over": {"i": {"range": 20}}, "itemsPerPod": 2}
        world.submit("run", spec(mapped, parallelism=6))
        await world.until(lambda: limits(world) == ["6"])
        world.api.change(WORKFLOWS, "run", spec={"parallelism": 3})
        await world.until(lambda: limits(world) == ["3"])
        world.api.change(WORKFLOWS, "run", spec={"parallelism": 50})
        await world.until(lambda: limits(world) == ["10"])  # it has no more tasks
        world.api.change(WORKFLOWS, "run", spec={"parallelism": None})
        await world.until(lambda: limits(world) == [None])
        world.nodes.stuck = ""
        await world.finish("run")
        assert world.status("run")["phase"] == "Succeeded"
        await world.stop_operator()

    run_simulated(run())


def limits(world: World) -> list[str | None]:
    """What bridges are told of how many tasks may run at once."""
    pods = world.api.collection(PODS).values()
    return [pod["metadata"]["annotations"].get("headwater.dev/limit") for pod in pods]


def test_a_run_that_names_a_cluster_which_is_not_there_is_refused() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        world.start_operator()
        world.submit("run", spec(node("fit")))
        await world.finish("run")
        found = world.status("run")
        assert (found["phase"], found["reason"]) == ("Failed", "InvalidSpec")
        assert "there is no SlurmCluster 'hpc' in namespace 'lab'" in found["message"]
        assert world.api.collection(PODS) == {}
        await world.stop_operator()

    run_simulated(run())
