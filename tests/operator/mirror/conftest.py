"""A PostgreSQL server for all tests of this folder, and a database for each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater.testing.postgres import programs

from tests.operator.mirror.servers import Server


def start_server(*options: str, hosts: str = "") -> Iterator[Server]:
    """A server of its own; clients at `hosts`, in the form of pg_hba.conf, may come in too."""
    pytest.importorskip("psycopg2")
    if programs() is None:
        pytest.skip("needs PostgreSQL on this machine")
    folder = Path(tempfile.mkdtemp(prefix="headwater-postgres-"))
    server = Server(folder, *options)
    try:
        if hosts:
            with (server.data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {hosts} trust\n")
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that nobody harms."""
    yield from start_server()


@pytest.fixture(scope="session")
def fragile() -> Iterator[Server]:
    """A server that tests kill, stop and start again."""
    yield from start_server("-c", "max_connections=20")


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The name of a new, empty database."""
    with server.database() as name:
        yield name


@pytest.fixture
def url(server: Server, database: str) -> str:
    return server.url(database)
