"""Who may come in, what may be asked, and what the answers allow a browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import httpx
import pytest
from headwater.configuration import database_url
from headwater.errors import UsageError
from headwater_dashboard.access import Access, Person
from headwater_dashboard.app import create_app
from headwater_dashboard.options import Options
from headwater_dashboard.security import RateLimit
from starlette.testclient import TestClient

from tests.dashboard.conftest import AT_ONCE, reduce

TOKEN = "s3cret&token"


def client(**options: object) -> TestClient:
    given = Options(database_url(), **{"requests_per_second": AT_ONCE, **options})  # type: ignore[arg-type]
    return TestClient(create_app(given), base_url="http://127.0.0.1", follow_redirects=False)


@pytest.fixture
def guarded() -> Iterator[TestClient]:
    with client(host="0.0.0.0", token=TOKEN) as found:
        yield found


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "dashboard.example.org", ""])
def test_an_open_address_is_refused_without_a_way_to_log_in(host: str) -> None:
    with pytest.raises(UsageError, match="--token"):
        create_app(Options(database_url(), host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_asks_nobody(host: str) -> None:
    with client(host=host) as found:
        me = found.get("/api/v1/me").json()
    assert me["authenticated"] is False
    assert "cancel" in me["actions"]


def test_a_name_that_a_stranger_points_here_is_refused(here: TestClient) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:80"):
        answer = here.get("/api/v1/runs", headers={"Host": host})
        assert answer.status_code == 400
        assert "name of this machine" in answer.json()["message"]
    for host in ("localhost:1234", "[::1]:80", "127.0.0.1"):
        assert here.get("/api/v1/runs", headers={"Host": host}).status_code == 200


def test_without_the_token_nothing_is_told_but_health(guarded: TestClient) -> None:
    for path in ("/api/v1/runs", "/api/v1/openapi.json", "/api/v1/stream", "/", "/runs/x", "/?token=wrong"):
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert answer.json()["fix"].startswith("Open the address")
    assert guarded.get("/healthz").json() == {"status": "ok"}
    assert guarded.get("/api/v1/runs", headers={"Authorization": "Bearer s3cret"}).status_code == 401
    assert guarded.get("/api/v1/runs", headers={"Cookie": f"headwater={TOKEN}"}).status_code == 401


def test_the_token_opens_in_a_header_or_once_in_the_address(guarded: TestClient) -> None:
    assert guarded.get("/api/v1/me", headers={"Authorization": f"Bearer {TOKEN}"}).json()["authenticated"]
    link = guarded.get("//evil.example/x", params={"token": TOKEN, "phase": "Failed"})
    assert link.status_code == 303
    assert not link.headers["location"].startswith("//")
    link = guarded.get("/runs", params={"token": TOKEN, "phase": "Failed"})
    assert link.headers["location"] == "/runs?phase=Failed"
    assert "HttpOnly; SameSite=Strict" in link.headers["set-cookie"]
    assert TOKEN not in link.headers["set-cookie"]
    assert guarded.get("/api/v1/runs").status_code == 200  # by the cookie


def test_a_proxy_says_who_it_is() -> None:
    with client(host="0.0.0.0", trust_proxy_headers=True) as proxied:
        assert proxied.get("/api/v1/me").status_code == 401
        me = proxied.get("/api/v1/me", headers={"X-Forwarded-User": "ada", "Host": "runs.example"}).json()
    assert (me["user"], me["authenticated"]) == ("ada", True)


def test_a_proxy_names_one_person_and_only_groups_of_the_same_kind_count() -> None:
    seen: list[tuple[str, tuple[str, ...]]] = []

    class Asked(Access):
        def visible(self, who: Person, namespaces: Iterable[str], verb: str = "get") -> tuple[str, ...]:
            seen.append((who.name, who.groups))
            return ()

    with client(host="0.0.0.0", trust_proxy_headers=True, per_namespace=True) as proxied:
        proxied.app.state.access = Asked(lambda: None)  # type: ignore[attr-defined, arg-type, return-value]
        ada = {"X-Forwarded-User": "ada"}
        for headers in (
            {**ada, "X-Forwarded-Groups": "dev, ops", "Remote-Groups": "system:masters"},
            {**ada, "X-Auth-Request-Groups": "system:masters", "Remote-Groups": "system:masters"},
            {**ada, "Remote-User": "ada", "X-Forwarded-Email": "ada@example.org"},
            {**ada, "Remote-User": "ada", "X-Forwarded-Groups": "system:masters", "Remote-Groups": "dev"},
            {"X-Forwarded-Email": "ada", "X-Forwarded-Groups": "dev"},
        ):
            assert proxied.get("/api/v1/runs", headers=headers).status_code == 200
        assert seen == [("ada", ("dev", "ops")), ("ada", ()), ("ada", ()), ("ada", ()), ("ada", ("dev",))]
        for names in (
            [("X-Forwarded-User", "mallory"), ("Remote-User", "ada")],
            [("X-Forwarded-User", "mallory"), ("X-Forwarded-User", "ada")],
        ):
            refused = proxied.get("/api/v1/me", headers=httpx.Headers(names))
            assert refused.status_code == 401
            assert refused.json()["message"] == "the proxy names 2 different people"


def test_a_proxy_on_this_machine_does_not_open_it_to_names_of_strangers() -> None:
    with client(trust_proxy_headers=True) as proxied:
        ada = {"X-Forwarded-User": "ada"}
        assert proxied.get("/api/v1/me", headers=ada).status_code == 200
        refused = proxied.get("/api/v1/me", headers={**ada, "Host": "evil.example"})
    assert refused.status_code == 400
    assert "--pass-host-header=false" in refused.json()["fix"]


@pytest.mark.parametrize("token", [" ", "\t", " s3cret&token", "short"])
def test_a_token_that_is_guessed_at_once_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="openssl rand"):
        create_app(Options(database_url(), host="0.0.0.0", token=token))


def test_a_token_is_guessed_by_link_no_faster_than_by_header() -> None:
    with client(host="0.0.0.0", token=TOKEN, requests_per_second=1e-9) as guarded:
        many = "&".join(["token=x"] * 6000)
        assert guarded.get(f"/?{many}&token={TOKEN.replace('&', '%26')}").status_code == 429
    with client(host="0.0.0.0", token=TOKEN) as guarded:
        assert guarded.get(f"/?token=wrong&token={TOKEN.replace('&', '%26')}").status_code == 401


def test_a_head_is_answered_where_there_is_one(here: TestClient) -> None:
    health = here.head("/healthz")
    assert (health.status_code, health.headers["content-type"]) == (200, "application/json")
    assert here.head("/api/v1/runs").status_code == 405


def test_an_action_needs_the_header_that_only_the_page_can_know(here: TestClient) -> None:
    reduce.run(check=False)
    run = here.get("/api/v1/runs").json()["items"][0]["run_id"]
    path, wish = f"/api/v1/runs/{run}/actions", {"action": "stop"}
    csrf = here.get("/api/v1/me").json()["csrf"]
    for headers in (
        {},
        {"X-Headwater-CSRF": "x"},
        {"X-Headwater-CSRF": csrf, "Origin": "http://evil.example"},
    ):
        assert here.post(path, json=wish, headers=headers).status_code == 403
    allowed = here.post(path, json=wish, headers={"X-Headwater-CSRF": csrf, "Origin": "http://127.0.0.1"})
    assert allowed.status_code == 409  # the run has ended: that far it came


def test_a_dashboard_for_looking_only_does_nothing() -> None:
    reduce.run(check=False)
    with client(read_only=True) as looking:
        me = looking.get("/api/v1/me").json()
        assert me["actions"] == []
        run = looking.get("/api/v1/runs").json()["items"][0]["run_id"]
        headers = {"X-Headwater-CSRF": me["csrf"]}
        answer = looking.post(f"/api/v1/runs/{run}/actions", json={"action": "stop"}, headers=headers)
    assert answer.status_code == 403
    assert "--read-only" in answer.json()["fix"]


def test_every_answer_tells_the_browser_to_be_careful(here: TestClient) -> None:
    for path in ("/", "/runs/x", "/api/v1/runs", "/api/v1/nothing", "/healthz", "/assets/x.js"):
        headers = here.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers


def test_who_asks_too_much_waits() -> None:
    with client(requests_per_second=0.001) as slow:
        answer = slow.get("/api/v1/runs")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"


def test_what_was_used_up_comes_back_with_time() -> None:
    now = [0.0]
    limit = RateLimit(2.0, burst=2.0, clock=lambda: now[0])
    assert [limit.admits("a"), limit.admits("a"), limit.admits("a"), limit.admits("b")] == [
        True,
        True,
        False,
        True,
    ]
    now[0] = 0.5
    assert [limit.admits("a"), limit.admits("a")] == [True, False]


def test_a_large_body_is_refused(here: TestClient) -> None:
    csrf = here.get("/api/v1/me").json()["csrf"]
    answer = here.post("/api/v1/runs/x/actions", content=b"x" * 70_000, headers={"X-Headwater-CSRF": csrf})
    assert answer.status_code == 413
