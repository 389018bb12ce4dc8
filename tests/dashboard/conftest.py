"""A dashboard over a database with real runs in it, asked in the process or served on a port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from headwater import MapWorkflow, task, workflow
from headwater.configuration import database_url
from headwater.records import upgrade
from headwater.records.connection import connect
from headwater.records.statements import UPSERTS
from headwater_dashboard.app import create_app
from headwater_dashboard.options import Options
from starlette.testclient import TestClient

from tests.dashboard.on_cluster import place  # noqa: F401
from tests.operator.mirror.conftest import server  # noqa: F401
from tests.operator.mirror.servers import Server

AT_ONCE = 10_000.0
_RUN = {
    "backend": "default", "target": "", "phase": "Succeeded", "message": "", "failed_items": 0, "host": "h", "pid": 0,
    "process": "", "login": "ada", "started_at": 10.0, "finished_at": 11.0, "version": 1, "name": "reduce",
}  # fmt: skip


@task
def gen(n: int = 6) -> {"xs": list}:
    print("generating", n)
    return {"xs": list(range(n))}


@task
def halve(x: int) -> {"y": int}:
    if x % 3 == 2:
        raise ValueError(f"no half of {x}")
    print("halving", x)
    return {"y": x // 2}


@MapWorkflow.as_workflow(map_on={"xs": "x"}, raise_exceptions=True)
def halves():
    halve()


@workflow
def reduce():
    gen() >> halves()


@task
def boom() -> {"z": int}:
    raise KeyError("<b>bold</b>")


@workflow
def fails():
    boom()


def row(table: str, **values: object) -> tuple[object, ...]:
    return tuple(values.get(column) for column in UPSERTS[table].columns)


def run_row(run_id: str, **values: object) -> tuple[object, ...]:
    return row("run", **{**_RUN, "run_id": run_id, **values})


Insert = Callable[..., None]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with nothing in it, of each kind."""
    if request.param == "sqlite":
        upgrade(database_url())
        yield database_url()
        return
    postgres: Server = request.getfixturevalue("server")
    with postgres.database() as name:
        upgrade(postgres.url(name))
        yield postgres.url(name)


@pytest.fixture
def insert(url: str) -> Insert:
    """Put rows into the database."""

    def put(table: str, *rows: tuple[object, ...]) -> None:
        connection = connect(url)
        connection.write({table: rows})
        connection.close()

    return put


@pytest.fixture
def ask(url: str) -> Iterator[TestClient]:
    """The API over the database with nothing in it."""
    app = create_app(Options(url, requests_per_second=AT_ONCE))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def here() -> Iterator[TestClient]:
    """The API over the runs of this machine."""
    app = create_app(Options(database_url(), requests_per_second=AT_ONCE))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@contextmanager
def served(options: Options, interval: float = 0.05) -> Iterator[str]:
    """The address of a dashboard in a thread of this process."""
    app = create_app(options, interval=interval)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, ws="none", timeout_graceful_shutdown=3
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    until = time.monotonic() + 20
    while not running.started:
        assert thread.is_alive()
        assert time.monotonic() < until
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    finally:
        app.state.hub.close()
        running.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
