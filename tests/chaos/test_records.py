"""PostgreSQL is killed while runs go on: they do not notice, and afterwards the tables say what the resources say."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater import records
from headwater.testing.postgres import programs
from headwater_operator.run.ending import FINALIZER

from tests.chaos.conftest import LONG, NewLab
from tests.chaos.documents import Object, Plan, plan_of
from tests.chaos.harness import WORKFLOWS, Lab, kills
from tests.chaos.proxy import Faults
from tests.operator.mirror.servers import Server

RUNS = 40 if LONG else 8
SLOW = (400,) * 12


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A PostgreSQL that is killed."""
    pytest.importorskip("psycopg2")
    if programs() is None:
        pytest.skip("needs PostgreSQL on this machine")
    folder = Path(tempfile.mkdtemp(prefix="headwater-chaos-"))
    server = Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def mirrored(workflow: Object) -> bool:
    """Whether a Workflow says that its last state is in the database."""
    conditions = (workflow.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Mirrored" and each["status"] == "True" for each in conditions)


def in_resource(workflow: Object) -> Object:
    """What a Workflow says of its run: phase; of each node phase, attempts, items."""
    status = workflow["status"]
    nodes = {}
    for path, node in status["nodes"].items():
        items = node.get("items") or {}
        nodes[path] = (node["phase"], node.get("attempts", 0), items.get("total"))
    return {"phase": status["phase"], "nodes": nodes}


def in_tables(url: str, workflow: Object) -> Object:
    """What the tables say of the same."""
    uid = workflow["metadata"]["uid"]
    nodes = {
        path: (node.phase, node.attempt, node.total)
        for path, node in records.nodes(url, uid).items()
        if path in workflow["status"]["nodes"]
    }
    return {"phase": records.get_run(url, uid).phase, "nodes": nodes}


async def kill_now_and_then(server: Server, rng: random.Random, kills: list[float]) -> None:
    """Kill the server and start it again, for ever."""
    while True:
        await asyncio.sleep(rng.uniform(0.5, 3.0))
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(rng.uniform(0.0, 2.0))
        await asyncio.to_thread(server.start)
        kills.append(rng.random())


async def all_mirrored(lab: Lab) -> None:
    await lab.until(lambda: all(map(mirrored, lab.workflows.objects.values())))


@pytest.mark.timeout(2400 if LONG else 900)
async def test_the_tables_equal_the_resources_after_a_database_that_was_killed(
    new_lab: NewLab, postgres: Server
) -> None:
    plans = [Plan("plain"), *(plan_of(100 + number) for number in range(RUNS))]
    with postgres.database() as database:
        url = postgres.url(database)
        async with new_lab(seed=9, faults=Faults(rate=0.05)) as lab:
            operator = lab.operator(database_url=url)
            await lab.submit(*plans)
            crashes: list[float] = []
            killer = asyncio.create_task(kill_now_and_then(postgres, random.Random(9), crashes))
            try:
                async with kills(lab, operator, seed=9, most_calls=800):
                    await lab.ended(plan.name for plan in plans)
            finally:
                killer.cancel()
                await asyncio.gather(killer, return_exceptions=True)
            if postgres.process is None or postgres.process.poll() is not None:
                await asyncio.to_thread(postgres.start)
            await all_mirrored(lab)
            lab.check_outcomes(plans)
            lab.check_started_once()
            assert crashes, "the database was never killed"
            for workflow in lab.workflows.objects.values():
                assert in_tables(url, workflow) == in_resource(workflow), workflow["metadata"]["name"]
            lab.report(database_kills=len(crashes), runs=len(plans))
            await lab.delete_all()


@pytest.mark.timeout(900)
async def test_runs_deleted_while_the_database_is_down_are_held_until_it_is_back(
    new_lab: NewLab, postgres: Server
) -> None:
    plans = [Plan(f"run-{number}", delays=SLOW) for number in range(3)]
    with postgres.database() as database:
        url = postgres.url(database)
        async with new_lab() as lab:
            operator = lab.operator(database_url=url)
            await lab.submit(*plans)
            await lab.until(lambda: len(lab.running_pods()) >= 3)
            postgres.kill()
            try:
                for plan in plans:
                    await lab.api.delete(f"{WORKFLOWS.format(lab.namespace)}/{plan.name}")
                # Their pods do not go on, although their Workflows cannot go yet.
                await lab.until(lambda: not lab.running_pods())
                operator.kill()
                operator.start()
                await lab.until(lambda: operator.log.read_text().count("active in") == 2)
                assert len(lab.workflows.objects) == len(plans)
                uids = [each["metadata"]["uid"] for each in lab.workflows.objects.values()]
                for workflow in lab.workflows.objects.values():
                    assert FINALIZER in workflow["metadata"]["finalizers"]
            finally:
                postgres.start()
            await lab.until(lambda: not lab.workflows.objects)
            await lab.no_orphans()
            lab.check_started_once()
            for uid in uids:
                assert records.get_run(url, uid).phase == "Cancelled"
