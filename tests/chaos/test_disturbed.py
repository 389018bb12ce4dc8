"""The cluster itself is harmed: the API server restarts, etcd forgets, a node goes. Nobody else uses it meanwhile."""

from __future__ import annotations

import asyncio
from types import ModuleType

import pytest

from tests.chaos.conftest import LONG, NewLab
from tests.chaos.documents import Object, Plan, plan_of
from tests.chaos.harness import Lab, kills
from tests.cluster.fakes import OUTCOME, TAINT

pytestmark = [pytest.mark.disturbs_cluster, pytest.mark.xdist_group("disturbs_cluster")]
SLOW = (700,) * 12


def _node(lab: Lab, path: str) -> Object:
    """What the status of the run says of a node."""
    found: Object = (lab.status("run").get("nodes") or {}).get(path) or {}
    return found


@pytest.mark.timeout(900)
async def test_a_restart_of_the_api_server_with_its_history_forgotten_changes_nothing(
    new_lab: NewLab, chaos: ModuleType
) -> None:
    plans = [Plan(f"run-{number}", delays=SLOW) for number in range(3)] + [plan_of(30 + n) for n in range(5)]
    async with new_lab() as lab:
        operator = lab.operator()
        await lab.submit(*plans)
        await lab.until(lab.running_pods)
        await asyncio.to_thread(chaos.compact_etcd)
        await asyncio.to_thread(chaos.restart_api)
        await lab.ended(plan.name for plan in plans)
        lab.check_outcomes(plans)
        lab.check_started_once()
        assert operator.lives == 1
        operator.check()
        await lab.delete_all()


@pytest.mark.timeout(900)
async def test_an_operator_killed_while_the_api_server_is_away_goes_on_when_it_is_back(
    new_lab: NewLab, chaos: ModuleType
) -> None:
    plans = [Plan(f"run-{number}", delays=SLOW) for number in range(5)]
    async with new_lab() as lab:
        operator = lab.operator()
        await lab.submit(*plans)
        await lab.until(lab.running_pods)
        await asyncio.to_thread(chaos.kill, "kube-apiserver")
        operator.kill()
        operator.start()
        await lab.proxy.made(lab.proxy.calls + 4, seconds=30)
        await asyncio.to_thread(chaos.start, "kube-apiserver")
        await lab.ended(plan.name for plan in plans)
        operator.check()
        lab.check_outcomes(plans)
        lab.check_started_once()
        await lab.delete_all()


@pytest.mark.skipif(not LONG, reason="takes two minutes: HEADWATER_CHAOS=long")
@pytest.mark.timeout(900)
async def test_what_ran_on_a_node_that_is_gone_runs_again_elsewhere(
    new_lab: NewLab, chaos: ModuleType
) -> None:
    """The cluster's own controllers notice after about a minute."""
    async with new_lab() as lab:
        name = f"doomed-{lab.namespace}"
        await asyncio.to_thread(chaos.start_fake_node, name)
        toleration = {**TAINT, "operator": "Equal"}
        long = {
            "name": "long",
            "container": {"image": "fake", "command": ["true"]},
            "annotations": {OUTCOME: "manual"},
            "nodeSelector": {"kubernetes.io/hostname": name},
            "tolerations": [toleration],
        }
        document = Plan("run").document()
        document["spec"] = {"entrypoint": "main", "blocks": [{"name": "main", "nodes": [long]}]}
        operator = lab.operator()
        await lab.api.create(lab.workflows.path, document)
        # The second of these times is how long it waited to start: the operator has seen it run.
        await lab.until(lambda: len(_node(lab, "long").get("at", ())) > 1 and lab.running_pods_on(name))
        await asyncio.to_thread(chaos.remove_node, name)
        async with kills(lab, operator, 1, most_calls=100):
            await lab.until(lambda: _node(lab, "long").get("attempts") == 2)
            await asyncio.to_thread(chaos.start_fake_node, name)
            await lab.until(lambda: lab.running_pods_on(name))
        second = lab.running_pods_on(name)[0]
        ended = {"exitCode": 0, "reason": "Completed", "message": "{}"}
        status = {
            "phase": "Succeeded",
            "containerStatuses": [
                {
                    "name": "main",
                    "image": "fake",
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": {"terminated": ended},
                }
            ],
        }
        await lab.api.patch(f"{lab.pods.path}/{second}/status", {"status": status})
        await lab.ended(["run"])
        assert lab.phase("run") == "Succeeded", lab.picture()
        lab.check_started_once()
        await asyncio.to_thread(chaos.remove_node, name)
