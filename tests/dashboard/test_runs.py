"""The list of runs, by page and by filter, in SQLite and PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

import pytest
from headwater.records import pages, trends
from headwater.records.pages import Cursor
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.dashboard.conftest import Insert, reduce, run_row


def ids(ask: TestClient, query: str = "") -> list[str]:
    answer = ask.get(f"/api/v1/runs?{query}")
    assert answer.status_code == 200, answer.text
    return [run["run_id"] for run in answer.json()["items"]]


def all_pages(ask: TestClient, query: str) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        page = ask.get(f"/api/v1/runs?{query}{cursor}").json()
        found.append([run["run_id"] for run in page["items"]])
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


def test_a_database_that_does_not_exist_has_no_runs(here: TestClient) -> None:
    assert here.get("/api/v1/runs").json() == {"items": [], "next": None}
    assert here.get("/api/v1/stats").json() == {"phases": {}, "days": [], "unfollowed": []}
    assert here.get("/api/v1/names").json()["names"] == []
    assert here.get("/api/v1/runs/r1").status_code == 404


def test_a_run_of_this_machine_is_listed_with_all_that_the_page_shows(here: TestClient) -> None:
    reduce.run(check=False)
    (run,) = here.get("/api/v1/runs").json()["items"]
    assert run["name"] == "reduce"
    assert run["phase"] == "Failed"
    assert run["error"]["node"] == "halves"
    assert run["started_at"] < run["finished_at"]
    assert run["labels"] == {}
    detail = here.get(f"/api/v1/runs/{run['run_id']}").json()
    assert detail.items() >= run.items()
    assert len(detail["code"]) == 2
    document = here.get(f"/api/v1/runs/{run['run_id']}/document").json()["document"]
    assert document["kind"] == "Workflow"


def test_pages_are_whole_and_in_order_where_many_runs_began_at_the_same_time(
    ask: TestClient, insert: Insert
) -> None:
    rows = [run_row(f"r{at:03}", started_at=float(at // 10)) for at in range(57)]
    insert("run", *rows)
    found = all_pages(ask, "limit=7")
    assert [len(page) for page in found] == [7] * 8 + [1]
    assert [run for page in found for run in page] == [f"r{at:03}" for at in reversed(range(57))]


def test_several_phases_are_one_list(ask: TestClient, insert: Insert) -> None:
    phases = ["Failed", "Succeeded", "Lost"]
    insert("run", *(run_row(f"r{at:02}", phase=phases[at % 3], started_at=5.0) for at in range(12)))
    found = all_pages(ask, "phase=Failed&phase=Lost&limit=3")
    assert [run for page in found for run in page] == ["r11", "r09", "r08", "r06", "r05", "r03", "r02", "r00"]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("phase=Failed", "b"),
        ("name=other", "b"),
        ("project=atlas", "c"),
        ("namespace=lab", "c"),
        ("backend=slurm", "b"),
        ("user=grace", "b"),
        ("label=team=a", "c"),
        ("label=team=a&label=env=%C3%A9", "c"),
        ("label=team=a&label=env=x", ""),
        ("since=30", "c"),
        ("until=20", "a"),
        ("since=10&until=30&phase=Failed", "b"),
        ("text=BOOM", "b"),
        ("text=atlas", "c"),
        ("text=oth&user=grace", "b"),
        ("text=100%25", "c"),
        ("text=_", ""),
        ("text=c", "c"),
    ],
)
def test_filters(ask: TestClient, insert: Insert, query: str, wanted: str) -> None:
    labels = json.dumps({"team": "a", "env": "é"})
    insert(
        "run",
        run_row("a", started_at=10.0, message="fine"),
        run_row(
            "b", started_at=20.0, phase="Failed", name="other", backend="slurm", login="grace",
            error_type="E", error_message="it went boom",
        ),
        run_row("c", started_at=30.0, project="atlas", namespace="lab", labels=labels, message="at 100%"),
    )  # fmt: skip
    assert ids(ask, query) == list(wanted)


def test_a_search_goes_on_where_a_page_has_looked_far_enough(
    ask: TestClient, insert: Insert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "WINDOW", 10)
    texts = ["needle" if at in (3, 17) else "hay" for at in range(35)]
    insert("run", *(run_row(f"r{at:02}", message=text, started_at=1.0) for at, text in enumerate(texts)))
    found = all_pages(ask, "text=needle&limit=5")
    assert found == [[], ["r17"], [], ["r03"]]


HOSTILE = [
    "'; DROP TABLE run; --", "%' OR '1'='1", '" OR 1=1 --', "\\d", "!%_", ":x", "%(x)s", "$1",
    "<script>alert(1)</script>", "../../etc/passwd", "\u202e", "z" * 200,
]  # fmt: skip


@pytest.mark.parametrize("field", ["name", "project", "user", "text", "label"])
def test_what_looks_like_sql_or_html_is_data(ask: TestClient, insert: Insert, field: str) -> None:
    columns = {"user": "login", "text": "message", "label": "labels"}
    values = [json.dumps({"k": text}) if field == "label" else text for text in HOSTILE]
    column = columns.get(field, field)
    insert("run", *(run_row(f"odd-{at}", **{column: value}) for at, value in enumerate(values)))
    for at, text in enumerate(HOSTILE):
        answer = ask.get("/api/v1/runs", params={field: f"k={text}" if field == "label" else text})
        assert [run["run_id"] for run in answer.json()["items"]] == [f"odd-{at}"]
        assert answer.headers["content-type"] == "application/json"
    assert len(ids(ask)) == len(HOSTILE)


def test_names_that_hold_html_come_back_as_they_are(ask: TestClient, insert: Insert) -> None:
    name = "<img src=x onerror=alert(1)>"
    insert("run", run_row("r1", name=name))
    assert ask.get("/api/v1/runs").json()["items"][0]["name"] == name
    assert ask.get("/api/v1/names").json()["names"] == [name]


def test_a_filter_that_does_not_exist_is_refused_and_not_passed_over(ask: TestClient) -> None:
    answer = ask.get("/api/v1/runs?workflow=fit")
    assert answer.status_code == 422
    assert answer.json()["message"] == "there is no query parameter 'workflow' here"
    assert "name" in answer.json()["fix"]
    assert ask.get("/api/v1/names?x=1").json()["fix"] == "It has none."


def test_an_unknown_run_says_how_to_find_runs(ask: TestClient, insert: Insert) -> None:
    insert("run", run_row("r1"))
    for part in (
        "", "/document", "/nodes", "/attempts", "/items?path=a", "/items/states?path=a", "/items/times?path=a",
        "/events", "/exceptions", "/errors", "/logs", "/logs/matches?text=a", "/logs/stream", "/stream",
    ):  # fmt: skip
        answer = ask.get(f"/api/v1/runs/r{part}")
        assert answer.status_code == 404
        assert answer.json() == {
            "code": "HW080", "message": "there is no run 'r'", "fix": "`flowctl list` shows the runs."
        }  # fmt: skip


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1000", "since=nan", "since=inf", "cursor=xyz", "cursor=%FF", "cursor=W10", "label=x"],
)
def test_what_is_not_valid_is_refused_with_a_reason(ask: TestClient, query: str) -> None:
    answer = ask.get(f"/api/v1/runs?{query}")
    assert answer.status_code in (409, 422)
    assert set(answer.json()) == {"code", "message", "fix"}


def test_a_nul_character_is_refused(ask: TestClient) -> None:
    assert ask.get("/api/v1/runs?text=a%00b").status_code == 400
    assert ask.get("/api/v1/runs/a%00b").status_code == 400


def test_statistics_count_days_and_durations(
    ask: TestClient, insert: Insert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater_dashboard.runs.time.time", lambda: 10 * 86_400 + 5.0)
    today = 10 * 86_400.0
    insert(
        "run",
        run_row("a", started_at=today + 1, finished_at=today + 3),
        run_row("b", started_at=today + 2, finished_at=today + 12),
        run_row("c", started_at=today - 1, finished_at=today, phase="Failed"),
        run_row("d", started_at=today - 90_000, finished_at=None, phase="Cancelled"),
        run_row("e", started_at=today - 900_000, finished_at=None, phase="Cancelled"),
    )
    found = ask.get("/api/v1/stats?days=3").json()
    assert found["phases"] == {"Cancelled": 2, "Failed": 1, "Succeeded": 2}
    assert found["days"] == [
        {"day": "1970-01-09", "succeeded": 0, "failed": 0, "other": 1, "p50": None, "p95": None},
        {"day": "1970-01-10", "succeeded": 0, "failed": 1, "other": 0, "p50": None, "p95": None},
        {"day": "1970-01-11", "succeeded": 2, "failed": 0, "other": 0, "p50": 2.0, "p95": 10.0},
    ]


TODAY = 10 * 86_400.0


@pytest.fixture
def filtered(ask: TestClient, insert: Insert, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """The API over six runs of today, by name: s, s, s, c, c, c."""
    monkeypatch.setattr("headwater_dashboard.runs.time.time", lambda: TODAY + 50.0)
    at = {"started_at": TODAY + 1, "finished_at": TODAY + 3}
    insert(
        "run",
        run_row("a", name="s", **at),
        run_row("b", name="s", login="grace", started_at=TODAY + 2, finished_at=TODAY + 7),
        run_row("c", name="s", phase="Failed", namespace="lab", **at),
        run_row("d", name="c", project="atlas", **at),
        run_row(
            "e", name="c", phase="Running", labels='{"team": "x"}', started_at=TODAY + 4, finished_at=None
        ),
        run_row("f", name="c", backend="slurm", message="needle", **at),
    )
    return ask


@pytest.mark.parametrize(
    ("query", "phases", "today"),
    [
        ("name=s", {"Failed": 1, "Succeeded": 2}, (2, 1, 0, 2.0)),
        ("name=s&phase=Failed", {"Failed": 1, "Succeeded": 2}, (0, 1, 0, None)),
        ("name=s&namespace=lab", {"Failed": 1}, (0, 1, 0, None)),
        ("project=atlas", {"Succeeded": 1}, (1, 0, 0, 2.0)),
        ("backend=slurm", {"Succeeded": 1}, (1, 0, 0, 2.0)),
        ("user=grace", {"Succeeded": 1}, (1, 0, 0, 5.0)),
        ("name=s&user=grace", {"Succeeded": 1}, (1, 0, 0, 5.0)),
        ("name=s&user=grace&phase=Running", {"Succeeded": 1}, (0, 0, 0, None)),
        ("label=team=x", {"Running": 1}, (0, 0, 1, None)),
        ("text=needle", {"Succeeded": 1}, (1, 0, 0, 2.0)),
        ("name=nowhere", {}, (0, 0, 0, None)),
    ],
)
def test_statistics_follow_the_filters_of_the_list(
    filtered: TestClient, query: str, phases: dict[str, int], today: tuple[object, ...]
) -> None:
    found = filtered.get(f"/api/v1/stats?days=1&{query}").json()
    assert found["phases"] == phases
    assert tuple(found["days"][0][key] for key in ("succeeded", "failed", "other", "p50")) == today
    assert found["unfollowed"] == []


def test_statistics_say_what_they_cannot_follow_where_too_many_runs_would_be_looked_at(
    filtered: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trends, "WINDOW", 2)
    found = filtered.get("/api/v1/stats?days=1&name=s&backend=default&label=team=x&text=e").json()
    assert found["phases"] == {"Failed": 1, "Succeeded": 2}
    assert found["unfollowed"] == ["backend", "label", "text"]
    narrow = filtered.get("/api/v1/stats?days=1&name=c&user=grace").json()
    assert (narrow["phases"], narrow["unfollowed"]) == ({}, [])
    assert filtered.get("/api/v1/stats?days=1&text=e").json()["unfollowed"] == ["text"]


def test_names_are_what_there_is_to_filter_by(ask: TestClient, insert: Insert) -> None:
    insert("run", run_row("a", name="x", project="p"), run_row("b", name="w", namespace="n", login=""))
    assert ask.get("/api/v1/names").json() == {
        "names": ["w", "x"], "projects": ["p"], "namespaces": ["n"], "backends": ["default"], "users": ["ada"],
    }  # fmt: skip


@given(st.floats(allow_nan=False, allow_infinity=False), st.text().filter(lambda text: "\x00" not in text))
def test_a_cursor_comes_back_from_its_text(started_at: float, run_id: str) -> None:
    try:
        run_id.encode()
    except UnicodeEncodeError:
        return
    cursor = Cursor(started_at, run_id)
    assert Cursor.decode(cursor.encode()) == cursor


def test_values_that_json_does_not_have_are_null(ask: TestClient, insert: Insert) -> None:
    outputs: dict[str, Any] = {"x": {"json": [float("nan"), float("inf")]}}
    insert("run", run_row("r1", outputs=json.dumps(outputs)))
    assert ask.get("/api/v1/runs/r1").json()["outputs"] == {"x": {"json": [None, None]}}
