"""The counts of runs are what counting them would say, whatever was written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from headwater.records import upgrade
from headwater.records.connection import Connection, connect
from headwater.records.counting import KINDS
from headwater.records.pages import Filter
from headwater.records.schema import downgrade
from headwater.records.statements import UPSERTS
from headwater.records.trends import trend
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.operator.mirror.conftest import server  # noqa: F401
from tests.operator.mirror.servers import Server

DAY = 86_400.0
COUNTED = (
    "SELECT '{kind}', {value}, CAST({floor}(started_at / 86400) AS INTEGER), coalesce(namespace, ''), phase, count(*) "
    "FROM run WHERE {value} IS NOT NULL GROUP BY 1, 2, 3, 4, 5"
)
KEPT = "SELECT kind, value, day, namespace, phase, runs FROM run_count"

Write = tuple[int, str, float, int, str | None, str | None]


def row(
    run: int, phase: str, started_at: float, version: int, namespace: str | None, name: str | None
) -> tuple[object, ...]:
    known = {
        "run_id": f"r{run}", "name": name or "n", "backend": "b", "target": "", "phase": phase, "message": "",
        "failed_items": 0, "host": "", "pid": 0, "process": "", "login": "", "started_at": started_at,
        "version": version, "namespace": namespace, "project": name,
    }  # fmt: skip
    return tuple(known.get(column) for column in UPSERTS["run"].columns)


def counted(connection: Connection) -> set[tuple[object, ...]]:
    """What counting says now."""
    floor = "floor" if connection.dialect == "postgresql" else ""
    return {
        tuple(each)
        for kind, value in (("", "''"), *((kind, kind) for kind in KINDS))
        for each in connection.rows(COUNTED.format(kind=kind, value=value, floor=floor))
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('counts')}/runs.db"
        return
    postgres: Server = request.getfixturevalue("server")
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    upgrade(url)
    found = connect(url)
    yield found
    found.close()


WRITES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["Running", "Succeeded", "Failed"]),
        st.sampled_from([1.0, DAY - 0.5, DAY, 20_000 * DAY]),
        st.integers(1, 5),
        st.sampled_from([None, "lab", "field"]),
        st.sampled_from([None, "survey", "calibrate"]),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(WRITES, max_size=4), gone=st.integers(0, 4), lost=st.integers(0, 4))
def test_they_are_right_after_any_writes(
    connection: Connection, batches: list[list[Write]], gone: int, lost: int
) -> None:
    connection.write({}, [("DELETE FROM run", {})])
    for batch in batches:
        latest = {write[0]: row(*write) for write in batch}  # a batch has one row for each run
        if latest:
            connection.write({"run": tuple(latest.values())})
    connection.write(
        {},
        [
            ("UPDATE run SET phase = 'Lost' WHERE run_id = :run", {"run": f"r{lost}"}),
            ("UPDATE run SET heartbeat_at = 1.0", {}),
            ("DELETE FROM run WHERE run_id = :run", {"run": f"r{gone}"}),
        ],
    )
    found = counted(connection)
    assert {tuple(each) for each in connection.rows(KEPT)} == found
    totals: dict[str, int] = {}
    for kind, _, _, _, phase, many in found:
        if kind == "":
            totals[str(phase)] = totals.get(str(phase), 0) + int(str(many))
    assert trend(connection, Filter(), now=0.0).phases == totals


def test_an_older_database_is_counted_when_it_is_upgraded_and_goes_back(url: str) -> None:
    upgrade(url, "headwater_0004")
    connection = connect(url)
    connection.write(
        {"run": (row(1, "Failed", 1.0, 1, None, "survey"), row(2, "Failed", 2.0, 1, "lab", None))}
    )
    upgrade(url)
    assert {tuple(each) for each in connection.rows(KEPT)} == counted(connection)
    downgrade(url, "headwater_0004")
    connection.write({"run": (row(3, "Failed", 1.0, 1, None, "survey"),)})
    kept = connection.rows("SELECT day, namespace, phase, runs FROM run_count ORDER BY namespace")
    assert [tuple(each) for each in kept] == [(0, "", "Failed", 2), (0, "lab", "Failed", 1)]
    connection.close()
