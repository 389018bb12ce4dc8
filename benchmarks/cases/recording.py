"""What recording a run costs, with the last flush, and what it holds up the run."""

import time
from collections.abc import Callable
from itertools import count

from harness import Case, Limit, Measure
from headwater.records import Recorder, RunInfo

RUNS = count()
SHARES = [
    (((start, start + 100),), {"json": [{"x": i} for i in range(start, start + 100)]})
    for start in range(0, 10_000, 100)
]


def recorder(interval: float = 0.25) -> Recorder:
    """A recorder of one more run into a database in the topic's own folder."""
    info = RunInfo(f"r{next(RUNS)}", name="reduce", backend="default", started_at=10.0)
    return Recorder("sqlite:///headwater.db", info, interval=interval)


def a_thousand_tasks(found: Recorder) -> None:
    for n in range(1000):
        path = f"node-{n}"
        found.node_changed(path, "Running", 1, 11.0)
        found.attempt_started(path, 1, 11.0)
        found.attempt_ended(path, 1, 12.0, "Succeeded")
        found.node_changed(path, "Succeeded", 1, 12.0, outputs={"x": {"json": n}})


def ten_thousand_items(found: Recorder) -> None:
    found.node_changed("m", "Running", 1, 11.0, kind="map")
    found.map_sized("m", 10_000, 11.0)
    for ranges, outputs in SHARES:
        found.items_done("m", ranges, outputs, 12.0)
    found.node_changed("m", "Succeeded", 1, 12.0, kind="map")


def recorded(what: Callable[[Recorder], None]) -> Measure:
    """Milliseconds from the start of the recorder until everything is in the database."""

    def measure() -> float:
        began = time.perf_counter()
        found = recorder()
        what(found)
        found.run_finished("Succeeded", finished_at=12.0)
        assert found.close()
        return (time.perf_counter() - began) * 1000

    return measure


def held_up() -> Measure:
    """Microseconds that one report takes the run."""

    def measure() -> float:
        found = recorder(interval=5.0)
        assert found.flush()
        began = time.perf_counter()
        for n in range(1000):
            found.attempt_started(f"n{n}", 1, 11.0)
        took = time.perf_counter() - began
        found.close()
        return took * 1000

    return measure


CASES = [
    Case("recording 1,000 tasks", lambda: recorded(a_thousand_tasks), limit=Limit("value", 150)),
    Case("recording a map of 10,000 items", lambda: recorded(ten_thousand_items), limit=Limit("value", 50)),
    Case("one report to the recorder", held_up, limit=Limit("value", 10), unit="us"),
]
