"""People who delete things while a run goes on: its pods, the run itself, its whole namespace."""

from __future__ import annotations

import random

import pytest

from tests.chaos.conftest import LONG, NewLab
from tests.chaos.documents import Plan
from tests.chaos.harness import PODS, WORKFLOWS, Lab, kills

SLOW = (300,) * 12
"""Milliseconds that each node runs, so that there is something to delete."""


async def some_pod(lab: Lab, rng: random.Random, but: set[str]) -> str:
    """A pod that goes on, other than those."""
    await lab.until(lambda: set(lab.running_pods()) - but or lab.phase("run") == "Succeeded")
    found = sorted(set(lab.running_pods()) - but)
    return rng.choice(found) if found else ""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(6 if LONG else 1))
async def test_pods_deleted_by_hand_are_tried_again(new_lab: NewLab, seed: int) -> None:
    plan, rng = Plan("run", delays=SLOW), random.Random(seed)
    async with new_lab(seed=seed) as lab:
        lab.operator()
        await lab.submit(plan)
        deleted: set[str] = set()
        for _ in range(4):
            name = await some_pod(lab, rng, deleted)
            if name:
                deleted.add(name)
                await lab.api.delete(f"{PODS.format(lab.namespace)}/{name}")
        await lab.ended(["run"])
        lab.check_outcomes([plan], attempts=False)
        assert deleted
        await lab.delete_all()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("killed", [False, True], ids=["operator lives", "operator is killed"])
async def test_runs_deleted_in_the_middle_leave_nothing(new_lab: NewLab, killed: bool) -> None:
    plans = [Plan(f"run-{number}", delays=SLOW) for number in range(6)]
    rng = random.Random(5)
    async with new_lab(seed=5) as lab:
        operator = lab.operator()
        await lab.submit(*plans)
        async with kills(lab, operator, 5, most_calls=60 if killed else 1_000_000):
            for plan in plans:
                await lab.proxy.made(lab.proxy.calls + rng.randint(1, 40), seconds=10)
                await lab.api.delete(f"{WORKFLOWS.format(lab.namespace)}/{plan.name}")
            await lab.until(lambda: not lab.workflows.objects)
            await lab.no_orphans()
        lab.check_started_once()


@pytest.mark.timeout(900)
async def test_a_run_of_the_same_name_is_another_run(new_lab: NewLab) -> None:
    plan = Plan("run", delays=SLOW)
    async with new_lab() as lab:
        lab.operator()
        for _ in range(3):
            await lab.submit(plan)
            await lab.until(lab.running_pods)
            await lab.delete_all("run")
        await lab.submit(plan)
        await lab.ended(["run"])
        lab.check_outcomes([plan])
        lab.check_started_once()


@pytest.mark.timeout(900)
async def test_a_namespace_that_is_deleted_in_the_middle_goes(new_lab: NewLab) -> None:
    plans = [Plan(f"run-{number}", delays=SLOW) for number in range(3)]
    async with new_lab() as lab:
        lab.operator()
        await lab.submit(*plans)
        await lab.until(lab.running_pods)
        await lab.api.delete(f"/api/v1/namespaces/{lab.namespace}")
        await lab.until(lambda: not lab.workflows.objects and not lab.pods.objects)
