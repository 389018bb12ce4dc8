"""Operators that come and go: one takes over from another, two work at once by mistake, their clocks differ."""

from __future__ import annotations

import random
import time

import pytest

from tests.chaos.conftest import LONG, NewLab
from tests.chaos.documents import Plan, plan_of
from tests.chaos.harness import LEASE, Lab, kills
from tests.chaos.launcher import Launcher
from tests.chaos.proxy import Faults


async def holder(lab: Lab) -> str:
    found = await lab.api.get(LEASE.format(lab.namespace))
    return str(found["spec"].get("holderIdentity") or "")


async def seconds_of_a_run(lab: Lab, name: str) -> float:
    began = time.monotonic()
    plan = Plan(name)
    await lab.submit(plan)
    await lab.ended([name])
    lab.check_outcomes([plan])
    return time.monotonic() - began


@pytest.mark.timeout(900)
async def test_the_lease_of_an_operator_that_ends_well_is_free_and_the_next_acts_at_once(
    new_lab: NewLab,
) -> None:
    async with new_lab() as lab:
        first = lab.operator()
        usual = await seconds_of_a_run(lab, "before")
        await first.terminate()
        assert await holder(lab) == ""
        lab.operator()
        # Whoever waits for a lease to run out waits 15 s.
        assert await seconds_of_a_run(lab, "after") < usual + 12


@pytest.mark.timeout(900)
async def test_an_operator_that_stands_by_takes_over_at_once_from_one_that_was_killed(
    new_lab: NewLab,
) -> None:
    async with new_lab() as lab:
        first = lab.operator()
        usual = await seconds_of_a_run(lab, "before")
        held_by = await holder(lab)
        lab.operator()
        first.kill()
        assert await seconds_of_a_run(lab, "after") < usual + 12
        assert await holder(lab) != held_by


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(4 if LONG else 1))
async def test_two_operators_without_a_lease_do_no_harm(new_lab: NewLab, seed: int) -> None:
    plans = [Plan("plain"), *(plan_of(10 * seed + number) for number in range(5))]
    async with new_lab(seed=seed, faults=Faults(rate=0.05, watch=(0.2, 5.0))) as lab:
        lab.operator(leader_election=False)
        other = lab.operator(leader_election=False)
        await lab.submit(*plans)
        async with kills(lab, other, seed, most_calls=200):
            await lab.ended(plan.name for plan in plans)
        lab.check_outcomes(plans)
        lab.check_started_once()
        await lab.delete_all()


@pytest.mark.timeout(900)
async def test_operators_whose_clocks_are_two_hours_apart_take_turns(
    new_lab: NewLab, hour_ahead: Launcher, hour_behind: Launcher
) -> None:
    plans = [Plan("plain"), *(plan_of(20 + number) for number in range(5))]
    rng = random.Random(3)
    async with new_lab(seed=3) as lab:
        operator = lab.operator(hour_ahead)
        await lab.submit(*plans)
        for turn in range(6):
            await lab.proxy.made(lab.proxy.calls + rng.randint(20, 120), seconds=20)
            operator.kill()
            operator.launcher = hour_behind if turn % 2 == 0 else hour_ahead
            operator.start()
        await lab.ended(plan.name for plan in plans)
        lab.check_outcomes(plans)
        lab.check_started_once()
        now = time.time()
        for plan in plans:
            for node in lab.status(plan.name)["nodes"].values():
                for at in node.get("at", ())[:1]:
                    assert abs(at - now) < 600, f"{plan.name}: the clock of an operator has got in: {node}"
        await lab.delete_all()
