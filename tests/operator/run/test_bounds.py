"""One run must not stop all others: what would go on without end, or fill the operator's memory, is ended and told."""

from __future__ import annotations

from typing import Any

import pytest
from headwater_operator.run import load

from tests.operator.simulated_nodes import End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import World

Object = dict[str, Any]
SAY = {"name": "say", "container": {"image": "busybox"}}


def _nothing(**loop: Any) -> list[Object]:
    node = {"name": "l", "loop": {"block": "b", **loop}, "inputs": {"x": {"value": 1}}}
    asks = {"name": "k", "condition": {"input": {"from": "inputs.x"}, "operator": "exists"}}
    return [{"name": "main", "nodes": [node]}, {"name": "b", "inputs": {"x": {}}, "nodes": [asks]}]


def _doubling(levels: int) -> list[Object]:
    blocks = [{"name": "main", "nodes": _twice("b0")}]
    blocks += [{"name": f"b{i}", "placement": "nodes", "nodes": _twice(f"b{i + 1}")} for i in range(levels)]
    return [*blocks, {"name": f"b{levels}", "nodes": [SAY]}]


def _twice(block: str) -> list[Object]:
    return [{"name": name, "call": {"block": block}} for name in ("left", "right")]


def _mapped(items: int) -> list[Object]:
    node = {"name": "m", "map": {"call": {"block": "b"}, "over": {"x": {"range": items}}}}
    return [
        {"name": "main", "nodes": [node]},
        {"name": "b", "placement": "nodes", "inputs": {"x": {}}, "nodes": [SAY]},
    ]


@pytest.mark.parametrize(
    ("blocks", "why"),
    [
        (_nothing(forever=True), "Does a loop never end?"),
        (_nothing(iterations=10**8), "Does a loop never end?"),
        (_doubling(24), "more than 1,000 nodes at once"),
    ],
)
def test_a_run_that_would_take_everything_fails_and_another_one_goes_on(
    blocks: list[Object], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "MOST_NODES", 1000)

    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 0)
        world.start_operator()
        world.submit("greedy", {"entrypoint": "main", "parallelism": 1, "blocks": blocks})
        world.submit("modest", {"blocks": [{"name": "main", "nodes": [SAY]}]})
        await world.finish("modest")
        await world.finish("greedy")
        await world.stop_operator()
        assert world.status("modest")["phase"] == "Succeeded"
        assert world.status("greedy")["phase"] == "Failed"
        assert why in world.status("greedy")["message"]

    run_simulated(run())


@pytest.mark.parametrize(
    ("blocks", "why"),
    [
        (
            [
                {
                    "name": "main",
                    "nodes": [
                        {"name": "m", "map": {"container": {"image": "a"}, "over": {"x": {"range": 10**12}}}}
                    ],
                }
            ],
            "map.over.x.range",
        ),
        (
            [
                {"name": "main", "nodes": [{"name": "a", "call": {"block": "b0"}}]},
                *(
                    {"name": f"b{i}", "nodes": [{"name": "a", "call": {"block": f"b{i + 1}"}}]}
                    for i in range(1500)
                ),
                {"name": "b1500", "nodes": [SAY]},
            ],
            "blocks run each other 1502 deep",
        ),
    ],
)
def test_what_is_too_much_is_refused_before_anything_runs(blocks: list[Object], why: str) -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 0)
        world.start_operator()
        world.submit("run", {"entrypoint": "main", "blocks": blocks})
        await world.finish("run")
        await world.stop_operator()
        assert world.status("run")["reason"] == "InvalidSpec"
        assert why in world.status("run")["message"]

    run_simulated(run())


def test_a_large_map_over_a_block_is_opened_as_far_as_there_is_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "MOST_NODES", 40)

    async def run() -> None:
        world = World(lambda path, attempt, index: End(), 0)
        world.start_operator()
        world.submit("run", {"entrypoint": "main", "blocks": _mapped(100)})
        await world.until(lambda: world.status("run").get("phase") == "Running")
        states = next(iter(world.reconciler.runs.values())).engine.states
        most = 0

        def ended() -> bool:
            nonlocal most
            most = max(most, len(states))
            return world.status("run").get("phase") == "Succeeded"

        await world.until(ended)
        await world.stop_operator()
        assert world.status("run")["nodes"]["m"]["items"] == {"total": 100, "succeeded": "0-99"}
        assert 15 < most < 30

    run_simulated(run())
