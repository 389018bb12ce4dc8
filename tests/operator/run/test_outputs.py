"""Outputs of a run stand in its status as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.operator.simulated_nodes import End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import World

VALUES: list[Any] = [None, {"a": None}, [None, {"b": {"c": None}}], [[{"d": None, "e": 1}]], {"f": [1]}]


def test_a_value_that_nobody_can_be_given_is_refused_where_it_comes_from() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(message='{"x": "\\ud800"}'), 0)
        node = {"name": "a", "container": {"image": "busybox"}, "outputs": {"x": {}}}
        world.start_operator()
        world.submit("run", {"blocks": [{"name": "main", "nodes": [node]}]})
        await world.finish("run")
        await world.stop_operator()
        assert world.status("run")["phase"] == "Failed"
        assert "output 'x' holds '\\ud800' with half a character" in world.status("run")["message"]

    run_simulated(run())


def test_a_map_of_containers_over_what_is_no_list_fails() -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(message=json.dumps({"l": {"not": "a list"}})), 0)
        container = {"image": "busybox"}
        given = {"name": "a", "container": container, "outputs": {"l": {}}}
        mapped = {"name": "m", "map": {"container": container, "over": {"x": {"from": "a.l"}}}}
        world.start_operator()
        world.submit("run", {"blocks": [{"name": "main", "nodes": [given, mapped]}]})
        await world.finish("run")
        await world.stop_operator()
        assert world.status("run")["phase"] == "Failed"
        assert (
            "input 'x' is not a list but a dict, so a map cannot run over it."
            in world.status("run")["message"]
        )

    run_simulated(run())


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


@pytest.mark.parametrize("seed", range(3))
def test_of_a_loop_only_the_last_pass_stands_in_the_status(seed: int) -> None:
    async def run() -> None:
        world = World(lambda path, attempt, index: End(), seed)
        world.kill_at = lambda call, done: seed > 0 and world.rng.random() < 0.03
        container = {"image": "busybox"}
        inside = [
            {"name": "s", "container": container},
            {"name": "t", "container": container, "dependsOn": ["s"]},
        ]
        loop = {"name": "lp", "loop": {"block": "b", "iterations": 4}}
        blocks = [{"name": "main", "nodes": [loop]}, {"name": "b", "nodes": inside, "placement": "nodes"}]
        world.start_operator()
        world.submit("run", {"entrypoint": "main", "blocks": blocks})
        await world.finish("run")
        await world.stop_operator()
        assert set(world.status("run")["nodes"]) == {"lp", "lp[3]/s", "lp[3]/t"}

    run_simulated(run())
