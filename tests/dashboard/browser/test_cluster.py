"""Runs of a real cluster in a real browser: their log as it grows, and a template's form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from headwater_dashboard.options import Options
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.browser.conftest import HEIGHT, WIDTH
from tests.dashboard.conftest import AT_ONCE, served
from tests.dashboard.on_cluster import GOES_ON, GREETS, Place

Picture = Callable[[str], None]
Accessible = Callable[[], None]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def page(browser: Browser, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page on the dashboard of the cluster."""
    monkeypatch.setenv("KUBECONFIG", str(place.cluster.kubeconfig))
    with served(Options(place.database, requests_per_second=AT_ONCE)) as address:
        context = browser.new_context(
            base_url=address, viewport={"width": WIDTH, "height": HEIGHT}, locale="en-GB", timezone_id="UTC"
        )
        context.set_default_timeout(60_000)
        yield context.new_page()
        context.close()


def test_a_run_of_the_cluster_is_followed_and_cancelled(page: Page, place: Place) -> None:
    page.goto("/")
    run = place.run(GOES_ON)
    page.get_by_role("link", name=run.name).click()
    expect(page.locator('[data-id="first"]')).to_contain_text("Running")
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("first: begun")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("tab", name="Graph").click()
    expect(page.locator('[data-id="first"]')).to_contain_text("Cancelled")
    run.ended("Cancelled")


def test_a_template_is_run_by_its_form(
    page: Page,
    place: Place,
    picture: Picture,
    accessible: Accessible,
) -> None:
    place.create_template("greeting", GREETS, version=3, description="Says hello as often as you like")
    page.goto("/templates")
    page.get_by_role("link", name=f"greeting {place.namespace}").click()
    form = page.get_by_role("form", name="Run greeting")
    form.get_by_role("button", name="Run").click()
    expect(form).to_contain_text("needed")
    form.get_by_label("times").fill("2")
    form.get_by_label("who").fill("<b>ada</b>")
    accessible()
    picture("template")
    form.get_by_role("button", name="Run").click()
    form.get_by_role("status").get_by_role("link").click()
    expect(page).to_have_url(re.compile("/runs/"))
    expect(page.locator('[data-id="greet"]')).to_contain_text("Succeeded")
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("greet: hello <b>ada</b>")
