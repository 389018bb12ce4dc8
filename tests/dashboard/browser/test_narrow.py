"""At 320 CSS pixels, as at 400 % zoom, nothing that is to be used lies beside the page (WCAG 1.4.10).

Graph and timeline are pictures that one moves; what is in them is in the list of nodes too.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Shown

_BESIDE = """() => {
  const scrolls = (node) => {
    for (let at = node.parentElement; at !== null && at !== document.body; at = at.parentElement)
      if (["auto", "scroll"].includes(getComputedStyle(at).overflowX) && at.scrollWidth > at.clientWidth) return true;
    return false;
  };
  return [...document.querySelectorAll("button, a, input, select")]
    .filter((node) => { const box = node.getBoundingClientRect(); return box.width > 0 && box.right > innerWidth + 1; })
    .filter((node) => !scrolls(node) && node.closest(".react-flow, .gantt") === null)
    .map((node) => node.getAttribute("aria-label") || node.textContent || node.tagName);
}"""


@pytest.mark.parametrize(
    "tab", ["runs", "run", "timeline", "nodes", "errors", "logs", "values", "document", "compare"]
)
def test_everything_can_be_reached_on_a_narrow_page(page: Page, shown: Shown, tab: str) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    run = f"/runs/{shown.survey}"
    addresses = {"runs": "/", "run": run, "compare": f"/compare?a={shown.survey}&b={shown.smaller}"}
    page.goto(addresses.get(tab, f"{run}/{tab}"))
    expect(page.get_by_role("banner")).to_be_visible()
    page.wait_for_load_state("networkidle") if tab == "compare" else expect(
        page.get_by_role("main")
    ).to_be_visible()
    expect(page.get_by_text("Loading")).to_have_count(0)
    assert page.evaluate(_BESIDE) == []
