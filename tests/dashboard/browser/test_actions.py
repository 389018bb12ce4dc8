"""What people tell runs to do, on the page; and that the page follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Shown

Picture = Callable[[str], None]
Accessible = Callable[[], None]
GHOST = """
INSERT INTO run (run_id, name, backend, target, phase, message, failed_items, host, pid, process, login, started_at,
  heartbeat_at, version) VALUES ('ghost', 'night', 'default', '', 'Running', '', 0, 'elsewhere', 7, '', 'ada',
  extract(epoch from now()) - 5, extract(epoch from now()) + 600, 1)
"""


@pytest.fixture
def ghost(shown: Shown) -> Iterator[str]:
    """A run of another machine: it goes on, and cannot be reached from here."""
    shown.site.server.execute(GHOST, shown.site.database)
    yield "ghost"
    shown.site.server.execute("DELETE FROM run WHERE run_id = 'ghost'", shown.site.database)


def _confirm(page: Page, action: str) -> None:
    page.get_by_role("button", name=action, exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_run_is_followed_while_it_goes_on(page: Page, shown: Shown, picture: Picture) -> None:
    folder = shown.site.folder / "followed"
    folder.mkdir()
    with shown.site.running("survey.py:night", "-p", f"folder={folder}") as run:
        page.goto(f"/runs/{run}")
        node = page.locator('[data-id="observe"]')
        expect(node).to_contain_text("Running")
        page.locator('[data-id="archive"]').click()
        expect(page.get_by_role("complementary", name="Node archive")).to_contain_text("Waits for observe")
        page.keyboard.press("Escape")
        expect(page.get_by_role("complementary")).to_have_count(0)
        picture("running")
        page.get_by_role("tab", name="Logs").click()
        log = page.get_by_role("tabpanel")
        expect(log).to_contain_text("waiting for a clear sky")
        (folder / "clear").touch()
        expect(log).to_contain_text("the sky is clear")
        page.get_by_role("tab", name="Graph").click()
        expect(page.locator('[data-id="archive"]')).to_contain_text("Succeeded")
        expect(page.get_by_role("heading", level=1).locator("..")).to_contain_text("Succeeded")


def test_a_run_is_cancelled(page: Page, shown: Shown, accessible: Accessible) -> None:
    folder = shown.site.folder / "never"
    folder.mkdir()
    with shown.site.running("survey.py:night", "-p", f"folder={folder}") as run:
        page.goto(f"/runs/{run}")
        page.get_by_role("button", name="Cancel", exact=True).click()
        expect(page.get_by_role("dialog")).to_contain_text("What runs is killed at once")
        accessible()
        page.get_by_role("dialog").get_by_role("button", name="Cancel", exact=True).click()
        expect(page.locator('[data-id="observe"]')).to_contain_text("Cancelled")
        shown.site.until_phase(run, "Cancelled")


def test_several_runs_are_cancelled_with_one_question_and_each_says_what_came_of_it(
    page: Page, shown: Shown, ghost: str, complaints: list[str], picture: Picture, accessible: Accessible
) -> None:
    folder = shown.site.folder / "several"
    folder.mkdir()
    night = ("survey.py:night", "-p", f"folder={folder}")
    with shown.site.running(*night) as first, shown.site.running(*night) as second:
        page.goto("/")
        for run in (shown.survey, first, ghost):
            page.get_by_role("checkbox", name=f"Choose {run}").check()
        page.get_by_role("checkbox", name=f"Choose {first}").click()
        page.get_by_role("checkbox", name=f"Choose {second}").click()
        page.get_by_role("checkbox", name=f"Choose {first}").click(modifiers=["Shift"])
        chosen = page.get_by_role("region", name="Chosen runs")
        expect(chosen).to_contain_text("4 chosen")
        chosen.get_by_role("button", name="Cancel 3").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("1 is in no state for this")
        accessible()
        dialog.get_by_role("button", name="Cancel 3 runs").click()
        expect(dialog).to_contain_text("2 of 3 told, 1 refused")
        expect(dialog).to_contain_text(f"{first}: told to end at once")
        expect(dialog).to_contain_text("ghost is not running on this machine")
        accessible()
        picture("several")
        dialog.get_by_role("button", name="Close").click()
        expect(chosen).to_contain_text("2 chosen")
        for run in (first, second):
            expect(page.get_by_role("row").filter(has_text=run)).to_contain_text("Cancelled")
    assert all("409" in each for each in complaints)
    complaints.clear()


def test_runs_are_chosen_by_the_keyboard(page: Page, shown: Shown) -> None:
    page.goto("/")
    expect(page.get_by_text(shown.survey, exact=True)).to_be_visible()
    chosen = page.get_by_role("region", name="Chosen runs")
    for key, said in (("x", "1 chosen"), ("X", "3 chosen")):
        page.keyboard.press("j")
        if key == "X":
            page.keyboard.press("j")
        page.keyboard.press(key)
        expect(chosen).to_contain_text(said)
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)
    page.get_by_role("checkbox", name="runs that are loaded").press("Space")
    expect(chosen).to_be_visible()


def test_a_node_that_waits_for_an_approval_says_so_and_is_approved(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    with shown.site.running("release.yaml") as run:
        page.goto(f"/runs/{run}?node=check")
        panel = page.get_by_role("complementary", name="Node check")
        expect(panel).to_contain_text("Publish the catalogue?")
        expect(page.locator('[data-id="publish"]')).to_contain_text("Pending")
        accessible()
        picture("waiting")
        _confirm(page, "Approve")
        expect(page.locator('[data-id="publish"]')).to_contain_text("Succeeded")
        shown.site.until_phase(run, "Succeeded")


def test_a_run_that_failed_is_repeated_and_the_new_one_names_it(page: Page, shown: Shown) -> None:
    page.goto(f"/runs/{shown.failed}")
    _confirm(page, "Retry")
    expect(page.get_by_text(f"a new run goes on from {shown.failed}")).to_be_visible()
    listed = shown.site.until(
        lambda: [
            r
            for r in shown.site.get("runs")["items"]
            if r["resumed_from"] == shown.failed and r["finished_at"]
        ]
    )
    page.goto(f"/runs/{listed[0]['run_id']}")
    expect(page.get_by_role("link", name=shown.failed)).to_be_visible()


def test_a_run_is_repeated_from_a_node(page: Page, shown: Shown) -> None:
    page.goto(f"/runs/{shown.survey}?node=fit")
    page.get_by_role("complementary", name="Node fit").get_by_role("button", name="Retry from here").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Retry from fit?")
    dialog.get_by_role("button", name="Retry from here").click()
    expect(page.get_by_text(f"a new run goes on from {shown.survey}")).to_be_visible()
    new = shown.site.until(
        lambda: [
            run
            for run in shown.site.get("runs")["items"]
            if run["resumed_from"] == shown.survey and run["phase"] == "Succeeded"
        ]
    )
    nodes = {node["path"]: node for node in shown.site.get(f"runs/{new[0]['run_id']}/nodes")["nodes"]}
    assert nodes["fit"]["phase"] == "Succeeded"
    assert nodes.get("measure", {"phase": "Cached"})["phase"] in ("Cached", "Succeeded")
