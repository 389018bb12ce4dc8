"""A real PostgreSQL that is killed, stopped, slow, full, locked: runs go on, and everything catches up."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from headwater import records
from headwater_operator.mirror import Mirror
from headwater_operator.mirror.mirror import Limits

from tests.operator.mirror.samples import QUICK, change, failed_items, failure, node
from tests.operator.mirror.servers import Proxy, Server, content, soon, until


@asynccontextmanager
async def mirroring(url: str, limits: Limits = QUICK) -> AsyncIterator[Mirror]:
    mirror = Mirror(url, limits=limits)
    task = asyncio.create_task(mirror.run())
    try:
        yield mirror
    finally:
        await mirror.close(0.0)
        await soon(task)


def versions(url: str) -> dict[str, int]:
    return {row[0]: row[25] for row in content(url)["run"]}


# ---------------------------------------------------------------- what is written


async def test_texts_that_postgresql_refuses_are_cleaned_and_long_ones_are_cut(url: str) -> None:
    awful = "nul \x00, surrogate \ud800, tab \t, \\N, \\." + "x" * 10_000_000
    async with mirroring(url) as mirror:
        mirror.offer(
            change(
                1,
                phase="Failed",
                message=awful,
                nodes=(
                    node(
                        "gen",
                        "Failed",
                        message=awful,
                        error=failure(awful),
                        outputs={"x": {"json": "\x00\ud800"}},
                    ),
                ),
                **failed_items(1),
            )
        )
        await soon(mirror.stored("u1"))
        assert mirror.metrics().rows_refused == 0
    (found,) = records.nodes(url, "u1").values()
    assert found.message.startswith("nul \\x00, surrogate \\ud800, tab \t, \\N, \\.xxx")
    assert len(found.message) < 10_000
    assert found.outputs == {"x": {"json": "\x00\ud800"}}


async def test_a_row_that_the_database_refuses_is_left_out_and_the_others_are_written(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with mirroring(url) as mirror:
        rows = (node("a"), node("b", attempt=2**40), node("c"))
        mirror.offer(change(1, nodes=rows, complete=True))
        await soon(mirror.stored("u1"))
        assert mirror.metrics().rows_refused == 1
    assert set(records.nodes(url, "u1")) == {"a", "c"}
    assert "a row of block, of run u1, cannot be recorded and is left out" in caplog.text


async def test_a_database_of_another_encoding_gets_what_it_can_keep(server: Server) -> None:
    name = "latin"
    server.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0")
    async with mirroring(server.url(name)) as mirror:
        mirror.offer(change(1, nodes=(node("a", message="Straße"), node("b", message="\u65e5"))))
        await soon(mirror.stored("u1"))
    found = records.nodes(server.url(name), "u1")
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert (found["a"].message, found["b"].message) == ("Straße", "\\u65e5")


async def test_two_operators_that_start_and_write_at_once_come_to_the_newest_state(url: str) -> None:
    many = failed_items(2000)
    limits = replace(QUICK, patience=30.0)
    async with mirroring(url, limits) as first, mirroring(url, limits) as second:
        for version in range(1, 40):
            for mirror in (first, second) if version % 3 else (second, first):
                mirror.offer(change(version, nodes=(node("gen", message=str(version)),), **many))
            await asyncio.sleep(0)
        await soon(asyncio.gather(first.stored("u1"), second.stored("u1")))
        assert (first.metrics().failures, second.metrics().failures) == (0, 0)
    assert records.nodes(url, "u1")["gen"].message == "39"
    assert {row[9] for row in content(url)["map_item"]} == {39}


# ---------------------------------------------------------------- the tables


async def test_an_older_database_is_upgraded_and_keeps_its_runs(
    server: Server, url: str, database: str
) -> None:
    records.upgrade(url, "headwater_0001")
    server.execute(
        "INSERT INTO run (run_id, name, backend, target, phase, message, failed_items, host, pid, process, login, "
        "started_at, version) VALUES ('old', 'reduce', 'default', '', 'Succeeded', '', 0, 'h', 1, '', 'ada', 5, 1)",
        database,
    )
    async with mirroring(url) as mirror:
        mirror.offer(change(1))
        await soon(mirror.stored("u1"))
    assert [run.run_id for run in records.list_runs(url)] == ["u1", "old"]


async def test_a_newer_database_is_not_touched_and_said_so(server: Server, url: str, database: str) -> None:
    records.upgrade(url)
    server.execute("UPDATE alembic_version SET version_num = 'headwater_9999'", database)
    async with mirroring(url) as mirror:
        mirror.offer(change(1))
        await until(lambda: mirror.metrics().failures > 1)
        assert "was written by a newer Headwater" in mirror.health()[1]
        assert server.execute("SELECT count(*) FROM run", database) == [(0,)]
        server.execute("UPDATE alembic_version SET version_num = 'headwater_0005'", database)
        await soon(mirror.stored("u1"))


async def test_a_login_that_may_not_create_tables_is_told_what_to_grant(
    server: Server, database: str
) -> None:
    server.execute("CREATE ROLE guest LOGIN PASSWORD 'secret'")
    server.execute("REVOKE CREATE ON SCHEMA public FROM public", database)
    url = server.url(database).replace("ada:", "guest:")
    async with mirroring(url) as mirror:
        mirror.offer(change(1))
        await until(lambda: "permission denied for schema public" in mirror.health()[1])
        assert "secret" not in mirror.health()[1]
        server.execute("GRANT CREATE ON SCHEMA public TO guest", database)
        await soon(mirror.stored("u1"))
    server.execute("DROP OWNED BY guest", database)
    server.execute("DROP ROLE guest")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
async def test_a_url_need_not_name_the_driver(server: Server, database: str, scheme: str) -> None:
    url = server.dsn(database).replace("postgresql", scheme)
    async with mirroring(url) as mirror:
        mirror.offer(change(1))
        await soon(mirror.stored("u1"))
    assert records.get_run(url, "u1").phase == "Running"


async def test_tables_that_somebody_drops_are_made_again(server: Server, url: str, database: str) -> None:
    async with mirroring(url) as mirror:
        mirror.offer(change(1))
        await soon(mirror.stored("u1"))
        server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", database)
        for version in (2, 3):
            mirror.offer(change(version))
            await soon(mirror.stored("u1"))
    assert versions(url) == {"u1": 3}
    assert len(content(url)["document"]) == 1


# ---------------------------------------------------------------- the server goes away


async def test_a_server_that_is_not_there_is_said_so_and_written_to_when_it_comes(fragile: Server) -> None:
    with fragile.database() as name:
        url = fragile.url(name)
        fragile.stop()
        async with mirroring(url) as mirror:
            mirror.offer(change(1))
            await until(lambda: mirror.metrics().failures > 1)
            well, said = mirror.health()
            assert not well
            assert "Connection refused" in said
            assert "Runs go on; 2 rows of 1 runs wait" in said
            assert "secret" not in said
            mirror.offer(change(2, phase="Succeeded"))
            fragile.start()
            await soon(mirror.stored("u1"))
            assert mirror.health()[0]
        assert versions(url) == {"u1": 2}


async def test_a_server_killed_in_the_middle_of_a_transaction_loses_nothing(fragile: Server) -> None:
    with fragile.database() as name:
        url = fragile.url(name)
        async with Proxy(fragile.port) as proxy, mirroring(fragile.url(name, proxy.port)) as mirror:
            mirror.offer(change(1))
            await soon(mirror.stored("u1"))
            proxy.delay = 0.05
            seen = proxy.bytes
            mirror.offer(change(2, phase="Failed", **failed_items(3000)))
            await until(lambda: proxy.bytes > seen + 100_000)
            fragile.kill()
            proxy.cut()
            await until(lambda: mirror.metrics().failures)
            proxy.delay = 0.0
            fragile.start()
            assert versions(url) == {"u1": 1}
            assert content(url)["map_item"] == []
            await soon(mirror.stored("u1"))
        assert versions(url) == {"u1": 2}
        assert len(content(url)["map_item"]) == 3000


async def test_a_server_that_is_frozen_is_cut_off_and_catches_up(fragile: Server) -> None:
    with fragile.database() as name:
        url = fragile.url(name)
        limits = replace(QUICK, patience=0.5)
        async with mirroring(url, limits) as mirror:
            mirror.offer(change(1))
            await soon(mirror.stored("u1"))
            fragile.freeze(True)
            try:
                mirror.offer(change(2))
                await until(lambda: mirror.metrics().failures)
            finally:
                fragile.freeze(False)
            await soon(mirror.stored("u1"))
        assert versions(url) == {"u1": 2}


async def test_a_restart_in_between_is_not_even_noticed_by_runs(fragile: Server) -> None:
    with fragile.database() as name:
        url = fragile.url(name)
        async with mirroring(url) as mirror:
            mirror.offer(change(1))
            await soon(mirror.stored("u1"))
            fragile.stop()
            fragile.start()
            mirror.offer(change(2))
            await soon(mirror.stored("u1"))
        assert versions(url) == {"u1": 2}


# ---------------------------------------------------------------- slow, full, locked


async def test_a_slow_database_keeps_no_run_waiting(server: Server, database: str) -> None:
    async with Proxy(server.port) as proxy, mirroring(server.url(database, proxy.port)) as mirror:
        mirror.offer(change(1))
        await soon(mirror.stored("u1"))
        proxy.delay = 0.02
        loop = asyncio.get_running_loop()
        longest = 0.0
        for version in range(2, 300):
            started = loop.time()
            mirror.offer(change(version, nodes=(node("gen", message=str(version)),)))
            longest = max(longest, loop.time() - started)
            await asyncio.sleep(0)
        assert longest < 0.1
        batches = mirror.metrics().batches
        proxy.delay = 0.0
        await soon(mirror.stored("u1"))
        assert mirror.metrics().batches < batches + 10
    assert versions(server.url(database)) == {"u1": 299}


async def test_a_connection_that_swallows_everything_is_cut(server: Server, database: str) -> None:
    limits = replace(QUICK, patience=0.3)
    async with Proxy(server.port) as proxy, mirroring(server.url(database, proxy.port), limits) as mirror:
        mirror.offer(change(1))
        await soon(mirror.stored("u1"))
        proxy.stall(True)
        mirror.offer(change(2))
        await until(lambda: mirror.metrics().failures)
        proxy.stall(False)
        await soon(mirror.stored("u1"))
        assert proxy.connections > 1
    assert versions(server.url(database)) == {"u1": 2}


async def test_a_lock_that_somebody_holds_is_waited_for(server: Server, url: str, database: str) -> None:
    async with mirroring(url, replace(QUICK, patience=0.4)) as mirror:
        mirror.offer(change(1))
        await soon(mirror.stored("u1"))
        with closing(psycopg2.connect(server.dsn(database))) as other:
            other.cursor().execute("LOCK TABLE run IN ACCESS EXCLUSIVE MODE")
            mirror.offer(change(2))
            await until(lambda: "somebody holds a lock" in mirror.health()[1])
            other.rollback()
        await soon(mirror.stored("u1"))


async def test_a_server_without_free_connections_is_tried_again(fragile: Server) -> None:
    with fragile.database() as name:
        # As somebody who is not a superuser: for those some connections are reserved.
        fragile.execute(f"CREATE ROLE {name}_op LOGIN PASSWORD 'secret'")
        fragile.execute(f"ALTER DATABASE {name} OWNER TO {name}_op")
        url = fragile.url(name).replace("ada:", f"{name}_op:")
        held = [psycopg2.connect(fragile.dsn("postgres")) for _ in range(17)]
        try:
            async with mirroring(url) as mirror:
                mirror.offer(change(1))
                await until(lambda: "remaining connection slots are reserved" in mirror.health()[1])
                while held:
                    held.pop().close()
                await soon(mirror.stored("u1"))
        finally:
            for connection in held:
                connection.close()


@pytest.fixture
def tiny(server: Server) -> Iterator[Path]:
    """A file system of a few megabytes, for a tablespace."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-tiny-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=14m,mode=0777", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("needs to mount a tmpfs")
    space = folder / "space"
    space.mkdir()
    shutil.chown(space, server.data.stat().st_uid)
    yield space
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def fill_up(file: Path) -> None:
    """Write a file until there is no room."""
    opened = os.open(file, os.O_CREAT | os.O_WRONLY)
    with closing(os.fdopen(opened, "wb", buffering=0)) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


async def test_a_full_disk_is_said_so_and_runs_are_written_when_there_is_room(
    server: Server, tiny: Path
) -> None:
    server.execute(f"CREATE TABLESPACE tiny LOCATION '{tiny}'")
    server.execute("CREATE DATABASE full_up TABLESPACE tiny")
    try:
        url = server.url("full_up")
        async with mirroring(url) as mirror:
            mirror.offer(change(1))
            await soon(mirror.stored("u1"))
            filler = tiny / "filler"
            fill_up(filler)
            mirror.offer(change(2, **failed_items(2000)))
            await until(lambda: "its disk is full" in mirror.health()[1])
            mirror.offer(change(3, phase="Failed"))
            filler.unlink()
            await soon(mirror.stored("u1"))
        assert versions(url) == {"u1": 3}
        assert len(content(url)["map_item"]) == 2000
    finally:
        server.execute("DROP DATABASE full_up WITH (FORCE)")
        server.execute("DROP TABLESPACE tiny")
