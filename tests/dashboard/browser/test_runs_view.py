"""The list of runs: filters, deep links, what is live, two runs compared."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Shown, dark

Picture = Callable[[str], None]
Accessible = Callable[[], None]


def test_the_list_says_how_each_run_went(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    page.goto("/")
    row = page.get_by_role("row").filter(has_text=shown.failed)
    expect(row).to_contain_text("Failed")
    expect(row).to_contain_text("divide: ZeroDivisionError")
    expect(page.get_by_role("row").filter(has_text=shown.survey)).to_contain_text("Succeeded")
    accessible()
    picture("runs")


@dark
def test_the_list_in_the_dark(page: Page, shown: Shown, picture: Picture, accessible: Accessible) -> None:
    page.goto("/")
    expect(page.get_by_role("row").filter(has_text=shown.failed)).to_be_visible()
    accessible()
    picture("runs-dark")


def test_a_filter_is_in_the_address_and_comes_back_from_it(page: Page, shown: Shown) -> None:
    page.goto("/")
    page.get_by_role("group", name="Phases").get_by_role("button", name="Succeeded").click()
    page.get_by_label("Workflow").select_option("survey")
    expect(page).to_have_url(re.compile(r"phase=Succeeded.*name=survey|name=survey.*phase=Succeeded"))
    expect(page.get_by_text(shown.failed)).to_have_count(0)
    page.reload()
    expect(page.get_by_text(shown.survey, exact=True)).to_be_visible()
    expect(page.get_by_text(shown.failed)).to_have_count(0)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text(shown.failed)).to_be_visible()


def test_the_trend_follows_the_filters_and_says_what_it_does_not_follow(
    page: Page, shown: Shown, accessible: Accessible
) -> None:
    page.goto("/?name=figures")
    trend = page.get_by_role("img", name="Runs by day")
    expect(trend).to_have_accessible_name("Runs by day: 1 succeeded, 0 failed, 0 other in 30 days")
    page.goto("/?name=figures&phase=Failed")
    expect(trend).to_have_accessible_name("Runs by day: 0 succeeded, 0 failed, 0 other in 30 days")
    expect(page.get_by_text("Filtered runs by day")).to_be_visible()
    page.goto("/?name=figures&since=1h")
    expect(page.get_by_text("The chart does not follow: time")).to_be_visible()
    accessible()


def test_a_search_finds_a_run_by_its_error(page: Page, shown: Shown) -> None:
    page.goto("/")
    expect(page.get_by_text(shown.survey, exact=True)).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("division by zero")
    expect(page.get_by_text(shown.survey, exact=True)).to_have_count(0)
    expect(page.get_by_text(shown.failed)).to_be_visible()


def test_nothing_found_says_how_to_see_more(page: Page) -> None:
    page.goto("/?name=nowhere")
    expect(page.get_by_role("heading", name="No run matches")).to_be_visible()


def test_a_run_that_starts_is_on_the_page_without_a_reload(page: Page, shown: Shown) -> None:
    page.goto("/")
    expect(page.get_by_text(shown.survey, exact=True)).to_be_visible()
    folder = shown.site.folder / "list"
    folder.mkdir()
    with shown.site.running("survey.py:night", "-p", f"folder={folder}") as run:
        row = page.get_by_role("row").filter(has_text=run)
        expect(row).to_contain_text("Running")
        (folder / "clear").touch()
        expect(row).to_contain_text("Succeeded")


def test_two_runs_are_compared(page: Page, shown: Shown, picture: Picture, accessible: Accessible) -> None:
    page.goto("/")
    page.get_by_role("checkbox", name=f"Choose {shown.survey}").check()
    page.get_by_role("checkbox", name=f"Choose {shown.smaller}").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page).to_have_url(re.compile(r"/compare\?a=.*&b="))
    main = page.get_by_role("main")
    expect(main).to_contain_text("objects")
    expect(main).to_contain_text("120")
    expect(main).to_contain_text("240")
    accessible()
    picture("compare")


def test_help_tells_the_keys(page: Page, shown: Shown, accessible: Accessible) -> None:
    page.goto("/")
    expect(page.get_by_text(shown.survey, exact=True)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    accessible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_an_address_that_leads_nowhere_says_so(page: Page) -> None:
    page.goto("/nowhere/at/all")
    expect(page.get_by_role("heading", name="No such page")).to_be_visible()
