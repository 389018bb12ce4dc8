"""A run on a real Slurm in a real browser: followed as it goes on, and cancelled together with others."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Shown
from tests.slurm.places import Slot
from tests.slurm.use import require

Accessible = Callable[[], None]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def slurm() -> Slot:
    """The running test cluster; `SLURM_CONF` says to flowctl where it is."""
    return require()


def test_a_run_on_slurm_is_followed_and_cancelled(
    page: Page, shown: Shown, slurm: Slot, accessible: Accessible
) -> None:
    folder = shown.site.folder / "slurm"
    folder.mkdir()
    night = ("survey.py:night", "--backend", "slurm", "-p", f"folder={folder}")
    with shown.site.running(*night) as run:
        page.goto(f"/runs/{run}")
        expect(page.locator('[data-id="observe"]')).to_contain_text("Running")
        page.get_by_role("tab", name="Logs").click()
        expect(page.get_by_role("tabpanel")).to_contain_text("waiting for a clear sky")
        page.goto("/?backend=slurm&phase=Running")
        row = page.get_by_role("row").filter(has_text=run)
        expect(row).to_contain_text("slurm")
        expect(page.get_by_role("img", name="Runs by day: 0 succeeded, 0 failed, 1 other")).to_be_visible()
        page.get_by_role("checkbox", name=f"Choose {run}").check()
        page.get_by_role("region", name="Chosen runs").get_by_role("button", name="Cancel 1").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel 1 run").click()
        expect(page.get_by_role("dialog")).to_contain_text("1 of 1 told")
        accessible()
        shown.site.until_phase(run, "Cancelled")
        shown.site.until(lambda: run not in _queue())


def _queue() -> str:
    """The names of the jobs that Slurm has."""
    return subprocess.run(["squeue", "-h", "-o", "%j"], capture_output=True, text=True, check=True).stdout
