"""The counts of runs by day, namespace and phase are what counting them would say, whatever was written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from headwater.records import upgrade
from headwater.records.connection import Connection, connect
from headwater.records.statements import UPSERTS
from headwater.records.trends import phases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.operator.mirror.conftest import server  # noqa: F401
from tests.operator.mirror.servers import Server

DAY = 86_400.0
COUNTED = (
    "SELECT CAST({floor}(started_at / 86400) AS INTEGER), coalesce(namespace, ''), phase, count(*) FROM run "
    "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
KEPT = "SELECT day, namespace, phase, runs FROM run_count WHERE runs <> 0 ORDER BY 1, 2, 3"


def row(run: int, phase: str, started_at: float, version: int, namespace: str | None) -> tuple[object, ...]:
    known = {
        "run_id": f"r{run}", "name": "n", "backend": "b", "target": "", "phase": phase, "message": "",
        "failed_items": 0, "host": "", "pid": 0, "process": "", "login": "", "started_at": started_at,
        "version": version, "namespace": namespace,
    }  # fmt: skip
    return tuple(known.get(column) for column in UPSERTS["run"].columns)


@pytest.fixture(params=["sqlite", "postgresql"])
def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('counts')}/runs.db"
        upgrade(url)
        found = connect(url)
        yield found
        found.close()
        return
    postgres: Server = request.getfixturevalue("server")
    with postgres.database() as name:
        upgrade(postgres.url(name))
        found = connect(postgres.url(name))
        yield found
        found.close()


WRITES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["Running", "Succeeded", "Failed"]),
        st.sampled_from([1.0, DAY - 0.5, DAY, 20_000 * DAY]),
        st.integers(1, 5),
        st.sampled_from([None, "lab", "field"]),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(WRITES, max_size=4), gone=st.integers(0, 4), lost=st.integers(0, 4))
def test_they_are_right_after_any_writes(
    connection: Connection, batches: list[list[tuple[int, str, float, int, str | None]]], gone: int, lost: int
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
    floor = "floor" if connection.dialect == "postgresql" else ""
    counted = connection.rows(COUNTED.format(floor=floor))
    assert [tuple(each) for each in connection.rows(KEPT)] == [tuple(each) for each in counted]
    totals: dict[str, int] = {}
    for _, _, phase, many in counted:
        totals[phase] = totals.get(phase, 0) + many
    assert phases(connection) == totals
