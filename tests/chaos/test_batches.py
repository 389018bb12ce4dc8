"""Seeded runs, many at once under one operator, while it is killed and a tenth of its calls fail.

HEADWATER_CHAOS=long: ten batches of fifty runs. What a seed's run is, and what must come of it: documents.py.
"""

from __future__ import annotations

import pytest

from tests.chaos.conftest import LONG, NewLab
from tests.chaos.documents import plan_of
from tests.chaos.harness import kills
from tests.chaos.proxy import Faults

BATCHES, RUNS = (10, 50) if LONG else (1, 16)
FAULTS = Faults(rate=0.1, watch=(0.5, 10.0), bookmarks=0.5)


@pytest.mark.timeout(3000 if LONG else 900)
@pytest.mark.parametrize("batch", range(BATCHES))
async def test_runs_under_kills_and_faults_come_to_what_they_come_to_in_peace(
    new_lab: NewLab, batch: int
) -> None:
    plans = [plan_of(batch * RUNS + number) for number in range(RUNS)]
    async with new_lab(seed=batch, faults=FAULTS) as lab:
        operator = lab.operator()
        await lab.submit(*plans)
        async with kills(lab, operator, seed=batch, most_calls=5 * RUNS) as moments:
            await lab.ended((plan.name for plan in plans), seconds=2400 if LONG else 600)
        lab.check_outcomes(plans)
        lab.check_started_once()
        assert moments, "nobody was killed"
        assert lab.proxy.injected
        await lab.delete_all()
        lab.report(batch=batch, runs=len(plans), kills=len(moments))
