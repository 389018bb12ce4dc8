"""A PostgreSQL server for all tests of this folder, and a database for each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater.testing.postgres import programs

from tests.operator.mirror.servers import Server


def _server(*options: str) -> Iterator[Server]:
    pytest.importorskip("psycopg2")
    if programs() is None:
        pytest.skip("needs PostgreSQL on this machine")
    folder = Path(tempfile.mkdtemp(prefix="headwater-postgres-"))
    server = Server(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that nobody harms."""
    yield from _server()


@pytest.fixture(scope="session")
def fragile() -> Iterator[Server]:
    """A server that tests kill, stop and start again."""
    yield from _server("-c", "max_connections=20")


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The name of a new, empty database."""
    with server.database() as name:
        yield name


@pytest.fixture
def url(server: Server, database: str) -> str:
    return server.url(database)
