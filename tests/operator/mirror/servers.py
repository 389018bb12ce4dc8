"""A PostgreSQL server that tests may kill, and a proxy that makes it slow."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2
from headwater.records.connection import Row, connect
from headwater.testing.postgres import _free_port, _unprivileged, programs

SECONDS = 30.0


class Server:
    """A server on 127.0.0.1 whose process is a child of the test's."""

    def __init__(self, folder: Path, *options: str) -> None:
        found = programs()
        assert found is not None
        self.programs = found
        self.folder = folder
        self.data = folder / "data"
        self.port = _free_port()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        folder.chmod(0o755)
        self.data.mkdir(mode=0o700)
        self.as_user = _unprivileged(folder, self.data)
        init = [
            found / "initdb",
            "-D",
            self.data,
            "-U",
            "ada",
            "-A",
            "trust",
            "-N",
            "--locale=C",
            "-E",
            "UTF8",
        ]
        subprocess.run([*self.as_user, *map(str, init)], check=True, capture_output=True, cwd="/")

    def start(self) -> None:
        """Start and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            given = [
                "-D",
                self.data,
                "-h",
                "127.0.0.1",
                "-p",
                self.port,
                "-k",
                self.folder,
                "-c",
                "fsync=off",
            ]
            command = [*self.as_user, str(self.programs / "postgres"), *map(str, given), *self.options]
            until = time.monotonic() + SECONDS
            while True:
                self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
                if self._answers():
                    return
                # What was killed may still hold the shared memory for a moment.
                assert time.monotonic() < until, (self.folder / "log").read_text()

    def _answers(self) -> bool:
        assert self.process is not None
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            with suppress(psycopg2.OperationalError):
                psycopg2.connect(self.dsn("postgres"), connect_timeout=5).close()
                return True
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
                return False
        return False

    def kill(self) -> None:
        """End it as the kernel would: `kill -9` of all its processes."""
        assert self.process is not None
        children = [int(pid) for pid in self._children()]
        self.process.kill()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def freeze(self, stop: bool) -> None:
        """Stop all its processes, or let them go on: connections stay open, and nobody answers."""
        assert self.process is not None
        for pid in [self.process.pid, *map(int, self._children())]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP if stop else signal.SIGCONT)

    def _children(self) -> list[str]:
        assert self.process is not None
        pid = self.process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def stop(self) -> None:
        """End it and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    def dsn(self, database: str, port: int | None = None) -> str:
        return f"postgresql://ada:secret@127.0.0.1:{port or self.port}/{database}"

    def url(self, database: str, port: int | None = None) -> str:
        return self.dsn(database, port).replace("postgresql:", "postgresql+psycopg2:")

    def execute(self, sql: str, database: str = "postgres") -> list[Row]:
        """Execute a statement, outside of a transaction."""
        connection = psycopg2.connect(self.dsn(database))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    @contextmanager
    def database(self) -> Iterator[str]:
        """The name of a new, empty database; dropped at the end, where the server lives."""
        name = f"t{uuid.uuid4().hex[:10]}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            with suppress(psycopg2.OperationalError):
                self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class Proxy:
    """Passes bytes on: late by `delay` seconds a piece, or, when `stalled`, not at all."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.delay = 0.0
        self.connections = 0
        self.bytes = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stall(self, stalled: bool) -> None:
        (self._flowing.clear if stalled else self._flowing.set)()

    def cut(self) -> None:
        """Break every connection."""
        for task in self._tasks:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.ensure_future(self._pass_on(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(16_384):
                await self._flowing.wait()
                await asyncio.sleep(self.delay)
                self.bytes += len(piece)
                target.write(piece)
                await target.drain()
        except (ConnectionError, OSError):
            pass
        finally:
            target.close()


async def until(condition: Callable[[], Any], seconds: float = SECONDS) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it took longer than {seconds} s"
        await asyncio.sleep(0.005)


async def soon(what: Awaitable[Any], seconds: float = SECONDS) -> Any:
    """The result, or an error when it takes too long."""
    return await asyncio.wait_for(what, seconds)


TABLES = ("run", "block", "attempt", "map_item", "map_slice", "runtime_exception", "edge", "document")


def content(url: str) -> dict[str, list[Row]]:
    """All rows of all tables."""
    connection = connect(url)
    try:
        return {table: sorted(connection.rows(f"SELECT * FROM {table}"), key=repr) for table in TABLES}
    finally:
        connection.close()
