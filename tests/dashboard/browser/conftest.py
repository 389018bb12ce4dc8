"""The dashboard in a real browser: over PostgreSQL, with runs that flowctl has carried out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from headwater_dashboard.page import PAGE
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.cluster.places import CHECKOUT
from tests.dashboard.browser import chromium, seeded, site
from tests.dashboard.browser.site import Site
from tests.operator.mirror.conftest import server  # noqa: F401
from tests.operator.mirror.servers import Server

AXE = CHECKOUT / "dashboard" / "web" / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = CHECKOUT / "docs" / "images" / "dashboard"
"""Where pictures go when HEADWATER_PICTURES is set (`make pictures`)."""

WIDTH, HEIGHT = 1280, 800


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one worker, which has the one browser and the one site: said before xdist reads the groups."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(180))


@dataclass(frozen=True)
class Shown:
    """The site, with the ids of runs in it."""

    site: Site
    survey: str
    smaller: str
    failed: str
    figures: str
    large: str
    wide: str


@pytest.fixture(scope="session")
def shown(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:  # noqa: F811
    """The dashboard, with runs that have ended."""
    if not (PAGE / "index.html").exists():
        pytest.skip("the dashboard's page is not built: `make web` (needs Node)")
    with site.opened(server, tmp_path_factory.mktemp("survey")) as found:
        smaller = found.run("survey.py:survey", "-p", "objects=120")
        survey = found.run("survey.py:survey", "-p", "objects=240")
        failed = found.run("survey.py:calibrate")
        figures = found.run("survey.py:figures")
        large, wide = seeded.large_graph(found), seeded.wide_map(found)
        yield Shown(found, survey, smaller, failed, figures, large, wide)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium, for the tests of one module: while it is open, no test may have an event loop of its own."""
    program = chromium.program()
    if program is None:
        reason = "no Chromium: `python -m tests.dashboard.browser up` installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason} (CI never skips these tests)")
        pytest.skip(reason)
    with sync_playwright() as playwright:
        expect.set_options(timeout=60_000)  # two cores may have a whole cluster to carry
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser has complained of: none may be left when the test ends."""
    return []


@pytest.fixture(params=["light"])
def page(
    request: pytest.FixtureRequest, browser: Browser, shown: Shown, complaints: list[str]
) -> Iterator[Page]:
    """A page of the browser; whatever it complains of, or asks another host for, fails the test."""
    context = browser.new_context(
        base_url=shown.site.address, viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme=request.param, locale="en-GB", timezone_id="UTC", reduced_motion="reduce",
    )  # fmt: skip
    context.set_default_timeout(60_000)

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def on_request(asked: Request) -> None:
        if not asked.url.startswith((shown.site.address, "data:", "blob:")):
            complaints.append(f"asked for {asked.url}")

    found = context.new_page()
    found.on("console", on_console)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on("request", on_request)
    yield found
    context.close()
    assert complaints == []


dark = pytest.mark.parametrize("page", ["dark"], indirect=True)


@pytest.fixture
def picture(page: Page, tmp_path: Path) -> Callable[[str], None]:
    """Take a picture of the page as it is; kept for the documentation when that is wanted."""
    folder = PICTURES if os.environ.get("HEADWATER_PICTURES") else tmp_path

    def take(name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        page.mouse.move(0, 0)
        page.screenshot(path=folder / f"{name}.png", animations="disabled")
        assert (folder / f"{name}.png").stat().st_size > 5_000

    return take


@pytest.fixture
def accessible(page: Page) -> Callable[[], None]:
    """Have axe look at the page: nothing may stand against WCAG 2.1 AA."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: `make web`")

    def look() -> None:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate(
            "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(found => found.violations.map("
            "each => `${each.id}: ${each.help}: ${each.nodes.map(node => node.html.slice(0, 200)).join(' | ')}`))"
        )
        assert found == []

    return look
