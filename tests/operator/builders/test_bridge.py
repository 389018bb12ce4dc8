"""Bridges: the pods and Jobs of nodes that run on Slurm."""

from __future__ import annotations

import json
from typing import Any

from headwater.document.unit import read_unit
from headwater_operator.builders import MapStep, RunContext, UnitStep, cancel_pod, map_objects, unit_objects

from tests.operator.builders.golden import check
from tests.operator.builders.runs import BUCKET, CLAIM, run

HPC = {
    "transport": "ssh", "endpoint": "ana@login", "workdir": "/scratch/ana", "secretRef": {"name": "hpc-key"},
    "defaults": {"partition": "short"},
}  # fmt: skip
FIT: dict[str, Any] = {
    "name": "fit", "task": "m:fit", "executor": "slurm", "slurm": {"cluster": "hpc", "account": "physics"},
    "resources": {"limits": {"memory": "4Gi", "nvidia.com/gpu": 1}}, "timeout": "1h", "image": "mine:1",
    "nodeSelector": {"gpu": "yes"}, "podTemplate": {"spec": {"hostname": "a"}}, "labels": {"team": "b"},
}  # fmt: skip
STEP = UnitStep("fit", 1, "main", "fit", "task", inputs={"x": {"json": "$1"}})


def on_slurm(*nodes: dict[str, Any], **spec: Any) -> RunContext:
    made = run(*nodes, code={"configMap": "code-1"}, **spec)
    return RunContext(made.name, made.namespace, made.uid, made.spec, {"hpc": HPC})


def order(pod: dict[str, Any]) -> dict[str, Any]:
    variables = {each["name"]: each["value"] for each in pod["spec"]["containers"][0]["env"]}
    found: dict[str, Any] = json.loads(variables["HEADWATER_SLURM"])
    return found


def test_a_task_on_slurm_is_a_small_pod_of_the_operators_image() -> None:
    objects = unit_objects(on_slurm(FIT), CLAIM, STEP)
    check("bridge", objects)
    told = order(objects[-1])
    assert told["slurm"] == {"account": "physics", "time": 65}
    assert told["resources"] == FIT["resources"]


def test_a_map_on_slurm_is_a_job_of_one_pod_and_an_array_there() -> None:
    node = {key: each for key, each in FIT.items() if key != "task"}
    node["map"] = {"task": "m:fit", "over": {"x": {"range": 100}}, "itemsPerPod": 10}
    over = {"x": {"range": 100}}
    step = MapStep("fit", 1, "main", "fit", {}, over, "0-99", 100, 8, 100, per_task=10)
    objects = map_objects(on_slurm(node), CLAIM, step)
    check("bridge-map", objects)
    template = objects[-1]["spec"]["template"]
    assert read_unit(template["spec"]["containers"][0]["env"][0]["value"]).per_pod == 10
    assert order(template)["parallelism"] == 8
    assert order(template)["slurm"]["time"] == 605


def test_the_pod_that_cancels_a_job_knows_its_name_and_its_cluster() -> None:
    pod = cancel_pod(on_slurm(FIT), CLAIM, "fit", "reduce-fit-1", "hpc", 12)
    check("bridge-cancel", [pod])
    assert (order(pod)["name"], order(pod)["tasks"]) == ("reduce-fit-1", 12)


def test_defaults_send_tasks_to_slurm_and_containers_and_questions_to_pods() -> None:
    defaults = {"executor": "slurm", "slurm": {"cluster": "hpc", "qos": "low"}}
    nodes = [
        {"name": "a", "task": "m:a", "slurm": {"qos": "high"}},
        {"name": "b", "container": {"image": "c"}},
    ]
    context = on_slurm(*nodes, defaults=defaults)
    kinds = [
        unit_objects(context, BUCKET, UnitStep(name, 1, "main", name, does))[-1]["metadata"]["labels"][  # type: ignore[arg-type]
            "headwater.dev/kind"
        ]
        for name, does in (("a", "task"), ("b", "container"), ("a", "decide"))
    ]
    assert kinds == ["bridge", "unit", "unit"]
    pod = unit_objects(context, BUCKET, UnitStep("a", 1, "main", "a", "task"))[-1]
    assert order(pod)["slurm"] == {"qos": "high"}
