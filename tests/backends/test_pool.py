"""The worker pool by itself: order, deaths, limits, cancelling, values that cannot travel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
from headwater.backends.pool import (
    Died,
    ItemDied,
    ItemRaised,
    ItemsReturned,
    JobStarted,
    Raised,
    Returned,
    WorkerPool,
    shared_pool,
)
from headwater.errors import HeadwaterError, UsageError


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2) as made:
        yield made


def reports_of(pool: WorkerPool) -> list[object]:
    found: list[object] = []
    while pool.busy:
        found += pool.poll(10)
    return found


def values_of(reports: list[object]) -> dict[int, object]:
    values: dict[int, object] = {}
    for report in reports:
        if isinstance(report, ItemsReturned):
            values.update(enumerate(report.values, report.start))
    return values


def test_a_call_starts_and_returns(pool: WorkerPool) -> None:
    pool.share("add", lambda a, b: a + b)
    pool.call("job", "add", (1, 2))
    started, returned = reports_of(pool)
    assert isinstance(started, JobStarted)
    assert started.pid in [*pool.pids]
    assert returned == Returned("job", 3)


def test_every_item_comes_back_once(pool: WorkerPool) -> None:
    pool.share("square", lambda index, item: item * item)
    pool.items("job", "square", [(0, 700), (900, 5000)], lambda start, stop: list(range(start, stop)))
    values = values_of(reports_of(pool))
    assert sorted(values) == [*range(700), *range(900, 5000)]
    assert all(value == index * index for index, value in values.items())


def test_an_item_that_raises_fails_alone(pool: WorkerPool) -> None:
    def call(index: int, item: int) -> float:
        return 1 / (item - 3)

    pool.share("call", call)
    pool.items("job", "call", [(0, 10)], lambda start, stop: list(range(start, stop)))
    reports = reports_of(pool)
    (raised,) = [report for report in reports if isinstance(report, ItemRaised)]
    assert (raised.index, raised.type) == (3, "ZeroDivisionError")
    assert "return 1 / (item - 3)" in raised.traceback
    assert len(values_of(reports)) == 9


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda: os._exit(7), "exited with code 7"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "was killed by signal 9 (SIGKILL)"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "was killed by signal 11 (SIGSEGV)"),
    ],
)
def test_a_dying_worker_fails_its_item_only(pool: WorkerPool, end, words: str) -> None:
    def call(index: int, item: int) -> int:
        if item in (40, 41, 90):
            end()
        return item

    pool.share("call", call)
    pool.items("job", "call", [(0, 100)], lambda start, stop: list(range(start, stop)))
    reports = reports_of(pool)
    died = {report.index: report.message for report in reports if isinstance(report, ItemDied)}
    assert died == {40: words, 41: words, 90: words}
    assert sorted(values_of(reports)) == [index for index in range(100) if index not in died]


def test_a_worker_that_dies_in_a_call(pool: WorkerPool) -> None:
    pool.share("end", lambda: os._exit(3))
    pool.call("job", "end", ())
    assert reports_of(pool)[-1] == Died("job", "exited with code 3")


def test_a_worker_that_dies_while_its_items_are_taken_back(pool: WorkerPool) -> None:
    pool.share("wait", lambda: threading.Event().wait(60))
    pool.call("job", "wait", ())
    while not (begun := [each for each in pool._staff.members if each.process.doing > 0]):
        pool.poll(0.01)
    (member,) = begun
    member.hold()
    os.kill(member.process.process.pid, signal.SIGKILL)
    assert reports_of(pool)[-1] == Died("job", "was killed by signal 9 (SIGKILL)")


def test_a_call_that_takes_too_long_is_ended(pool: WorkerPool) -> None:
    pool.share("wait", lambda: threading.Event().wait(60))
    pool.call("job", "wait", (), timeout=0.2)
    died = reports_of(pool)[-1]
    assert isinstance(died, Died)
    assert died.timed_out


def test_cancelling_ends_the_worker_soon(pool: WorkerPool) -> None:
    pool.share("wait", lambda: threading.Event().wait(60))
    pool.call("job", "wait", ())
    (started,) = pool.poll(10)
    assert isinstance(started, JobStarted)
    began = time.monotonic()
    pool.cancel("job")
    while psutil.pid_exists(started.pid):
        pool.poll(0.05)
    assert time.monotonic() - began < 5
    assert not pool.busy


def test_no_more_than_the_limit_run_at_once(pool: WorkerPool, tmp_path) -> None:
    def call(index: int, item: int) -> int:
        here = tmp_path / f"{item}"
        here.touch()
        count = len(list(tmp_path.iterdir()))
        here.unlink()
        return count

    pool.share("call", call)
    pool.items("job", "call", [(0, 200)], lambda start, stop: list(range(start, stop)), limit=1)
    assert set(values_of(reports_of(pool)).values()) == {1}


def test_two_calls_run_side_by_side(pool: WorkerPool, tmp_path) -> None:
    def meet(own: str, other: str) -> bool:
        (tmp_path / own).touch()
        until = time.monotonic() + 30
        while not (tmp_path / other).exists():
            if time.monotonic() > until:
                return False
        return True

    pool.share("meet", meet)
    pool.call("a", "meet", ("a", "b"))
    pool.call("b", "meet", ("b", "a"))
    assert {report.value for report in reports_of(pool) if isinstance(report, Returned)} == {True}


def test_large_arrays_travel_both_ways(pool: WorkerPool) -> None:
    pool.share("double", lambda index, item: item * 2)
    arrays = [np.full(3_000_000, index, dtype=np.float64) for index in range(4)]
    pool.items("job", "double", [(0, 4)], lambda start, stop: arrays[start:stop])
    values = values_of(reports_of(pool))
    assert [values[index].sum() for index in range(4)] == [6_000_000.0 * index for index in range(4)]


def test_what_cannot_travel_is_said_of_the_item(pool: WorkerPool) -> None:
    pool.share("make", lambda index, item: threading.Lock() if item == 1 else item)
    pool.items("job", "make", [(0, 3)], lambda start, stop: list(range(start, stop)))
    reports = reports_of(pool)
    (raised,) = [report for report in reports if isinstance(report, ItemRaised)]
    assert raised.index == 1
    assert "lock" in raised.message
    assert "cannot travel between processes" in raised.message
    assert values_of(reports) == {0: 0, 2: 2}


class Unloadable:
    def __reduce__(self) -> tuple[object, ...]:
        return (int, ("no number",))


def test_what_cannot_be_loaded_fails_the_job(pool: WorkerPool) -> None:
    pool.share("broken", Unloadable())
    pool.call("job", "broken", ())
    (raised,) = [report for report in reports_of(pool) if isinstance(report, Raised)]
    assert raised.type == "ValueError"


def test_a_wrong_use_is_refused(pool: WorkerPool) -> None:
    with pytest.raises(UsageError, match="nothing is shared as 'gone'"):
        pool.call("job", "gone", ())
    with pytest.raises(UsageError, match="at least one worker"):
        WorkerPool(0)
    pool.close()
    with pytest.raises(HeadwaterError, match="is closed"):
        pool.poll(0)


def test_a_shared_pool_is_warm_and_nobody_elses() -> None:
    first = shared_pool(2)
    first.share("pid", os.getpid)
    first.call("job", "pid", ())
    pid = reports_of(first)[-1].value
    second = shared_pool(2)
    assert second is not first
    second.close()
    first.close()
    again = [shared_pool(2), shared_pool(2)]
    assert first in again
    assert pid in first.pids
    for pool in again:
        pool.close()


def test_workers_end_when_their_parent_is_killed() -> None:
    script = (
        "import threading\n"
        "from headwater.backends.pool import WorkerPool\n"
        "pool = WorkerPool(2)\n"
        "pool.share('wait', lambda: threading.Event().wait(300))\n"
        "for job in 'ab': pool.call(job, 'wait', ())\n"
        "started = []\n"
        "while len(started) < 2: started += pool.poll(10)\n"
        "print(*pool.pids, flush=True)\n"
        "pool.poll(None)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    workers = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
    process.kill()
    process.communicate()
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=15)
    assert alive == []
