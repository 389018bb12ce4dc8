"""One step, one pod."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from headwater.document.unit import ENVIRONMENT, UnitSpec, read_unit
from headwater.errors import DocumentError
from headwater_operator.builders import UnitStep, unit_objects

from tests.operator.builders.golden import check
from tests.operator.builders.runs import BARE, BUCKET, CLAIM, run

TASK = {"name": "fit", "task": "pipeline.tasks:Fit", "outputs": {"model": {}}}


def step(node: str = "fit", does: Any = "task", **more: Any) -> UnitStep:
    return UnitStep(more.pop("path", node), more.pop("attempt", 1), "main", node, does, **more)


def pod_of(objects: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    assert objects[-1]["kind"] == "Pod"
    return objects[-1]


def main_of(objects: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    found: dict[str, Any] = pod_of(objects)["spec"]["containers"][0]
    return found


def unit_in(objects: tuple[dict[str, Any], ...]) -> UnitSpec:
    text: str = main_of(objects)["env"][0]["value"]
    assert main_of(objects)["env"][0]["name"] == ENVIRONMENT
    if text == "@/headwater/unit/unit":
        return read_unit(objects[0]["data"]["unit"])
    return read_unit(text.replace("$$", "$"))


# ---------------------------------------------------------------- Python


def test_a_python_task() -> None:
    context = run(
        {**TASK, "inputs": {"data": {"from": "gen.data"}}, "dependsOn": ["gen"], "cache": "code",
         "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}}},
        code={"configMap": "code-3f2a91", "digest": "sha256:3f2a91"},
        parameters={"fit": {"rate": 0.1}},
        defaults={"retry": {"limit": 2}},
    )  # fmt: skip
    data = {"ref": "sha256:ab", "format": "pickle", "size": 40_000}
    objects = unit_objects(context, CLAIM, step(inputs={"data": data}))
    check("task", objects)
    unit = unit_in(objects)
    assert unit.document == {
        "blocks": [{"name": "main", "nodes": [{**TASK, "cache": "code"}]}],
        "defaults": {"retry": {"limit": 2}},
        "parameters": {"fit": {"rate": 0.1}},
        "code": {"configMap": "code-3f2a91", "digest": "sha256:3f2a91"},
    }
    assert (unit.run, unit.store, unit.inputs) == (context.uid, "/headwater/store", {"data": data})


def test_a_task_with_everything_that_a_policy_can_say() -> None:
    context = run(
        {**TASK, "image": "registry.example/pipeline:7", "queue": "batch", "priorityClassName": "low",
         "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "gpu", "operator": "Exists"}],
         "affinity": {"podAntiAffinity": {}}, "imagePullSecrets": [{"name": "registry"}],
         "labels": {"team": "optics"}, "annotations": {"example.org/why": "test"},
         "podTemplate": {"spec": {
             "containers": [{"name": "main", "env": [{"name": "OMP_NUM_THREADS", "value": "1"}]},
                            {"name": "proxy", "image": "proxy:1"}],
             "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
             "runtimeClassName": "gvisor"}}},
        defaults={"labels": {"team": "none", "cost-centre": "12"}, "podTemplate": {
            "spec": {"terminationGracePeriodSeconds": 60}}},
        serviceAccountName="reader",
    )  # fmt: skip
    check("task-with-policy", unit_objects(context, BUCKET, step()))


def test_a_block_in_one_pod_takes_what_its_largest_node_needs() -> None:
    inner = {
        "name": "clean", "placement": "unit", "nodes": [
            {"name": "a", "task": "m:a", "resources": {"requests": {"cpu": "2", "memory": "1Gi"}}},
            {"name": "b", "task": "m:b", "dependsOn": ["a"], "labels": {"kind": "b"},
             "resources": {"requests": {"cpu": "500m", "memory": "4Gi"}}},
            {"name": "c", "call": {"block": "deeper"}},
        ],
    }  # fmt: skip
    deeper = {"name": "deeper", "nodes": [{"name": "d", "task": "m:d"}]}
    other = {"name": "other", "nodes": [{"name": "e", "task": "m:e"}]}
    context = run({"name": "all", "call": {"block": "clean"}}, blocks=[inner, deeper, other])
    objects = unit_objects(context, BARE, step("all", "block", target="clean", inputs={"x": {"json": 1}}))
    check("block", objects)
    assert [block["name"] for block in unit_in(objects).document["blocks"]] == ["main", "clean", "deeper"]


def test_the_whole_entry_block_in_one_pod() -> None:
    context = run(TASK, code={"inline": {"__main__:f": "gASV", "pipeline.tasks:Fit": "gASW"}})
    objects = unit_objects(context, BARE, UnitStep("main", 1, "main", "", "block", target="main"))
    unit = unit_in(objects)
    assert (unit.block, unit.node, len(unit.document["blocks"])) == ("main", "", 1)
    assert unit.document["code"] == {"inline": {"pipeline.tasks:Fit": "gASW"}}


def test_a_question_about_a_node_does_not_ask_for_what_the_node_needs() -> None:
    node = {
        "name": "train", "container": {"image": "train:1"}, "resources": {"limits": {"nvidia.com/gpu": 8}},
        "when": {"input": {"from": "a.x"}, "operator": "in", "values": [1]},
    }  # fmt: skip
    objects = unit_objects(run(node), BARE, step("train", "decide", stage="when", value={"ref": "sha256:ab"}))
    assert "resources" not in main_of(objects)
    assert main_of(objects)["image"] == BARE.image
    unit = unit_in(objects)
    assert unit.document["blocks"][0]["nodes"][0]["when"] == node["when"]
    assert (unit.does, unit.stage, unit.value) == ("decide", "when", {"ref": "sha256:ab"})
    assert pod_of(objects)["metadata"]["annotations"]["headwater.dev/stage"] == "when"


def test_a_question_has_a_pod_of_its_own() -> None:
    context = run(TASK)
    names = {
        pod_of(unit_objects(context, BARE, each))["metadata"]["name"]
        for each in (step(), step(attempt=2), step(does="decide", stage="when"), step(path="x/fit"))
    }
    assert len(names) == 4


def test_dollars_in_a_unit_are_not_expanded() -> None:
    objects = unit_objects(run(TASK), BARE, step(inputs={"x": {"json": "$(HOME) $5 $$"}}))
    assert "$$(HOME) $$5 $$$$" in main_of(objects)["env"][0]["value"]
    assert unit_in(objects).inputs == {"x": {"json": "$(HOME) $5 $$"}}


def test_a_large_unit_lies_in_a_config_map_named_after_its_contents() -> None:
    noise = random.Random(1).randbytes(100_000).hex()
    objects = unit_objects(run(TASK), BARE, step(inputs={"x": {"json": noise}}))
    config, pod = objects
    assert config["immutable"] is True
    assert config["metadata"]["name"].startswith("reduce-unit-")
    assert unit_in(objects).inputs == {"x": {"json": noise}}
    assert {"name": "unit", "configMap": {"name": config["metadata"]["name"]}} in pod["spec"]["volumes"]
    again = unit_objects(run(TASK), BARE, step(inputs={"x": {"json": noise}}))
    assert again == objects


def test_a_unit_that_no_config_map_holds_says_what_is_too_large() -> None:
    noise = random.Random(1).randbytes(1_500_000).hex()
    with pytest.raises(DocumentError, match=r"fit: .*1,048,576 fit \(the largest part is input 'x' with 3,0"):
        unit_objects(run(TASK), BARE, step(inputs={"x": {"json": noise}, "y": {"json": 1}}))


def test_values_in_config_maps_are_mounted_and_told_by_path() -> None:
    inputs = {
        "x": {"file": "", "config": "reduce-values-1", "key": "out", "length": 3},
        "y": {"list": [{"json": 1}, {"file": "", "config": "reduce-values-2", "key": "a"}]},
        "z": {"item": [{"file": "", "config": "reduce-values-1", "key": "in"}, 4]},
    }
    objects = unit_objects(run(TASK), BARE, step(inputs=inputs))
    check("values", objects)
    assert unit_in(objects).inputs["x"] == {"file": "/headwater/values/reduce-values-1/out", "length": 3}


def test_an_image_of_the_user_keeps_its_user() -> None:
    ours = pod_of(unit_objects(run(TASK), CLAIM, step()))["spec"]
    theirs = pod_of(unit_objects(run(TASK, code={"image": "mine:1"}), CLAIM, step()))["spec"]
    assert ours["securityContext"]["runAsUser"] == 1000
    assert ours["securityContext"]["runAsNonRoot"] is True
    assert "runAsUser" not in theirs["securityContext"]
    assert theirs["securityContext"]["fsGroup"] == 1000
    assert theirs["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert (ours["automountServiceAccountToken"], theirs["automountServiceAccountToken"]) == (False, False)


@pytest.mark.parametrize(
    ("node", "code", "expected"),
    [
        ({"image": "node:1"}, {"image": "code:1"}, "node:1"),
        ({}, {"image": "code:1"}, "code:1"),
        ({}, {}, BARE.image),
    ],
)
def test_the_nearest_image_counts(node: dict[str, Any], code: dict[str, Any], expected: str) -> None:
    assert main_of(unit_objects(run({**TASK, **node}, code=code), BARE, step()))["image"] == expected


def test_each_attempt_after_oom_has_more_memory() -> None:
    node = {
        **TASK, "retry": {"limit": 3, "oomFactor": 2},
        "resources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "512Mi", "cpu": 1}},
    }  # fmt: skip
    objects = unit_objects(run(node), BARE, step(attempt=3, oom_retries=2))
    assert main_of(objects)["resources"] == {
        "requests": {"memory": "1Gi"},
        "limits": {"memory": "2Gi", "cpu": 1},
    }


def test_nodes_of_one_pod_that_want_different_images_are_refused() -> None:
    block = {
        "name": "b",
        "nodes": [{"name": "x", "task": "m:x", "image": "a"}, {"name": "y", "task": "m:y", "image": "b"}],
    }
    context = run({"name": "all", "call": {"block": "b"}}, blocks=[block])
    with pytest.raises(DocumentError, match="different `image`"):
        unit_objects(context, BARE, step("all", "block", target="b"))


# ---------------------------------------------------------------- what a pod may not be


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"hostPID": True}, "hostPID"),
        ({"hostIPC": True}, "hostIPC"),
        ({"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}, r"volumes\[root\].hostPath"),
        ({"volumes": [{"name": "tmp", "hostPath": {"path": "/"}}]}, r"volumes\[tmp\].hostPath"),
        ({"containers": [{"name": "main", "securityContext": {"privileged": True}}]}, "privileged"),
        ({"initContainers": [{"name": "i", "securityContext": {"privileged": True}}]}, "privileged"),
        ({"containers": [{"name": "main", "ports": [{"containerPort": 80, "hostPort": 80}]}]}, "hostPort"),
    ],
)
def test_what_reaches_into_the_machine_is_refused_unless_allowed(spec: dict[str, Any], field: str) -> None:
    context = run({**TASK, "podTemplate": {"spec": spec}})
    with pytest.raises(DocumentError, match=rf"'fit'.*{field}.*--allow-host"):
        unit_objects(context, BARE, step())
    assert unit_objects(context, replace(BARE, allow_host=True), step())


def test_a_privileged_container_keeps_no_default_that_the_api_server_refuses_beside_it() -> None:
    template = {"spec": {"containers": [{"name": "main", "securityContext": {"privileged": True}}]}}
    objects = unit_objects(run({**TASK, "podTemplate": template}), replace(BARE, allow_host=True), step())
    assert "allowPrivilegeEscalation" not in main_of(objects)["securityContext"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"restartPolicy": "OnFailure"}, "restartPolicy"),
        ({"containers": [{"name": "main", "$patch": "delete"}]}, "takes the container 'main' away"),
        ({"containers": {"name": "main"}}, "podTemplate.spec.containers must be a list"),
    ],
)
def test_a_pod_template_that_cannot_work_is_refused(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        unit_objects(run({**TASK, "podTemplate": {"spec": spec}}), BARE, step())
