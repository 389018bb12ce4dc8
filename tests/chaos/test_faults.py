"""Calls that fail, before or after they take effect, and watches that break: the run does not show it."""

from __future__ import annotations

import pytest

from tests.chaos.conftest import NewLab
from tests.chaos.documents import Plan, plan_of
from tests.chaos.proxy import Faults

KINDS = {
    "conflicts": ("conflict", "conflict-after"),
    "errors": ("error", "error-after", "busy"),
    "lost connections": ("reset", "reset-after", "no-answer"),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kinds", KINDS)
async def test_a_third_of_the_calls_fail_and_the_runs_end_the_same(new_lab: NewLab, kinds: str) -> None:
    plans = [Plan("plain"), *(plan_of(seed) for seed in range(4))]
    async with new_lab(seed=7, faults=Faults(rate=0.3, kinds=KINDS[kinds])) as lab:
        lab.operator()
        await lab.submit(*plans)
        await lab.ended(plan.name for plan in plans)
        lab.check_outcomes(plans)
        lab.check_started_once()
        assert sum(lab.proxy.injected.values()) > 10
        await lab.delete_all()


@pytest.mark.timeout(900)
async def test_watches_that_are_cut_in_the_middle_of_a_line_lose_nothing(new_lab: NewLab) -> None:
    plans = [Plan("plain"), *(plan_of(seed) for seed in range(4))]
    async with new_lab(seed=8, faults=Faults(watch=(0.05, 1.0), bookmarks=0.0)) as lab:
        lab.operator()
        await lab.submit(*plans)
        await lab.ended(plan.name for plan in plans)
        lab.check_outcomes(plans)
        lab.check_started_once()
        assert lab.proxy.injected["watch"] > 5
        await lab.delete_all()
