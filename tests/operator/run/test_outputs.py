"""Outputs of a run stand in its status as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.operator.simulated_nodes import End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import World

VALUES: list[Any] = [None, {"a": None}, [None, {"b": {"c": None}}], [[{"d": None, "e": 1}]], {"f": [1]}]


@pytest.mark.parametrize("seed", range(2))
def test_nulls_in_outputs_stay(seed: int) -> None:
    async def run() -> None:
        said = {"x": VALUES, **{f"x{number}": value for number, value in enumerate(VALUES)}}
        world = World(lambda path, attempt, index: End(message=json.dumps(said)), seed)
        world.kill_at = lambda call, done: seed > 0 and world.rng.random() < 0.05
        node = {
            "name": "a", "container": {"image": "busybox"}, "outputs": {name: {} for name in said},
        }  # fmt: skip
        world.start_operator()
        world.submit("run", {"blocks": [{"name": "main", "nodes": [node]}]})
        await world.finish("run")
        await world.stop_operator()
        assert world.status("run")["outputs"] == said

    run_simulated(run())
