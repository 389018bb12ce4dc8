"""A chain of 1,000 tasks that add one, built once and run again and again; numbers are for one task."""

import sqlite3
import tempfile
from typing import Any

from harness import Case, Limit, Measure, Peer, timed
from headwater import Workflow, task

TASKS = 1000


@task
def plus_one(x: int) -> {"x": int}:
    """The next number."""
    return x + 1


def add_one(x: int) -> int:
    """The same for peers."""
    return x + 1


def ours(track: bool) -> Measure:
    """Headwater's `default` backend."""
    with Workflow(name="chain") as chain:
        last = plus_one()
        for _ in range(TASKS - 1):
            last = last | plus_one()
    return timed(lambda n: chain.run(track=track, x=n).outputs["x"], expect=lambda n: n + TASKS, per=TASKS)


def dask_sync(**options: Any) -> Measure:
    """Dask's synchronous scheduler."""
    import dask

    step, last = dask.delayed(add_one), 0
    for _ in range(TASKS):
        last = step(last)
    return timed(lambda _: last.compute(scheduler="sync", **options), expect=lambda _: TASKS, per=TASKS)


def sqlite_floor() -> Measure:
    """One insert and one update for each task, in one transaction: what a record costs at least."""
    base = sqlite3.connect(f"{tempfile.mkdtemp()}/floor.db")
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("CREATE TABLE node (run INT, path TEXT, phase TEXT, began REAL, ended REAL, outputs TEXT)")
    base.execute("CREATE UNIQUE INDEX key ON node (run, path)")

    def record(run: int) -> int:
        changed = 0
        for i in range(TASKS):
            base.execute("INSERT INTO node VALUES (?, ?, 'Running', ?, NULL, NULL)", (run, f"task-{i}", 1.0))
            changed += base.execute(
                "UPDATE node SET phase = 'Succeeded', ended = ?, outputs = ? WHERE run = ? AND path = ?",
                (2.0, f'{{"x": {i}}}', run, f"task-{i}"),
            ).rowcount
        base.commit()
        return changed

    return timed(record, expect=lambda _: TASKS, per=TASKS)


DASK = (
    Peer("dask sync", dask_sync),
    Peer("dask sync, graph not optimised", lambda: dask_sync(optimize_graph=False)),
)
CASES = [
    Case("chain of 1,000, untracked", lambda: ours(False), DASK, Limit("value", 0.05)),
    Case(
        "chain of 1,000, tracked",
        lambda: ours(True),
        [*DASK, Peer("SQLite floor", sqlite_floor)],
        Limit("value", 0.3),
    ),
]
