"""What people tell runs to do, on the page; and that the page follows."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Shown

Picture = Callable[[str], None]
Accessible = Callable[[], None]


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
