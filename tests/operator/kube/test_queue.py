"""The work queue: every key once, never two workers on one, nothing lost."""

from __future__ import annotations

import asyncio
import random

from headwater_operator.kube.queue import WorkQueue

from tests.operator.simulated_time import run_simulated


def test_a_key_added_many_times_is_worked_on_once() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        for key in "aabab":
            queue.add(key)
        assert [await queue.get(), await queue.get(), len(queue)] == ["a", "b", 0]

    run_simulated(run())


def test_a_key_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        queue.add("b")
        assert await queue.get() == "b"
        queue.done("a")
        assert await queue.get() == "a"

    run_simulated(run())


def test_of_two_dates_the_earlier_one_holds() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        queue: WorkQueue[str] = WorkQueue()
        queue.add_after("a", 10)
        queue.add_after("a", 2)
        queue.add_after("a", 50)
        await queue.get()
        assert 2 <= loop.time() < 3
        queue.done("a")
        queue.add_after("b", 100)
        assert await queue.get() == "b"
        assert loop.time() >= 100

    run_simulated(run())


def test_many_workers_never_share_a_key_and_lose_none() -> None:
    async def run() -> None:
        queue: WorkQueue[int] = WorkQueue()
        rng = random.Random(1)
        busy: set[int] = set()
        wanted: dict[int, int] = {}
        seen: dict[int, int] = {}

        async def work() -> None:
            while True:
                key = await queue.get()
                assert key not in busy
                busy.add(key)
                seen[key] = wanted[key]
                await asyncio.sleep(rng.random())
                busy.remove(key)
                queue.done(key)

        workers = [asyncio.create_task(work()) for _ in range(4)]
        for step in range(300):
            key = rng.randrange(10)
            wanted[key] = step
            queue.add(key) if rng.random() < 0.7 else queue.add_after(key, rng.random() * 3)
            await asyncio.sleep(rng.random() / 10)
        await asyncio.sleep(30)
        assert seen == wanted
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    run_simulated(run())
