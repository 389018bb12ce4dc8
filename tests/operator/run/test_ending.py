"""What comes after a run's last pass: its records, its finalizer, its time to live; and before its first: locks."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from headwater_operator.kube.api import ApiError
from headwater_operator.run.ending import FINALIZER
from headwater_operator.run.memory import Run
from headwater_operator.run.views import WorkflowView

from tests.operator.simulated_nodes import JOBS, PODS, End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import WORKFLOWS, Killed, World

Object = dict[str, Any]
CONTAINER = {"image": "busybox", "command": ["true"]}


def one_task(**spec: Any) -> Object:
    return {"blocks": [{"name": "main", "nodes": [{"name": "a", "container": CONTAINER}]}], **spec}


class Records:
    """A database that is up or down."""

    def __init__(self) -> None:
        self.up = True
        self.phases: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.offers = 0

    def offer(self, run: Run, view: WorkflowView, *, complete: bool) -> None:
        self.offers += 1
        if self.up:
            self.versions[run.uid] = run.version
            self.phases[run.uid] = str(run.engine.phase)

    def refused(self, view: WorkflowView, why: str, at: float) -> None:
        self.phases[view.uid] = "Failed"

    def stored(self, run: Run) -> bool:
        return self.versions.get(run.uid, -1) >= run.version

    def on_its_way(self, run: Run) -> bool:
        return False

    def wants_all(self, run: Run) -> bool:
        return False

    def forget(self, uid: str) -> None:
        pass


def mirrored_world(records: Records) -> World:
    world = World(lambda path, attempt, index: End(), 1)
    world.recorder = records
    return world


def test_a_finished_run_lets_go_of_its_finalizer_and_is_not_watched_any_more() -> None:
    async def run() -> None:
        world = mirrored_world(Records())
        world.start_operator()
        world.submit("run", one_task())
        await world.until(lambda: world.status("run").get("settled") == "true")
        assert not world.api.collection(WORKFLOWS)["run"]["metadata"].get("finalizers")
        assert [each["type"] for each in world.status("run")["conditions"]][-1] == "Mirrored"
        assert (world.cluster.workflows.objects, world.reconciler.runs) == ({}, {})
        await world.stop_operator()

    run_simulated(run())


def test_a_run_that_is_deleted_waits_for_the_database_and_is_recorded_as_cancelled() -> None:
    async def run() -> None:
        records = Records()
        world = mirrored_world(records)
        world.start_operator()
        world.submit("run", one_task())
        await world.until(lambda: bool(world.api.collection(PODS)))
        uid = world.api.collection(WORKFLOWS)["run"]["metadata"]["uid"]
        records.up = False
        world.api.remove(WORKFLOWS, "run")
        await world.until(lambda: records.offers > 3)
        assert FINALIZER in world.api.collection(WORKFLOWS)["run"]["metadata"]["finalizers"]
        records.up = True
        await world.until(lambda: "run" not in world.api.collection(WORKFLOWS))
        assert records.phases[uid] == "Cancelled"
        assert not world.api.collection(PODS)
        await world.stop_operator()

    run_simulated(run())


def test_a_run_goes_when_its_time_to_live_is_over_and_takes_everything_along() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        world.start_operator()
        spec = one_task(ttlSecondsAfterFinished=100)
        spec["blocks"][0]["nodes"].append(
            {"name": "m", "map": {"container": CONTAINER, "over": {"i": {"range": 2}}}}
        )
        world.submit("run", spec)
        await world.finish("run")
        assert "run" in world.api.collection(WORKFLOWS)
        await world.until(lambda: "run" not in world.api.collection(WORKFLOWS))
        assert (world.api.collection(PODS), world.api.collection(JOBS)) == ({}, {})
        await world.stop_operator()

    run_simulated(run())


def test_of_runs_with_one_mutex_one_runs_at_a_time_the_most_urgent_first() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        for name, priority in (("low", 0), ("high", 5), ("middle", 2)):
            world.submit(name, one_task(priority=priority, synchronization={"mutex": "db"}))
        world.start_operator()
        order: list[str] = []

        def ended() -> bool:
            running = [n for n in ("low", "high", "middle") if world.status(n).get("phase") == "Running"]
            assert len(running) <= 1
            order.extend(name for name in running if name not in order)
            return all(world.status(name).get("phase") == "Succeeded" for name in ("low", "high", "middle"))

        await world.until(ended)
        assert order == ["high", "middle", "low"]
        await world.stop_operator()

    run_simulated(run())


def test_a_run_that_waits_for_a_mutex_is_pending_and_names_it() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        world.start_operator()
        world.submit("first", one_task(synchronization={"mutex": "db"}))
        await world.until(lambda: world.status("first").get("phase") == "Running")
        world.submit("second", one_task(synchronization={"mutex": "db"}))
        await world.until(lambda: "message" in world.status("second"))
        assert world.status("second")["phase"] == "Pending"
        assert world.status("second")["message"] == "waits for mutex 'db', held by first"
        await world.finish("second")
        await world.stop_operator()

    run_simulated(run())


def test_a_document_that_cannot_run_is_refused_with_the_field_and_nothing_is_created() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        world.start_operator()
        spec = one_task()
        spec["blocks"][0]["nodes"][0]["dependsOn"] = ["nobody"]
        world.submit("run", spec)
        await world.finish("run")
        status = world.status("run")
        assert (status["phase"], status["reason"]) == ("Failed", "InvalidSpec")
        assert "spec.blocks[0].nodes[0].dependsOn" in status["message"]
        assert world.api.collection(PODS) == {}
        await world.stop_operator()

    run_simulated(run())


def _pod_of(world: World, run: str) -> str:
    names = [name for name in world.api.collection(PODS) if name.startswith(f"{run}-")]
    return names[0] if names else ""


@pytest.mark.parametrize("how", ["cancelled", "deleted"])
def test_a_mutex_is_held_until_the_last_pod_of_its_holder_has_gone(how: str) -> None:
    """A pod takes its time to end; a finalizer does that here."""

    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        world.nodes.stuck = "a"
        world.start_operator()
        world.submit("first", one_task(synchronization={"mutex": "db"}))
        await world.until(
            lambda: world.status("first").get("phase") == "Running" and bool(_pod_of(world, "first"))
        )
        lingers = _pod_of(world, "first")
        world.api.change(PODS, lingers, metadata={"finalizers": ["test/lingers"]})
        world.submit("second", one_task(synchronization={"mutex": "db"}))
        await world.until(lambda: "held by first" in world.status("second").get("message", ""))
        if how == "cancelled":
            world.api.change(WORKFLOWS, "first", spec={"terminate": "Cancel"})
            await world.finish("first")
        else:
            world.api.remove(WORKFLOWS, "first")
        later = asyncio.get_running_loop().time() + 60
        await world.until(lambda: asyncio.get_running_loop().time() > later)
        assert (_pod_of(world, "first"), _pod_of(world, "second")) == (lingers, "")
        world.nodes.stuck = ""
        world.api.change(PODS, lingers, metadata={"finalizers": None})
        world.api.remove(PODS, lingers)
        await world.finish("second")
        assert world.status("second")["phase"] == "Succeeded"
        await world.stop_operator()

    run_simulated(run())


def test_a_mutex_that_is_given_is_nobody_elses_before_the_status_says_so() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        others = world.api.hook

        def refuse(method: str, path: str, done: bool) -> None:
            is_known = "phase" in (world.api.collection(WORKFLOWS).get("high", {}).get("status") or {})
            if method == "PATCH" and "/low/status" in path and not is_known:
                raise ApiError(500, "not now")
            others(method, path, done)

        world.api.hook = refuse
        world.start_operator()
        world.submit("low", one_task(synchronization={"mutex": "db"}))
        await world.until(lambda: bool(world.reconciler.runs))
        world.submit("high", one_task(synchronization={"mutex": "db"}, priority=9))
        await world.until(lambda: "phase" in world.status("high"))
        assert "held by low" in world.status("high")["message"]
        await world.finish("low", "high")
        await world.stop_operator()

    run_simulated(run())


@pytest.mark.parametrize("said", ["", "waits for mutex 'db'", "waits for mutex 'db', held by high"])
def test_a_mutex_that_an_operator_gave_as_it_died_is_not_given_twice(said: str) -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        under_way: list[tuple[str, dict[str, Any]]] = []
        patch = world.api.patch

        async def late(path: str, body: dict[str, Any]) -> dict[str, Any]:
            if "/low/status" in path and not under_way:
                under_way.append((path, body))
                raise Killed
            if "/high/status" in path and "engine" in body["status"] and len(under_way) == 1:
                under_way.append((path, body))
                with suppress(ApiError):  # too late, or it would be
                    await patch(*under_way[0])
            return await patch(path, body)

        world.submit("low", one_task(synchronization={"mutex": "db"}))
        world.api.collection(WORKFLOWS)["low"]["status"] = (
            {"phase": "Pending", "message": said} if said else {}
        )
        world.api.patch = late  # type: ignore[method-assign]
        world.start_operator()
        await world.until(lambda: bool(under_way))
        await world.stop_operator()
        world.submit("high", one_task(synchronization={"mutex": "db"}, priority=9))
        flows = world.api.collection(WORKFLOWS)
        flows["low"] = flows.pop("low")  # the next operator comes to it last
        world.start_operator()
        await world.until(lambda: world.status("high").get("phase") == "Running")
        assert "engine" not in world.status("low")
        await world.finish("high", "low")
        await world.stop_operator()

    run_simulated(run())


def test_a_semaphore_with_room_for_all_tells_nobody_to_wait() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        names = [f"r{index}" for index in range(4)]
        for name in names:
            world.submit(name, one_task(synchronization={"semaphore": {"name": "gpus", "limit": 4}}))
        world.start_operator()
        waited: set[str] = set()

        def ended() -> bool:
            waited.update(name for name in names if "waits for" in str(world.status(name).get("message")))
            return all(world.status(name).get("phase") == "Succeeded" for name in names)

        await world.until(ended)
        assert waited == set()
        await world.stop_operator()

    run_simulated(run())


def test_a_run_that_is_cancelled_while_it_waits_for_a_mutex_ends_and_creates_nothing() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        world.nodes.stuck = "a"
        world.start_operator()
        world.submit("first", one_task(synchronization={"mutex": "db"}))
        await world.until(lambda: world.status("first").get("phase") == "Running")
        world.submit("second", one_task(synchronization={"mutex": "db"}))
        await world.until(lambda: world.status("second").get("phase") == "Pending")
        world.api.change(WORKFLOWS, "second", spec={"terminate": "Cancel"})
        await world.finish("second")
        assert world.status("second")["phase"] == "Cancelled"
        assert not _pod_of(world, "second")
        await world.stop_operator()

    run_simulated(run())


def test_a_status_that_somebody_has_broken_is_told_and_its_pods_go() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 1)
        world.nodes.stuck = "a"
        world.start_operator()
        world.submit("run", one_task())
        await world.until(lambda: bool(_pod_of(world, "run")))
        world.api.change(WORKFLOWS, "run", status={"engine": "garbage!!"})
        await world.finish("run")
        assert (world.status("run")["phase"], world.status("run")["reason"]) == ("Failed", "BrokenStatus")
        assert "has somebody changed it? Submit the workflow anew." in world.status("run")["message"]
        await world.until(lambda: not _pod_of(world, "run"))
        await world.stop_operator()

    run_simulated(run())
