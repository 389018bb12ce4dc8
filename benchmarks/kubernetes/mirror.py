"""How fast the operator's mirror writes: `python benchmarks/kubernetes/mirror.py`; needs PostgreSQL on the machine.

What is counted is CPU time, the server's included, which a busy machine hardly changes: 0.1 ms of it is 10,000
transitions a second on one core. A transition is an item of a map that changes its state; items that fail are rows
of their own (two each: the item and its exception), items that succeed are parts of a range.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import Case, Limit, Measure, Peer, measured, table

ITEMS = 5_000
RUNS = 10
UNIT = "CPU ms"
REQUIRED = Limit("value", 0.1)  # ms a transition: 10,000 a second


class Clock:
    """Seconds of CPU that this process and all processes of the server have used."""

    def __init__(self, dsn: str) -> None:
        import psycopg2

        connection = psycopg2.connect(dsn)
        backend = connection.info.backend_pid
        self.postmaster = Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1]
        connection.close()

    def now(self) -> dict[str, float]:
        """What each process has used."""
        found = {"": time.process_time()}
        for pid in Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children").read_text().split():
            with suppress(OSError):
                found[pid] = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
        return found

    def since(self, before: dict[str, float]) -> float:
        """Seconds since then."""
        now = self.now()
        return sum(now[pid] - before.get(pid, 0.0) for pid in now)


def changes(number: int, version: int) -> Sequence[object]:
    """`RUNS` runs in which `ITEMS` items fail, together."""
    from headwater.engine.events import Failure
    from headwater_operator.mirror import ExceptionRow, ItemRow, RunChange, RunMeta

    trace = (
        'Traceback (most recent call last):\n  File "tasks.py", line 12, in transform\n    raise ValueError\n'
    )
    found = []
    for run in range(RUNS):
        items, exceptions = [], []
        for i in range(ITEMS // RUNS):
            why = Failure("ValueError", f"could not read item {i}", traceback=trace)
            items.append(ItemRow("process", i, "Failed", version, why, 1795423512.25))
            exceptions.append(ExceptionRow("process", i, version, why, 1795423512.25))
        meta = RunMeta(f"{number:08d}-{run:04d}-4a0e-9d5c-0123456789ab", f"reduce-{run}", "lab", 1795423500.0)
        found.append(RunChange(meta, version, "Running", items=tuple(items), exceptions=tuple(exceptions)))
    return found


def rows(number: int, version: int) -> dict[str, list[tuple[object, ...]]]:
    """The same as rows of the tables."""
    from headwater_operator.mirror.encoding import rows_of

    found: dict[str, list[tuple[object, ...]]] = {"map_item": [], "runtime_exception": []}
    for change in changes(number, version):
        for name, _, row in rows_of(change):  # type: ignore[arg-type]
            if name in found:
                found[name].append(row)
    return found


class Ours:
    """The mirror, from the offer to the commit."""

    def __init__(self, url: str, clock: Clock) -> None:
        from headwater_operator.mirror import Limits, Mirror

        self.clock = clock
        self.loop = asyncio.new_event_loop()
        self.mirror = Mirror(url, limits=Limits(interval=0.0))
        self.task = self.loop.create_task(self.mirror.run())

    def seconds(self, offered: Sequence[object]) -> float:
        async def write() -> float:
            started = self.clock.now()
            for change in offered:
                self.mirror.offer(change)  # type: ignore[arg-type]
            for change in offered:
                await self.mirror.stored(change.run_id)  # type: ignore[attr-defined]
            return self.clock.since(started)

        return self.loop.run_until_complete(write())

    def close(self) -> None:
        self.loop.run_until_complete(self.mirror.close())
        self.loop.run_until_complete(self.task)
        self.loop.close()


def inserted(ours: Ours) -> Measure:
    """Items that fail for the first time."""
    numbers = itertools.count()
    return lambda: ours.seconds(changes(next(numbers), 1)) * 1000 / ITEMS


def updated(ours: Ours) -> Measure:
    """The same items, again and again."""
    versions = itertools.count(1)
    return lambda: ours.seconds(changes(90_000_000, next(versions))) * 1000 / ITEMS


def progressed(ours: Ours) -> Measure:
    """Items that succeed: 100 runs, each of which has 1,000 more of them."""
    from headwater_operator.mirror import NodeRow, RunChange, RunMeta, SliceRow

    versions = itertools.count(1)

    def measure() -> float:
        version = next(versions)
        offered = []
        for run in range(100):
            done = version * 1000
            node = NodeRow("process", "map", "", "Running", 1, 1.0, total=10**6, succeeded=done, failed=0)
            meta = RunMeta(f"run-{run}", "reduce", "lab", 1.0)
            slices = (SliceRow("process", f"0-{done - 1}", 2.0),)
            offered.append(RunChange(meta, version, "Running", nodes=(node,), slices=slices))
        return ours.seconds(offered) * 1000 / 100_000

    return measure


def floor(
    dsn: str, clock: Clock, write: Callable[[object, dict[str, list[tuple[object, ...]]]], None]
) -> Measure:
    """The same rows, made before, written some other way."""
    import psycopg2

    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        for name in ("map_item", "runtime_exception"):
            cursor.execute(f"CREATE TABLE IF NOT EXISTS floor_{name} (LIKE {name} INCLUDING ALL)")
    numbers = itertools.count(int(time.monotonic() * 1000))

    def measure() -> float:
        made = rows(next(numbers), 1)
        started = clock.now()
        with connection, connection.cursor() as cursor:
            write(cursor, made)
        return clock.since(started) * 1000 / ITEMS

    return measure


def by_copy(cursor: object, made: dict[str, list[tuple[object, ...]]]) -> None:
    """COPY straight into tables of the same shape: nothing is quicker, and it is neither idempotent nor versioned."""
    from headwater_operator.mirror.postgres import copy_text

    for name, some in made.items():
        cursor.copy_expert(f"COPY floor_{name} FROM STDIN", io.StringIO(copy_text(some)))  # type: ignore[attr-defined]


def by_values(cursor: object, made: dict[str, list[tuple[object, ...]]]) -> None:
    """INSERT … VALUES with 1,000 rows a statement and the same ON CONFLICT."""
    from headwater.records.statements import UPSERTS, WHOLE
    from psycopg2.extras import execute_values

    for name, some in made.items():
        execute_values(cursor, UPSERTS[name].before + "%s" + WHOLE[name], some, page_size=1000)


def by_executemany(cursor: object, made: dict[str, list[tuple[object, ...]]]) -> None:
    """A statement a row, as one would write it first."""
    from headwater.records.statements import UPSERTS, WHOLE

    for name, some in made.items():
        group = ", ".join(["%s"] * len(UPSERTS[name].columns))
        sql = f"{UPSERTS[name].before}({group}){WHOLE[name]}"
        cursor.executemany(sql, some)  # type: ignore[attr-defined]


def main() -> None:
    """Measure and print; the exit code is 1 when a limit is exceeded."""
    from headwater.testing.postgres import server

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with server() as running, running.database() as found:
        dsn = f"postgresql://{found['admin']}@{found['address']}/{found['database']}"
        clock = Clock(dsn)
        ours = Ours(dsn, clock)
        ours.seconds(changes(99_999_999, 1))  # makes the tables
        peers = [
            Peer("COPY, the floor", lambda: floor(dsn, clock, by_copy)),
            Peer("INSERT of 1,000 rows each", lambda: floor(dsn, clock, by_values)),
            Peer("executemany", lambda: floor(dsn, clock, by_executemany)),
        ]
        cases = [
            Case("items that fail, new rows", lambda: inserted(ours), peers, REQUIRED, UNIT),
            Case("items that fail again, rows updated", lambda: updated(ours), peers[:1], REQUIRED, UNIT),
            Case("items that succeed, 100 runs at once", lambda: progressed(ours), (), REQUIRED, UNIT),
        ]
        done = [row for case in cases for row in measured(case, rounds)]
        ours.close()
    print(table([row.cells() for row in done]))
    sys.exit(any(row.verdict == "OVER" for row in done))


if __name__ == "__main__":
    main()
