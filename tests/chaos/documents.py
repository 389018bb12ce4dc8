"""Runs by seed: what of them fails and how long it takes is drawn, and what must come of it is worked out.

The reference is the same operator without any accident, in simulation (tests/operator/world.py).
"""

from __future__ import annotations

import functools
import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.cluster.fakes import DELAY, FAILING, FAKE_POD, MESSAGE
from tests.operator.simulated_nodes import End
from tests.operator.simulated_time import run_simulated
from tests.operator.world import World

Object = dict[str, Any]
CONTAINER: Object = {"image": "fake", "command": ["true"]}
NODES = ("gen", "square", "left", "right", "big", "yes", "no", "merge", "twice", "flaky", "slow", "total")


@dataclass(frozen=True)
class Fates:
    """What fails in a run: which attempts of `left`, `flaky` and `right`, which items of the map at first."""

    items: int = 5
    failing_items: tuple[int, ...] = (2,)
    left: str = "1"
    flaky: str = "1,2"
    right: str = ""
    tolerated: bool = False
    backoff: str = "0s"


@dataclass(frozen=True)
class Plan:
    """A run of twelve nodes: a map with retries, a condition with two branches, a loop, nodes that fail."""

    name: str
    fates: Fates = Fates()
    delays: tuple[int, ...] = (0,) * len(NODES)

    def document(self) -> Object:
        """The Workflow, for fake nodes."""
        return {
            "apiVersion": "headwater.dev/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": self.name},
            "spec": self.spec(),
        }

    def spec(self) -> Object:
        """What it consists of."""
        delays, fates = dict(zip(NODES, self.delays, strict=True)), self.fates
        retry = {"retry": {"limit": 2, "backoff": {"initial": fates.backoff}}}

        def node(name: str, **given: Any) -> Object:
            annotations = {**({DELAY: str(delays[name])} if delays[name] else {}), **given.pop("says", {})}
            written = {"name": name, **given}
            return {**written, "annotations": annotations} if annotations else written

        def task(name: str, failing: str = "", **given: Any) -> Object:
            return node(name, container=CONTAINER, says={FAILING: failing} if failing else {}, **given)

        numbers = json.dumps({"xs": list(range(fates.items))})
        failing_items = ",".join(f"1/{index}" for index in fates.failing_items)
        says = {MESSAGE: '{"y": 7}', **({FAILING: failing_items} if failing_items else {})}
        nodes = [
            node("gen", container=CONTAINER, outputs={"xs": {"type": "list"}}, says={MESSAGE: numbers}),
            node(
                "square",
                map={"container": CONTAINER, "over": {"x": {"from": "gen.xs"}}},
                outputs={"y": {"type": "int"}},
                says=says,
                **retry,
            ),
            task("left", fates.left, dependsOn=["gen"], **retry),
            task("right", fates.right, dependsOn=["gen"], continueOnFailure=fates.tolerated, **retry),
            {"name": "big", "condition": {"input": {"from": "gen.xs"}, "operator": "exists"}},
            task("yes", branch={"of": "big", "when": True}),
            task("no", branch={"of": "big", "when": False}),
            {"name": "merge", "merge": {}, "dependsOn": ["yes", "no"]},
            {"name": "twice", "loop": {"block": "body", "iterations": 2}, "dependsOn": ["left", "right"]},
            task("flaky", fates.flaky, dependsOn=["left"], **retry),
            task("slow", dependsOn=["gen"]),
            node(
                "total",
                container=CONTAINER,
                inputs={"ys": {"from": "square.y"}},
                dependsOn=["merge", "twice", "flaky", "slow"],
                outputs={"sum": {"type": "int"}},
                says={MESSAGE: '{"sum": 35}'},
            ),
        ]
        blocks = [
            {"name": "main", "nodes": nodes},
            {"name": "body", "nodes": [{"name": "step", "container": CONTAINER}]},
        ]
        # Not failFast: what it keeps from starting depends on who comes first.
        return {"entrypoint": "main", "failFast": False, "defaults": FAKE_POD, "blocks": blocks}

    def outcome(self) -> Object:
        """What must come of it, whatever happens to the operator."""
        return _outcome(self.fates)


def plan_of(seed: int, name: str = "") -> Plan:
    """The run of a seed."""
    rng = random.Random(seed)
    items = rng.randint(1, 6)
    fates = Fates(
        items,
        tuple(sorted(rng.sample(range(items), rng.choice((0, 0, 1, min(2, items)))))),
        rng.choice(("", "1", "1,2")),
        rng.choice(("", "1", "1,2")),
        rng.choice(("", "", "1", "1,2,3")),
        rng.random() < 0.5,
        rng.choice(("0s", "0s", "1s")),
    )
    delays = tuple(rng.choice((0, 0, 0, rng.randint(20, 600))) for _ in NODES)
    return Plan(name or f"run-{seed}", fates, delays)


@functools.cache
def _outcome(fates: Fates) -> Object:
    plan = Plan("run", fates)
    failing = {"left": fates.left, "flaky": fates.flaky, "right": fates.right}

    def script(path: str, attempt: int, index: int) -> End:
        if path == "gen":
            return End(0, json.dumps({"xs": list(range(fates.items))}))
        if path == "square":
            failed = attempt == 1 and index in fates.failing_items
            return End(1) if failed else End(0, '{"y": 7}')
        if str(attempt) in failing.get(path, "").split(","):
            return End(1)
        return End(0, '{"sum": 35}' if path == "total" else "{}")

    async def run() -> Object:
        world = World(script, 0)
        world.start_operator()
        world.submit("run", plan.spec())
        await world.finish("run")
        await world.stop_operator()
        return outcome_in(world.status("run"))

    with ThreadPoolExecutor(1) as pool:  # the caller may be in an event loop of its own
        return pool.submit(run_simulated, run()).result()


def outcome_in(status: Object) -> Object:
    """Of a status, what must be the same however often the operator died."""
    nodes = {
        path: (node["phase"], node.get("attempts"), json.dumps(node.get("items"), sort_keys=True))
        for path, node in (status.get("nodes") or {}).items()
    }
    return {"phase": status.get("phase"), "outputs": status.get("outputs") or {}, "nodes": nodes}
