"""On a real kubelet: programs that note that they have begun. However often the operator dies, each notes it once."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.chaos.conftest import LONG, NewLab
from tests.chaos.harness import Lab, kills
from tests.cluster.fixtures import SMALL_IMAGE

ITEMS = 4
Object = dict[str, Any]


def program(shell: str) -> Object:
    """A container that runs a line of shell; its log shows that it has begun."""
    return {
        "image": SMALL_IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", f"echo begun; {shell}"],
    }


def workflow(name: str) -> Object:
    """Squares of a list, added up; one node fails at first."""
    total = (
        'python3 -c \'import json, os; print(json.dumps({"sum": sum(json.loads(os.environ["INPUT_YS"]))}))\''
    )
    nodes = [
        {
            "name": "gen",
            "container": program(f"echo '{{\"xs\": {list(range(ITEMS))}}}' > $HEADWATER_RESULT"),
            "outputs": {"xs": {"type": "list"}},
        },
        {
            "name": "square",
            "map": {
                "container": program(
                    'x=$(cat /headwater/item); sleep 0.5; echo "{\\"y\\": $((x * x))}" > $HEADWATER_RESULT'
                ),
                "over": {"x": {"from": "gen.xs"}},
            },
            "outputs": {"y": {"type": "int"}},
        },
        {
            "name": "fails",
            "container": program("exit 3"),
            "dependsOn": ["gen"],
            "continueOnFailure": True,
            "retry": {"limit": 1},
        },
        {
            "name": "total",
            "container": program(f"{total} > $HEADWATER_RESULT"),
            "inputs": {"ys": {"from": "square.y"}},
            "dependsOn": ["fails"],
            "outputs": {"sum": {"type": "int"}},
        },
    ]
    return {
        "apiVersion": "headwater.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {"entrypoint": "main", "blocks": [{"name": "main", "nodes": nodes}]},
    }


async def submitted(lab: Lab, runs: int) -> list[str]:
    names = [f"run-{number}" for number in range(runs)]
    for name in names:
        await lab.api.create(lab.workflows.path, workflow(name))
    return names


def check(lab: Lab, names: list[str]) -> None:
    for name in names:
        status = lab.status(name)
        assert status["phase"] == "Succeeded", f"{name}: {status['message']}\n{lab.picture()}"
        assert status["outputs"] == {"sum": sum(x * x for x in range(ITEMS))}


@pytest.mark.timeout(1200)
async def test_programs_run_once_although_the_operator_is_killed(new_lab: NewLab) -> None:
    async with new_lab(seed=11) as lab:
        operator = lab.operator()
        names = await submitted(lab, 10 if LONG else 2)
        async with kills(lab, operator, seed=11, most_calls=40) as moments:
            await lab.ended(names)
        check(lab, names)
        lab.check_started_once()
        for name in names:
            fails = lab.status(name)["nodes"]["fails"]
            assert (fails["phase"], fails["attempts"]) == ("Failed", 2)
        assert moments
        await lab.delete_all()


@pytest.mark.timeout(1200)
async def test_real_pods_deleted_by_hand_are_tried_again(new_lab: NewLab) -> None:
    rng = random.Random(12)
    async with new_lab(seed=12) as lab:
        lab.operator()
        names = await submitted(lab, 2)
        deleted: set[str] = set()
        while len(deleted) < 4:
            await lab.until(
                lambda: (
                    set(lab.running_pods()) - deleted or all(lab.phase(name) == "Succeeded" for name in names)
                )
            )
            found = sorted(set(lab.running_pods()) - deleted)
            if not found:
                break
            name = rng.choice(found)
            deleted.add(name)
            await lab.api.delete(f"{lab.pods.path}/{name}")
        await lab.ended(names)
        check(lab, names)
        assert deleted
        await lab.delete_all()
