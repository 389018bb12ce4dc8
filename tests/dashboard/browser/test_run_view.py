"""One run: graph, timeline, map, log, errors, values; by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Shown, dark

Picture = Callable[[str], None]
Accessible = Callable[[], None]


def test_the_graph_shows_every_node_and_what_became_of_it(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.survey}")
    for node in ("read-catalogue", "measure", "fit", "report"):
        expect(page.locator(f'[data-id="{node}"]')).to_contain_text("Succeeded")
    page.locator('[data-id="fit"]').click()
    panel = page.get_by_role("complementary", name="Node fit")
    expect(panel).to_contain_text("slope")
    expect(page).to_have_url(re.compile(r"node=fit"))
    accessible()
    picture("graph")


@dark
def test_the_graph_in_the_dark(page: Page, shown: Shown, picture: Picture, accessible: Accessible) -> None:
    page.goto(f"/runs/{shown.failed}")
    expect(page.locator('[data-id="divide"]')).to_contain_text("Failed")
    accessible()
    picture("graph-dark")


def test_a_node_that_failed_says_why_with_its_traceback(
    page: Page, shown: Shown, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.failed}?node=divide")
    panel = page.get_by_role("complementary", name="Node divide")
    expect(panel).to_contain_text("ZeroDivisionError")
    expect(panel).to_contain_text('return {"frames": [1 / each for each in flat]}')
    accessible()


def test_a_graph_of_5000_nodes_is_collapsed_and_searched(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.large}")
    expect(page.get_by_text(re.compile(r"50 of 50\d\d nodes drawn"))).to_be_visible()
    expect(page.locator('[data-id="stage-43"]')).to_be_visible()
    accessible()
    picture("graph-large")
    page.get_by_label("Find a node").fill("stage-43/task-21")
    expect(page.locator('[data-id="stage-43/task-21"]')).to_contain_text("Failed")
    expect(page).to_have_url(re.compile(r"q=stage-43"))


def test_phases_of_a_graph_stand_out_by_mouse_and_by_keyboard(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.failed}")
    page.get_by_role("button", name=re.compile("Failed 1")).click()
    expect(page).to_have_url(re.compile(r"phase=Failed"))
    expect(page.locator(".dim")).to_have_count(2)
    expect(page.locator('[data-id="divide"] .dim')).to_have_count(0)
    accessible()
    picture("graph-filtered")
    page.goto(f"/runs/{shown.large}?phase=Failed")
    expect(page.get_by_role("button", name=re.compile("Failed 1"))).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("n")
    expect(page.locator('[data-id="stage-43/task-21"]')).to_contain_text("Failed")
    page.get_by_role("button", name=re.compile("Failed 1")).press("Space")
    expect(page.locator(".dim")).to_have_count(0)


@dark
def test_a_filtered_graph_in_the_dark(page: Page, shown: Shown, accessible: Accessible) -> None:
    page.goto(f"/runs/{shown.failed}?phase=Failed")
    expect(page.locator(".dim")).to_have_count(2)
    accessible()


def test_all_of_a_graph_of_5000_nodes_can_be_drawn(page: Page, shown: Shown) -> None:
    page.goto(f"/runs/{shown.large}")
    page.get_by_role("button", name="Open all").click()
    expect(page.get_by_text(re.compile(r"50\d\d of 50\d\d nodes drawn"))).to_be_visible()
    expect(page.locator(".react-flow__node").first).to_be_visible()


def test_the_timeline_shows_when_each_attempt_ran(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.survey}/timeline")
    expect(page.get_by_role("tabpanel")).to_contain_text("read-catalogue")
    accessible()
    picture("timeline")


def test_a_map_of_100_000_items_opens_in_the_timeline(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.wide}/timeline")
    page.get_by_role("button", name="Items of simulate").click()
    expect(page).to_have_url(re.compile("open=simulate"))
    density = page.get_by_role("img", name="Ends of items of simulate: 99950 succeeded, 50 did not")
    expect(density).to_be_visible()
    ends = page.get_by_role(
        "button", name=re.compile(r"simulate\[\d+\]: Failed, ended after 1 m 00 s, MemoryError")
    )
    expect(ends).to_have_count(10)
    accessible()
    picture("timeline-map")
    ends.first.click()
    expect(page.get_by_role("complementary", name="Node simulate")).to_contain_text("simulate[97951]")
    page.reload()
    expect(density).to_be_visible()
    page.get_by_role("group", name="Timeline").focus()
    page.keyboard.press("o")
    expect(density).to_have_count(0)
    expect(page).not_to_have_url(re.compile("open="))


@dark
def test_an_open_map_in_the_dark(page: Page, shown: Shown, accessible: Accessible) -> None:
    page.goto(f"/runs/{shown.survey}/timeline?open=measure")
    expect(page.get_by_role("img", name="Ends of items of measure: 233 succeeded, 7 did not")).to_be_visible()
    accessible()


def test_the_nodes_as_a_table(page: Page, shown: Shown, picture: Picture, accessible: Accessible) -> None:
    page.goto(f"/runs/{shown.survey}/nodes")
    expect(page.get_by_role("row").filter(has_text="measure").first).to_contain_text("Succeeded")
    accessible()
    picture("nodes")


def test_a_map_is_a_grid_whose_cells_say_what_became_of_an_item(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.survey}?node=measure&panel=wide")
    panel = page.get_by_role("complementary", name="Node measure")
    expect(panel.get_by_role("heading", name="240 items")).to_be_visible()
    expect(panel).to_contain_text(re.compile(r"Failed\s*7"))
    panel.get_by_role("button", name="14", exact=True).click()
    expect(panel).to_contain_text("measure[14]")
    expect(panel.get_by_role("region", name="Item 14")).to_contain_text(re.compile(r"position\s*21"))
    expect(panel).to_contain_text("no star within <b>2 arcsec</b> of 21.0")
    expect(panel).to_contain_text(f"flowctl replay {shown.survey} 'measure[14]' --pdb")
    expect(page).to_have_url(re.compile(r"item=14"))
    accessible()
    picture("map")
    panel.get_by_role("link", name="Log of the item").click()
    expect(page).to_have_url(re.compile(r"/logs\?node=measure(%5B|\[)14"))


def test_a_map_of_100_000_items_is_walked_by_the_keyboard(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.wide}?node=simulate&panel=wide")
    panel = page.get_by_role("complementary", name="Node simulate")
    expect(panel.get_by_role("heading", name=re.compile("100.000 items"))).to_be_visible()
    panel.get_by_role("application").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(panel.get_by_role("heading", name="simulate[1]")).to_be_visible()
    accessible()
    panel.get_by_role("heading", level=2).scroll_into_view_if_needed()
    picture("map-wide")


def test_what_was_printed_is_text_and_can_be_searched(
    page: Page, shown: Shown, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.failed}/logs")
    log = page.get_by_role("tabpanel")
    expect(log).to_contain_text("<script>window.cracked = true</script> loading")
    assert page.evaluate("window.cracked") is None
    page.goto(f"/runs/{shown.survey}/logs")
    expect(log).to_contain_text("reading 240 positions")
    page.get_by_label("Search the log").fill("fitting 233")
    expect(page).to_have_url(re.compile("q=fitting"))
    expect(page.locator("mark").first).to_be_visible()
    accessible()


def test_a_search_goes_through_the_whole_log_though_a_part_of_it_is_read(
    page: Page, shown: Shown, accessible: Accessible
) -> None:
    run = shown.site.run("survey.py:guiding")
    page.goto(f"/runs/{run}/logs")
    log = page.get_by_role("log", name="Log")
    expect(log).to_contain_text("frame 0:")
    page.get_by_label("Search the log").fill("star lost")
    current = log.locator(".line.current")
    for key, hint, frame in (
        ("", "1 of 5", 1_500), ("n", "2 of 5", 5_500), ("N", "1 of 5", 1_500), ("N", "5 of 5", 17_500),
    ):  # fmt: skip
        if key:
            log.press(key)
        expect(page.get_by_text(hint, exact=True)).to_be_visible()
        expect(current).to_contain_text(f"frame {frame}: the guide star")
        expect(current.locator(".line-number")).to_have_text(str(frame + 1))
    accessible()
    page.get_by_role("button", name="From the start").click()
    expect(log).to_contain_text("frame 0:")
    page.get_by_role("button", name="The end").click()
    expect(log.locator(".line").first).to_contain_text(re.compile("frame 1[5-9]"))
    page.get_by_role("button", name="Next match").click()
    expect(current).to_contain_text("frame 1500:")
    page.get_by_label("Search the log").fill("nowhere to be found")
    expect(page.get_by_text("none", exact=True)).to_be_visible()


def test_the_log_of_a_run(page: Page, shown: Shown, picture: Picture) -> None:
    page.goto(f"/runs/{shown.survey}/logs")
    expect(page.get_by_role("tabpanel")).to_contain_text("reading 240 positions")
    picture("logs")


def test_errors_are_grouped_the_first_cause_first(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.wide}/errors")
    groups = page.get_by_role("article")
    expect(groups).to_have_count(1)
    expect(groups.first).to_contain_text("50 times")
    expect(groups.first).to_contain_text("first cause")
    page.goto(f"/runs/{shown.survey}/errors")
    expect(groups.first).to_contain_text("no star within <b>2 arcsec</b>")
    expect(groups.first).to_contain_text("7 times")
    accessible()
    picture("errors")


@pytest.mark.parametrize("tab", ["values", "document"])
def test_inputs_outputs_and_the_document(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible, tab: str
) -> None:
    page.goto(f"/runs/{shown.survey}/{tab}")
    expect(page.get_by_role("tabpanel")).to_contain_text("objects" if tab == "values" else "read-catalogue")
    accessible()
    picture(tab)


def test_values_in_the_store_are_previewed(
    page: Page, shown: Shown, picture: Picture, accessible: Accessible
) -> None:
    page.goto(f"/runs/{shown.figures}?node=plot")
    panel = page.get_by_role("complementary", name="Node plot")
    closed = panel.get_by_role("button", name="Preview")
    for left in (2, 1):
        expect(closed).to_have_count(left)
        closed.first.click()
    image = panel.get_by_role("img", name="The image sha256")
    expect(image).to_be_visible()
    assert image.evaluate("each => each.naturalWidth") == 160
    expect(panel.get_by_role("cell", name="4.0", exact=True)).to_be_visible()
    accessible()
    picture("preview")


def test_the_keyboard_alone_leads_through_a_run(page: Page, shown: Shown) -> None:
    page.goto(f"/runs/{shown.survey}")
    expect(page.locator('[data-id="fit"]')).to_be_visible()
    page.keyboard.press("2")
    expect(page).to_have_url(re.compile(r"/timeline"))
    page.get_by_role("tab", name="Timeline").focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"/nodes"))
    page.keyboard.press("1")
    page.keyboard.press("j")
    expect(page.get_by_role("complementary")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary")).to_have_count(0)


def test_a_run_that_is_not_there_says_so(page: Page, complaints: list[str]) -> None:
    page.goto("/runs/20200101-000000-nobody")
    expect(page.get_by_role("alert")).to_contain_text("there is no run")
    page.goto("/")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    assert all("404" in each for each in complaints)
    complaints.clear()
