"""A real API server takes what the builders make, and a real kubelet runs it as meant."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import pytest
import yaml
from headwater.engine.intervals import IntervalSet
from headwater_operator.builders import (
    BuildSettings,
    MapStep,
    RunContext,
    Store,
    UnitStep,
    artifact_outputs,
    claim_object,
    map_objects,
    unit_objects,
)
from headwater_operator.diagnosis import container_outputs, outcome, report_in

from tests.cluster.api import Api
from tests.cluster.fixtures import RUNTIME_IMAGE, SMALL_IMAGE, Cluster
from tests.operator.builders.golden import FOLDER

SETTINGS = BuildSettings(RUNTIME_IMAGE, Store.parse("claim://headwater-store?size=1Gi"))
PLACES = {
    "Pod": "/api/v1/namespaces/{}/pods", "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
}  # fmt: skip


def run(namespace: str, *nodes: dict[str, Any]) -> RunContext:
    """A run without an owner in the cluster: its objects must not be collected as orphans."""
    return RunContext("reduce", namespace, "u1", {"blocks": [{"name": "main", "nodes": list(nodes)}]})


def create(api: Api, objects: tuple[dict[str, Any], ...], **query: str) -> None:
    for made in objects:
        made = json.loads(json.dumps(made))
        del made["metadata"]["ownerReferences"]
        api.request("POST", PLACES[made["kind"]].format(made["metadata"]["namespace"]), made, query=query)


def ended(api: Api, objects: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    last = objects[-1]["metadata"]
    path = PLACES[objects[-1]["kind"]].format(last["namespace"])

    def done(thing: dict[str, Any]) -> bool:
        conditions = thing["status"].get("conditions") or ()
        finished = any(
            each["type"] in ("Complete", "Failed") and each["status"] == "True" for each in conditions
        )
        return finished or thing["status"].get("phase") in ("Succeeded", "Failed")

    found: dict[str, Any] = api.wait(f"{path}/{last['name']}", done, 90)
    return found


def pods(api: Api, namespace: str) -> dict[int, dict[str, Any]]:
    """The pods of the only Job, by their index."""
    found = api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return {
        int(each["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]): each
        for each in found
    }


def results(api: Api, namespace: str) -> dict[int, Any]:
    found = {}
    for index, pod in pods(api, namespace).items():
        came = outcome(pod)
        assert came is not None
        outputs = container_outputs(came.message, {"item": {}}) if came.succeeded else came.failure
        found[index] = (
            {name: each["json"] for name, each in outputs.items()} if isinstance(outputs, dict) else outputs
        )
    return found


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_the_api_server_takes_what_is_built(cluster: Cluster, namespace: str, name: str) -> None:
    for made in yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()):
        made["metadata"]["namespace"] = namespace
        spec = made.get("spec", {})
        if spec.pop("priorityClassName", None) or spec.pop("serviceAccountName", None):
            spec.pop("serviceAccountName", None)  # neither is in this cluster
        if "runtimeClassName" in spec:
            del spec["runtimeClassName"]
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        cluster.api.request("POST", PLACES[made["kind"]].format(namespace), made, query=query)


WRITE = (
    'printf \'{"item":%s,"index":%s,"k":"%s"}\' "$(cat /headwater/item)" "$(cat /headwater/index)" "$INPUT_K" '
    "> $HEADWATER_RESULT"
)


def mapped(script: str, **node: Any) -> dict[str, Any]:
    container = {"image": SMALL_IMAGE, "command": ["sh", "-c", script], "imagePullPolicy": "IfNotPresent"}
    return {"name": "each", "map": {"container": container, "over": {"x": {"value": []}}}, **node}


def step(items: str, over: Any, **more: Any) -> MapStep:
    total = len(IntervalSet.parse(items))
    inputs = {"k": {"json": "$HOME costs $(PATH)"}}
    return MapStep("each", 1, "main", "each", inputs, over, items, 1, None, total, **more)


def test_items_of_a_range_are_the_index_of_their_pod(cluster: Cluster, namespace: str) -> None:
    node = mapped(WRITE)
    objects = map_objects(run(namespace, node), SETTINGS, step("0-2", {"x": {"range": 3}}))
    create(cluster.api, objects)
    assert ended(cluster.api, objects)["status"]["succeeded"] == 3
    assert results(cluster.api, namespace) == {
        index: {"item": index, "index": index, "k": "$HOME costs $(PATH)"} for index in range(3)
    }


def test_each_pod_finds_its_own_item_and_failures_end_nothing_else(cluster: Cluster, namespace: str) -> None:
    node = mapped(WRITE + '; [ "$(cat /headwater/index)" != 4 ] || { echo no stars; exit 3; }')
    over = {"x": {"json": ["a", "b", "c", "d", "e $(PATH)"]}, "n": {"range": 5}}
    objects = map_objects(run(namespace, node), SETTINGS, step("0,2,4", over))
    create(cluster.api, objects)
    job = ended(cluster.api, objects)
    assert (job["status"]["succeeded"], job["status"]["failedIndexes"]) == (2, "2")
    found = results(cluster.api, namespace)
    assert (found[1]["item"], found[1]["index"]) == ({"n": 2, "x": "c"}, 2)
    assert (found[2].type, found[2].message.startswith("exit code 3")) == ("ExitCode", True)


def test_artifacts_of_a_container_are_found_by_python_and_by_containers(
    cluster: Cluster, namespace: str
) -> None:
    container = {"image": SMALL_IMAGE, "command": ["sh", "-c", "echo 42 > /out/answer.txt"]}
    writes = {"name": "writes", "container": container, "artifacts": {"answer": {"path": "/out/answer.txt"}}}
    reads = {
        "name": "reads",
        "container": {
            "image": SMALL_IMAGE,
            "command": ["sh", "-c", "printf '{\"found\":%s}' $(cat $INPUT_ANSWER) > $HEADWATER_RESULT"],
        },
    }
    context = run(namespace, writes, reads)
    create(cluster.api, (claim_object(SETTINGS, namespace) | {"metadata": {
        "name": "headwater-store", "namespace": namespace, "ownerReferences": []}},))  # fmt: skip
    first = UnitStep("writes", 1, "main", "writes", "container")
    objects = unit_objects(context, SETTINGS, first)
    create(cluster.api, objects)
    assert ended(cluster.api, objects)["status"]["phase"] == "Succeeded"
    answer = artifact_outputs(context, SETTINGS, first)
    objects = unit_objects(
        context, SETTINGS, UnitStep("reads", 1, "main", "reads", "container", inputs=answer)
    )
    create(cluster.api, objects)
    came = outcome(ended(cluster.api, objects))
    assert came is not None
    assert (came.message, came.failure) == ('{"found":42}', None)


TASKS = """
import json, os
from headwater import task

@task
def root(n: int) -> {"root": int, "user": int, "writes": bool}:
    open("/tmp/x", "w").close()
    return {"root": int(n ** 0.5), "user": os.getuid(), "writes": os.access("/", os.W_OK)}
"""


def bundle(namespace: str) -> dict[str, Any]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("tasks.py", TASKS)
    return {
        "kind": "ConfigMap", "metadata": {"name": "code-1", "namespace": namespace, "ownerReferences": []},
        "immutable": True, "binaryData": {"bundle.zip": base64.b64encode(content.getvalue()).decode()},
    }  # fmt: skip


def test_a_python_task_has_all_that_it_needs_and_no_more(cluster: Cluster, namespace: str) -> None:
    node = {"name": "root", "task": "tasks:root", "outputs": {"root": {}, "user": {}, "writes": {}}}
    context = run(namespace, node)
    context = replace(context, spec={**context.spec, "code": {"configMap": "code-1"}})
    made = UnitStep("root", 1, "main", "root", "task", inputs={"n": {"json": 144}})
    objects = unit_objects(context, BuildSettings(RUNTIME_IMAGE, Store.parse("none")), made)
    create(cluster.api, (bundle(namespace), *objects))
    came = outcome(ended(cluster.api, objects))
    assert came is not None
    assert came.failure is None
    report = report_in(came.message)
    assert report is not None
    assert report.outputs == {"root": {"json": 12}, "user": {"json": 1000}, "writes": {"json": False}}
