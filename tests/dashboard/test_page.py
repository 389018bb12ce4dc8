"""The page's files, and the page itself for every address of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater.configuration import database_url
from headwater_dashboard.app import create_app
from headwater_dashboard.options import Options
from starlette.testclient import TestClient

from tests.dashboard.conftest import AT_ONCE


@pytest.fixture
def built(tmp_path: Path) -> Iterator[TestClient]:
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<p>the page")
    (page / "assets" / "main-abc.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    (page / "link").symlink_to(tmp_path / "secret")
    app = create_app(Options(database_url(), requests_per_second=AT_ONCE), folder=page)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def test_every_address_that_is_no_file_is_the_page(built: TestClient) -> None:
    for path in ("/", "/runs", "/runs/20261127-1/nodes/a[3]/b?tab=log", "/apis", "/" + "a" * 3000):
        answer = built.get(path)
        assert (answer.status_code, answer.text) == (200, "<p>the page")
        assert answer.headers["cache-control"] == "no-cache"


def test_assets_are_kept_for_ever_and_a_missing_one_is_said(built: TestClient) -> None:
    found = built.get("/assets/main-abc.js")
    assert "immutable" in found.headers["cache-control"]
    assert "javascript" in found.headers["content-type"]
    assert built.get("/assets/gone.js").status_code == 404


def test_its_files_are_packed_for_who_unpacks_them(built: TestClient) -> None:
    for path, content in (("/assets/main-abc.js", "1"), ("/", "<p>the page")):
        packed = built.get(path, headers={"Accept-Encoding": "gzip"})
        plain = built.get(path, headers={"Accept-Encoding": "identity"})
        assert (packed.headers["content-encoding"], packed.text) == ("gzip", content)
        assert ("content-encoding" in plain.headers, plain.text) == (False, content)


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/assets/../../secret",
        "/link",
        "//etc/passwd",
        "/..\\secret",
    ],
)
def test_no_path_leads_out_of_the_page(built: TestClient, path: str) -> None:
    answer = built.get(f"http://127.0.0.1{path}")
    assert answer.text in ("<p>the page",) or answer.status_code == 404


def test_the_api_has_no_page(built: TestClient) -> None:
    answer = built.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.json()["fix"] == "/api/v1/openapi.json lists what there is."
    assert built.get("/api").status_code == 404
    assert built.post("/runs").status_code in (403, 405)


def test_a_checkout_without_the_page_says_how_to_build_it(tmp_path: Path) -> None:
    with TestClient(
        create_app(Options(database_url()), folder=tmp_path / "none"), base_url="http://127.0.0.1"
    ) as client:
        answer = client.get("/runs/x")
    assert "<code>make web</code>" in answer.text
    assert "GET /api/v1/runs/{run_id}/nodes" in answer.text
