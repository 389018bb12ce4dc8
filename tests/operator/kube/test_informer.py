"""The informer: its copy is the server's, whatever happens to the watch."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from headwater_operator.kube.api import ApiError
from headwater_operator.kube.informer import Informer, Key

from tests.operator.simulated_api import SimulatedApi
from tests.operator.simulated_time import run_simulated

PODS = "/api/v1/namespaces/lab/pods"


@dataclass(frozen=True)
class Seen:
    version: int
    colour: str


def slim(obj: dict[str, Any]) -> Seen | None:
    colour = obj.get("spec", {}).get("colour", "")
    return None if colour == "boring" else Seen(int(obj["metadata"]["resourceVersion"]), colour)


def pod(name: str, colour: str = "red") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "lab"}, "spec": {"colour": colour}}


@asynccontextmanager
async def informed(api: SimulatedApi) -> AsyncIterator[tuple[Informer[Seen], list[tuple[Key, str]]]]:
    changes: list[tuple[Key, str]] = []

    def changed(key: Key, old: Seen | None, new: Seen | None) -> None:
        changes.append((key, "gone" if new is None else new.colour))

    informer: Informer[Seen] = Informer(api, PODS, slim, changed)  # type: ignore[arg-type]  # it offers the same
    task = asyncio.create_task(informer.run())
    await informer.synced.wait()
    try:
        yield informer, changes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def colours(informer: Informer[Seen]) -> dict[str, str]:
    return {name: seen.colour for (_, name), seen in informer.objects.items()}


def test_it_lists_what_is_there_and_follows_what_comes() -> None:
    async def run() -> None:
        api = SimulatedApi()
        api.add(PODS, pod("a"))
        async with informed(api) as (informer, changes):
            api.add(PODS, pod("b", "blue"))
            api.change(PODS, "a", spec={"colour": "green"})
            api.remove(PODS, "b")
            await asyncio.sleep(1)
            assert colours(informer) == {"a": "green"}
            assert changes == [
                (("lab", "a"), "red"), (("lab", "b"), "blue"), (("lab", "a"), "green"), (("lab", "b"), "gone"),
            ]  # fmt: skip

    run_simulated(run())


def test_a_deletion_missed_while_the_history_was_forgotten_is_found() -> None:
    async def run() -> None:
        api = SimulatedApi()
        api.add(PODS, pod("a"))
        api.add(PODS, pod("b"))
        async with informed(api) as (informer, changes):
            await asyncio.sleep(1)
            watches, api._watches = api._watches, []  # it hears nothing of what follows
            api.remove(PODS, "a")
            api.forget_history()
            for _, queue in watches:
                queue.put_nowait(None)
            await asyncio.sleep(5)
            assert colours(informer) == {"b": "red"}
            assert (("lab", "a"), "gone") in changes
            assert informer.relists == 2

    run_simulated(run())


def test_a_server_that_refuses_watches_is_not_asked_for_lists_all_the_time() -> None:
    class Busy(SimulatedApi):
        refused = 0

        async def watch(self, path: str, params: Mapping[str, str], idle: float = 90.0) -> Any:
            self.refused += 1
            if self.refused <= 40:
                raise ApiError(429, "too many requests")
            async for event in super().watch(path, params, idle):
                yield event

    async def run() -> None:
        api = Busy()
        async with informed(api) as (informer, _):
            api.add(PODS, pod("a"))
            await asyncio.sleep(120)
            assert colours(informer) == {"a": "red"}
            assert api.refused == 41
            assert informer.relists < 10

    run_simulated(run())


def test_what_a_call_answered_is_known_at_once_and_never_replaced_by_something_older() -> None:
    async def run() -> None:
        api = SimulatedApi()
        async with informed(api) as (informer, changes):
            made = await api.create(PODS, pod("a"))
            informer.learn(made)
            assert colours(informer) == {"a": "red"}
            api.change(PODS, "a", spec={"colour": "green"})
            await asyncio.sleep(1)
            informer.learn(made)
            assert colours(informer) == {"a": "green"}
            assert [each for each in changes if each[1] == "red"] == [(("lab", "a"), "red")]

    run_simulated(run())


def test_an_answer_that_comes_after_the_deletion_does_not_bring_the_object_back() -> None:
    async def run() -> None:
        api = SimulatedApi()
        async with informed(api) as (informer, _):
            made = await api.create(PODS, pod("a"))
            api.remove(PODS, "a")
            await asyncio.sleep(1)
            informer.learn(made)
            assert colours(informer) == {}

    run_simulated(run())


def test_what_is_of_no_interest_is_not_kept() -> None:
    async def run() -> None:
        api = SimulatedApi()
        api.add(PODS, pod("a", "boring"))
        async with informed(api) as (informer, changes):
            api.add(PODS, pod("b", "boring"))
            await asyncio.sleep(1)
            assert (informer.objects, changes) == ({}, [])

    run_simulated(run())


@pytest.mark.parametrize("seed", range(20))
def test_after_any_trouble_the_copy_is_the_servers(seed: int) -> None:
    async def run() -> None:
        api, rng = SimulatedApi(), random.Random(seed)
        async with informed(api) as (informer, changes):
            for _ in range(200):
                name = f"p{rng.randrange(8)}"
                match rng.randrange(6):
                    case 0 | 1 if name not in api.collection(PODS):
                        api.add(PODS, pod(name, rng.choice("rgb")))
                    case 2:
                        api.change(PODS, name, spec={"colour": rng.choice("rgb")})
                    case 3:
                        api.remove(PODS, name)
                    case 4:
                        api.cut_watches()
                    case _ if rng.random() < 0.3:
                        api.forget_history()
                        api.cut_watches()
                await asyncio.sleep(rng.choice((0, 0.01, 0.5)))
            await asyncio.sleep(60)
            truth = {name: obj["spec"]["colour"] for name, obj in api.collection(PODS).items()}
            assert colours(informer) == truth
            told: dict[str, str] = {}
            for (_, name), what in changes:
                told.pop(name, None) if what == "gone" else told.__setitem__(name, what)
            assert told == truth

    run_simulated(run())
