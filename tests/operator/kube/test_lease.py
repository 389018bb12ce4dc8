"""One active operator: who waits, who takes over, and when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from headwater.errors import UsageError
from headwater_operator.kube.api import ApiError
from headwater_operator.kube.lease import Lease, acquire, own_identity

from tests.operator.simulated_api import SimulatedApi
from tests.operator.simulated_time import run_simulated

LEASES = "/apis/coordination.k8s.io/v1/namespaces/lab/leases"


def lease(api: Any, identity: str) -> Lease:
    return Lease(api, "lab", "operator", identity=identity)


def holder(api: SimulatedApi) -> str:
    return str(api.collection(LEASES)["operator"]["spec"]["holderIdentity"])


async def keeping(one: Lease) -> asyncio.Task[None]:
    assert await acquire([one]) == 0
    return asyncio.create_task(one.keep())


async def end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_second_operator_waits_as_long_as_the_first_renews() -> None:
    async def run() -> None:
        api = SimulatedApi()
        first = await keeping(lease(api, "elsewhere~1~1"))
        second = asyncio.create_task(acquire([lease(api, "elsewhere~2~2")]))
        await asyncio.sleep(300)
        assert not second.done()
        assert holder(api) == "elsewhere~1~1"
        await end(first, second)

    run_simulated(run())


def test_after_a_graceful_end_the_next_one_begins_at_once() -> None:
    async def run() -> None:
        api = SimulatedApi()
        loop = asyncio.get_running_loop()
        one = lease(api, "elsewhere~1~1")
        first = await keeping(one)
        second = asyncio.create_task(acquire([lease(api, "elsewhere~2~2")]))
        await asyncio.sleep(5)
        await end(first)
        await one.release()
        before = loop.time()
        await second
        assert loop.time() - before < 2

    run_simulated(run())


def test_after_a_death_elsewhere_the_next_one_waits_out_the_duration_by_its_own_clock() -> None:
    async def run() -> None:
        api = SimulatedApi()
        loop = asyncio.get_running_loop()
        await end(await keeping(lease(api, "elsewhere~1~1")))
        # The holder's clock is an hour ahead: nobody looks at it.
        api.change(LEASES, "operator", spec={"renewTime": "2099-01-01T00:00:00.000000Z"})
        before = loop.time()
        await acquire([lease(api, "elsewhere~2~2")])
        assert 15 <= loop.time() - before < 20

    run_simulated(run())


def test_a_process_of_this_machine_that_is_gone_is_replaced_at_once() -> None:
    async def run() -> None:
        api = SimulatedApi()
        loop = asyncio.get_running_loop()
        machine = own_identity().partition("~")[0]
        await end(await keeping(lease(api, f"{machine}~999999999~1")))
        before = loop.time()
        await acquire([lease(api, own_identity())])
        assert loop.time() - before < 1

    run_simulated(run())


def test_a_holder_that_cannot_renew_gives_up_before_others_take_over() -> None:
    async def run() -> None:
        api = SimulatedApi()
        loop = asyncio.get_running_loop()
        keep = await keeping(lease(api, "elsewhere~1~1"))
        await asyncio.sleep(6)

        def unreachable(method: str, path: str, done: bool) -> None:
            from headwater_operator.kube.api import ApiError

            raise ApiError(0, "unreachable")

        api.hook = unreachable
        before = loop.time()
        await keep
        assert loop.time() - before < 15

    run_simulated(run())


def test_a_holder_that_was_replaced_notices() -> None:
    async def run() -> None:
        api = SimulatedApi()
        keep = await keeping(lease(api, "elsewhere~1~1"))
        api.change(LEASES, "operator", spec={"holderIdentity": "elsewhere~2~2"})
        await asyncio.wait_for(keep, 20)

    run_simulated(run())


def test_of_several_shards_each_operator_takes_one_and_a_further_one_stands_by() -> None:
    async def run() -> None:
        api = SimulatedApi()

        def leases(identity: str) -> list[Lease]:
            return [Lease(api, "lab", f"operator-{number}", identity=identity) for number in range(2)]

        first, second, third = (leases(f"elsewhere~{number}~1") for number in range(3))
        assert await acquire(first) == 0
        assert await acquire(second) == 1
        keeps = [asyncio.create_task(first[0].keep()), asyncio.create_task(second[1].keep())]
        waiting = asyncio.create_task(acquire(third))
        await asyncio.sleep(100)
        assert not waiting.done()
        await end(keeps[1])
        assert await waiting == 1
        await end(keeps[0])

    run_simulated(run())


def test_where_there_is_no_namespace_an_operator_ends_and_says_how_to_make_it() -> None:
    async def run() -> None:
        def no_namespace(method: str, path: str, done: bool) -> None:
            if "/leases" in path:
                raise ApiError(404, "not found", {"message": 'namespaces "lab" not found'})

        lease = Lease(SimulatedApi(no_namespace), "lab", "headwater-operator")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"no namespace 'lab'.*kubectl create namespace lab"):
            await acquire([lease])

    asyncio.run(run())
