"""The operator is killed at any moment of a run: the run ends as if nothing had happened, nothing is started twice."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.conftest import LONG, NewLab
from tests.chaos.documents import Plan
from tests.chaos.harness import PATIENCE, Lab, Operator, kills

LANES, MOMENTS = (25, 200) if LONG else (2, 8)


async def a_quiet_run(lab: Lab) -> int:
    """How many calls an operator that nobody kills makes for the run."""
    before = lab.proxy.calls
    plan = Plan("quiet")
    await lab.submit(plan)
    await lab.ended([plan.name])
    lab.check_outcomes([plan])
    return lab.proxy.calls - before


async def a_run_killed_at(lab: Lab, operator: Operator, plan: Plan, call: int, *, after: bool) -> None:
    """A run whose operator dies at this call of it, before or after the call takes effect."""
    at = lab.proxy.calls + call
    killed = asyncio.Event()

    def kill(number: int, done: bool) -> bool:
        if number < at or done is not after or killed.is_set():
            return False
        killed.set()
        operator.kill()
        return True

    lab.proxy.hook = kill
    await lab.submit(plan)
    async with asyncio.timeout(PATIENCE):
        await killed.wait()
    operator.start()
    await lab.ended([plan.name])


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("lane", range(LANES))
async def test_killed_at_any_call_of_a_run_it_ends_the_same(new_lab: NewLab, lane: int) -> None:
    async with new_lab(seed=lane) as lab:
        operator = lab.operator()
        calls = await a_quiet_run(lab)
        moments = range(lane, MOMENTS, LANES)
        for number, moment in enumerate(moments):
            plan = Plan(f"run-{moment}")
            # Spread over the whole run; in turns before and after the call takes effect.
            at = 1 + moment * (calls - 1) // MOMENTS
            await a_run_killed_at(lab, operator, plan, at, after=bool(number % 2))
            lab.check_outcomes([plan])
            lab.check_started_once()
        assert operator.lives == len(moments) + 1
        lab.report(lane=lane, runs=len(moments) + 1, kills=len(moments))
        await lab.delete_all()


@pytest.mark.timeout(900)
async def test_killed_again_and_again_it_ends_the_same(new_lab: NewLab) -> None:
    async with new_lab(seed=1) as lab:
        operator = lab.operator()
        plans = [Plan(f"run-{number}") for number in range(5)]
        await lab.submit(*plans)
        async with kills(lab, operator, seed=1, most_calls=60) as moments:
            await lab.ended(plan.name for plan in plans)
        lab.check_outcomes(plans)
        lab.check_started_once()
        assert moments, "nobody was killed"
        await lab.delete_all()
