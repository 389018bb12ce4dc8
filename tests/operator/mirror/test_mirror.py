"""What the reconciler sees of the mirror: nothing ever waits, and it is told what is stored."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from headwater import records
from headwater.errors import RecordsError
from headwater.records.connection import Row
from headwater_operator.mirror import Limits, Mirror

from tests.operator.mirror.samples import QUICK, change, failed_items, node
from tests.operator.mirror.servers import soon, until


class Fake:
    """A database that can be told to fail, or to take its time."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Sequence[Row]]] = []
        self.down = False
        self.gate = threading.Event()
        self.gate.set()
        self.aborted = 0

    def check(self) -> None:
        if self.down:
            raise RecordsError("the run database is away.")

    def write(self, rows: Mapping[str, Sequence[Row]], run_ids: Sequence[str]) -> int:
        self.gate.wait(30)
        self.check()
        self.rows.append(rows)
        return 0

    def abort(self) -> None:
        self.aborted += 1
        self.down = True
        self.gate.set()

    def close(self) -> None:
        pass


@asynccontextmanager
async def running(mirror: Mirror) -> AsyncIterator[Mirror]:
    task = asyncio.create_task(mirror.run())
    try:
        yield mirror
    finally:
        await mirror.close(0.0)
        await task


async def test_what_is_offered_is_found_by_flowctl(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    stored: list[tuple[str, int]] = []
    async with running(Mirror(url, limits=QUICK, on_stored=lambda *what: stored.append(what))) as mirror:
        mirror.offer(change(1, nodes=(node("gen"),), edges=(("gen", "process"),), complete=True))
        mirror.offer(change(2, phase="Failed", nodes=(node("gen", "Failed"),), **failed_items(3)))
        await soon(mirror.stored("u1"))
        assert stored == [("u1", 2)]
        assert mirror.is_stored("u1")
        assert mirror.metrics().lag == 0.0
    run = records.get_run(url, "reduce")
    assert (run.run_id, run.phase, run.backend, run.namespace) == ("u1", "Failed", "kubernetes", "lab")
    assert records.nodes(url, "u1")["gen"].phase == "Failed"
    assert [item.index for item in records.items(url, "u1", "process")] == [0, 1, 2]
    assert len(records.exceptions(url, "u1", "process")) == 3
    assert records.edges(url, "u1") == [("gen", "process")]
    assert records.document(url, run) is not None


async def test_without_a_database_everything_counts_as_stored() -> None:
    stored: list[tuple[str, int]] = []
    async with running(Mirror(None, on_stored=lambda *what: stored.append(what))) as mirror:
        mirror.offer(change(3))
        await soon(mirror.stored("u1"))
    assert stored == [("u1", 3)]
    assert mirror.health() == (True, "no run database is configured: runs are not recorded")


async def test_a_database_that_is_away_is_told_before_the_first_run() -> None:
    fake = Fake()
    fake.down = True
    async with running(Mirror("x://", limits=QUICK, writer=fake)) as mirror:
        await until(lambda: not mirror.health()[0])
        fake.down = False
        await until(lambda: mirror.health()[0])


async def test_offering_returns_while_the_database_hangs_and_the_newest_state_is_written_after() -> None:
    fake = Fake()
    fake.gate.clear()
    async with running(Mirror("x://", limits=QUICK, writer=fake)) as mirror:
        mirror.offer(change(1))
        await until(lambda: any(t.name == "headwater-mirror" for t in threading.enumerate()))
        for version in range(2, 1002):
            mirror.offer(change(version, nodes=(node("gen", message=str(version)),)))
        assert not fake.rows, "it has waited for the database"
        fake.gate.set()
        await soon(mirror.stored("u1"))
    assert [row[6] for rows in fake.rows for row in rows.get("block", [])] == ["1001"]


async def test_a_hanging_write_is_cut_and_tried_again() -> None:
    fake = Fake()
    fake.gate.clear()
    limits = Limits(interval=0.0, delay=0.01, longest_delay=0.01, patience=0.02)
    async with running(Mirror("x://", limits=limits, writer=fake)) as mirror:
        mirror.offer(change(1))
        await until(lambda: mirror.metrics().failures)
        assert fake.aborted
        fake.down = False
        await soon(mirror.stored("u1"))


async def test_while_the_database_is_away_memory_is_bounded_and_everything_catches_up() -> None:
    fake = Fake()
    fake.down = True
    wanted: list[str] = []
    limits = Limits(interval=0.0, delay=0.01, longest_delay=0.02, memory=300_000, asked=7, ask_again=0.05)
    mirror = Mirror("x://", limits=limits, writer=fake, on_wanted=wanted.extend)
    async with running(mirror):
        for version in range(1, 4):
            for i in range(200):
                mirror.offer(change(version, f"u{i}", complete=version == 1, **failed_items(5)))
            assert mirror.metrics().bytes_waiting <= limits.memory
        mirror.offer(change(4, "u0", "Failed"))
        await until(lambda: mirror.metrics().failures > 2)
        assert wanted == []
        well, said = mirror.health()
        assert not well
        assert "the run database is away. Runs go on;" in said
        assert len(mirror.wanted()) > 100
        fake.down = False
        while mirror.wanted():
            await until(lambda: wanted)
            while wanted:
                mirror.offer(change(4, wanted.pop(), "Failed", complete=True))
            assert mirror.metrics().bytes_waiting <= limits.memory
        for i in range(200):
            await soon(mirror.stored(f"u{i}"))
        assert mirror.health()[0]
    newest: dict[str, int] = {}
    version = 25
    for rows in fake.rows:
        for row in rows.get("run", []):
            newest[row[0]] = max(newest.get(row[0], 0), row[version])
    assert len(newest) == 200
    assert newest["u0"] == 4


async def test_a_run_that_was_let_go_is_asked_for_until_it_comes() -> None:
    fake = Fake()
    wanted: list[str] = []
    limits = Limits(interval=0.0, memory=20_000, ask_again=0.01)
    async with running(Mirror("x://", limits=limits, writer=fake, on_wanted=wanted.extend)) as mirror:
        mirror.offer(change(1, **failed_items(100)))
        await until(lambda: len(wanted) >= 3)
        assert set(wanted) == {"u1"}
        mirror.offer(change(1, complete=True))
        await soon(mirror.stored("u1"))
        assert mirror.wanted() == ()


async def test_a_run_that_is_given_up_keeps_nobody_waiting() -> None:
    fake = Fake()
    fake.down = True
    async with running(Mirror("x://", limits=QUICK, writer=fake)) as mirror:
        mirror.offer(change(1))
        waiting = asyncio.ensure_future(mirror.stored("u1"))
        await until(lambda: mirror.metrics().failures)
        mirror.forget("u1")
        await soon(waiting)
        assert mirror.metrics().rows_waiting == 0


async def test_closing_writes_what_waits() -> None:
    fake = Fake()
    mirror = Mirror("x://", limits=Limits(interval=60.0), writer=fake)
    task = asyncio.create_task(mirror.run())
    mirror.offer(change(1))
    assert await mirror.close()
    await soon(task)
    assert len(fake.rows) == 1


async def test_closing_gives_up_on_a_database_that_is_away() -> None:
    fake = Fake()
    fake.down = True
    mirror = Mirror("x://", limits=QUICK, writer=fake)
    task = asyncio.create_task(mirror.run())
    mirror.offer(change(1))
    assert not await soon(mirror.close(0.05))
    await soon(task)


async def test_mistakes_of_callbacks_do_not_end_the_writing() -> None:
    def broken(run_id: str, version: int) -> None:
        raise ValueError(run_id)

    fake = Fake()
    async with running(Mirror("x://", limits=QUICK, writer=fake, on_stored=broken)) as mirror:
        for version in (1, 2):
            mirror.offer(change(version))
            await soon(mirror.stored("u1"))
    assert len(fake.rows) == 2


async def test_an_unforeseen_error_is_tried_again_too() -> None:
    class Broken(Fake):
        def check(self) -> None:
            if self.down:
                raise KeyError("never seen before")

    fake = Broken()
    fake.down = True
    async with running(Mirror("x://", limits=QUICK, writer=fake)) as mirror:
        mirror.offer(change(1))
        await until(lambda: mirror.metrics().failures)
        assert "KeyError" in mirror.health()[1]
        fake.down = False
        await soon(mirror.stored("u1"))
