"""A real API server takes the definitions, and with them refuses what is broken and takes what is good."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from headwater.document import problems_of
from headwater.document.crd import custom_resource_definitions

from tests.cluster.api import ApiError
from tests.cluster.fixtures import Cluster
from tests.document.broken import BROKEN, BROKEN_RESOURCES, GEN, GOOD, SPEC, changed, cron, huge, resource

Json = dict[str, Any]
PLURALS = {
    each["spec"]["names"]["kind"]: each["spec"]["names"]["plural"] for each in custom_resource_definitions()
}


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Cluster:
    """The cluster; it has the definitions of this checkout."""
    return cluster


def place(document: Json, namespace: str = "default") -> str:
    return f"/apis/headwater.dev/v1alpha1/namespaces/{namespace}/{PLURALS.get(document['kind'], 'workflows')}"


def refusal(server: Cluster, document: Json) -> str:
    """What the API server says against a document; empty when it takes it. Nothing is created."""
    try:
        server.api.request("POST", place(document), document, query={"dryRun": "All"})
    except ApiError as error:
        return str(error)
    return ""


# ---------------------------------------------------------------------- what is refused


def test_each_broken_document_is_refused_by_the_server_or_by_the_operator(server: Cluster) -> None:
    documents = [(changed(where, what), path) for where, what, path, _ in BROKEN]
    documents += [(document, path) for document, path, _ in BROKEN_RESOURCES]
    by_server = 0
    for document, path in documents:
        said = refusal(server, document)
        if said:
            by_server += 1
            assert names_field(said, path), (path, said)
        else:
            assert path in {problem.path for problem in problems_of(document)}, path
    assert by_server >= 60


def names_field(said: str, path: str) -> bool:
    """Whether a refusal speaks of a path, or of what it lies in."""
    if path in ("apiVersion", "kind"):
        return "API version" in said or "kind" in said
    path = path.removesuffix(".from")
    return path in said or path.rpartition(".")[0] in said


@pytest.mark.parametrize(
    ("where", "what", "words"),
    [
        (f"{GEN}.merge", {}, 'node "gen" needs exactly one kind: one of task, container, call'),
        (f"{GEN}.task", ..., "needs exactly one kind"),
        ("spec.entrypoint", "mian", 'spec.entrypoint: Invalid value: "object": there is no block "mian"'),
        ("spec.entrypoint", ..., "`entrypoint` is missing: there are several blocks"),
        ("spec.onExit", "gone", 'there is no block "gone": name one of `blocks`'),
        ("spec.template", {"name": "t"}, "give `blocks` or `template`, one of the two"),
        ("spec.timeout", "0s", "must be a duration above zero"),
        ("spec.synchronization", {}, "give `mutex` or `semaphore`, one of the two"),
        (f"{GEN}.name", "process", 'Duplicate value: {"name":"process"}'),
        ("spec.blocks[1].name", "main", 'Duplicate value: {"name":"main"}'),
        ("spec.parallelism", 0, "should be greater than or equal to 1"),
        ("spec.blocks[0].nodes[1].map.call", ..., "give one of `task`, `container` or `call`"),
        ("spec.blocks[0].nodes[1].map.itemsPerPod", 0, "should be greater than or equal to 1"),
        (f"{GEN}.retry", {"classes": ["OOM"]}, 'supported values: "Error", "Oom"'),
        ("metadata.name", "x" * 254, "must be no more than 253"),
    ],
)
def test_the_server_says_what_to_do(server: Cluster, where: str, what: Any, words: str) -> None:
    assert words in refusal(server, changed(where, what))


def test_an_unknown_field_is_kept_and_the_operator_names_the_right_one(server: Cluster) -> None:
    document = changed(f"{GEN}.retrys", {"limit": 3})
    stored = server.api.request("POST", place(document), document, query={"dryRun": "All"})
    (problem,) = problems_of(stored)
    assert problem.path == f"{GEN}.retrys"
    assert "Did you mean 'retry'?" in problem.fix


@pytest.mark.parametrize("megabytes", [2, 10])
def test_a_huge_document_is_refused(server: Cluster, megabytes: int) -> None:
    document = huge(megabytes)
    # The server may hang up on a request that goes on too long.
    with pytest.raises((ApiError, OSError)) as refused:
        server.api.request("POST", place(document), document)
    if isinstance(refused.value, ApiError):
        assert refused.value.code in (413, 500)
        assert "too large" in str(refused.value).lower()


# ---------------------------------------------------------------------- what is taken


def chain(length: int, **more: Any) -> Json:
    nodes = [
        {"name": f"n{i}", "task": "m:f", "dependsOn": [f"n{i - 1}"] if i else [], "timeout": "1h", **more}
        for i in range(length)
    ]
    return resource("Workflow", blocks=[{"name": "main", "nodes": nodes}])


def many_blocks(count: int) -> Json:
    blocks = [
        {"name": f"b{i}", "nodes": [{"name": "a", "container": {"image": "debian"}}]} for i in range(count)
    ]
    return resource("Workflow", entrypoint="b0", blocks=blocks)


def nulls() -> Json:
    document = changed(f"{GEN}.inputs", {"x": {"value": None}, "y": {"value": [None, {"z": None}]}})
    document["spec"]["blocks"][0]["inputs"]["multiplier"] = {"default": None}
    body = {"block": "one", "maxIterations": 2, "initial": {"raw": None, "multiplier": {"value": None}}}
    document["spec"]["blocks"][0]["nodes"].append({"name": "again", "iterate": body})
    document["spec"]["arguments"] = {"multiplier": None}
    return document


VALID = {
    "good": GOOD,
    "template run": resource("Workflow", template={"name": "reduce", "version": 3}, arguments={"x": [1, None]}),
    "any json": resource("Workflow", **SPEC, parameters={"a": {"x": {"deep": [1, {"y": None}]}}}),
    "null is a value": nulls(),
    "1,000 nodes": chain(1000, retry={"limit": 3, "backoff": {"initial": "10s"}}),
    "5,000 nodes": chain(5000),
    "10,000 nodes": chain(10_000),
    "3,000 blocks": many_blocks(3000),
    "cache: off": changed(f"{GEN}.cache", False),
    "tolerates a share": changed("spec.blocks[0].nodes[1].map.tolerate", "10%"),
    "WorkflowTemplate": resource("WorkflowTemplate", **SPEC, project="tuto", version=3, description="x"),
    "CronWorkflow": cron(timeZone="UTC", backfill={"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}),
    "SlurmCluster": resource(
        "SlurmCluster", transport="ssh", endpoint="ana@login:22", workdir="/w", secretRef={"name": "key"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_a_good_document_is_taken_as_it_is(server: Cluster, name: str) -> None:
    document = copy.deepcopy(VALID[name])
    assert problems_of(document) == []
    stored = server.api.request("POST", place(document), document, query={"dryRun": "All"})
    assert stored["spec"] == document["spec"]


# ---------------------------------------------------------------------- what can change


@pytest.fixture
def stored(server: Cluster, namespace: str) -> str:
    """The path of a Workflow in a namespace of the test's own."""
    server.api.post(place(GOOD, namespace), GOOD)
    return f"{place(GOOD, namespace)}/{GOOD['metadata']['name']}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("arguments", {"multiplier": 4}),
        ("arguments", None),
        ("failFast", False),
        ("onExit", "main"),
        ("entrypoint", "one"),
        ("timeout", "1h"),
        ("parameters", {"gen": {"x": 1}}),
        ("defaults", {"cache": "inputs"}),
        ("blocks", [{**GOOD["spec"]["blocks"][0]}, {"name": "one", "nodes": [{"name": "x", "task": "m:f"}]}]),
    ],
)
def test_the_spec_of_a_run_cannot_change(server: Cluster, stored: str, field: str, value: Any) -> None:
    with pytest.raises(ApiError, match=rf"`{field}` cannot change after the Workflow was created") as refused:
        server.api.patch(stored, {"spec": {field: value}})
    assert "only parallelism, suspend, terminate can. Create a new Workflow instead" in str(refused.value)
    assert "spec: Invalid value" in str(refused.value)


def test_nothing_is_taken_because_it_stood_there_before(server: Cluster, stored: str) -> None:
    """Rules of what cannot change are asked of what is new: another node of the same name is another node."""
    found = server.api.get(stored)
    found["spec"]["blocks"][0]["nodes"][2] = {"name": found["spec"]["blocks"][0]["nodes"][2]["name"]}
    with pytest.raises(ApiError, match="`blocks` cannot change"):
        server.api.put(stored, found)


def test_one_value_deep_in_a_node_cannot_change(server: Cluster, stored: str) -> None:
    found = server.api.get(stored)
    found["spec"]["blocks"][0]["nodes"][2]["container"]["command"][0] = "cat"
    with pytest.raises(ApiError, match="`blocks` cannot change"):
        server.api.put(stored, found)


def test_neither_can_it_change_together_with_status(server: Cluster, stored: str) -> None:
    found = server.api.get(stored)
    found["spec"]["blocks"][0]["nodes"][2]["container"]["command"][0] = "cat"
    found["status"] = {"phase": "Succeeded"}
    with pytest.raises(ApiError, match="`blocks` cannot change"):
        server.api.put(stored, found)
    assert server.api.put(f"{stored}/status", found)["spec"] == server.api.get(stored)["spec"]


def test_three_fields_of_a_run_can_change_and_its_status(server: Cluster, stored: str) -> None:
    for spec in ({"suspend": True}, {"parallelism": 3}, {"terminate": "Cancel"}, {"suspend": None}):
        server.api.patch(stored, {"spec": spec})
    status = {"phase": "Failed", "reason": "InvalidSpec", "nodes": {"gen": {"phase": "Failed", "at": [1.5]}},
              "outputs": {"x": [1]}, "engine": "x" * 1000, "settled": "true", "observedGeneration": 4}  # fmt: skip
    found = server.api.patch(f"{stored}/status", {"status": status})
    assert found["status"] == status
    assert found["spec"]["parallelism"] == 3
    (managed,) = (each for each in found["metadata"]["managedFields"] if each.get("subresource") == "status")
    assert managed["fieldsV1"]["f:status"]["f:nodes"] == {}


def test_a_template_cannot_change(server: Cluster, namespace: str) -> None:
    document = resource("WorkflowTemplate", **SPEC, version=1)
    server.api.post(place(document, namespace), document)
    with pytest.raises(ApiError, match="a WorkflowTemplate cannot change after it was created"):
        server.api.patch(f"{place(document, namespace)}/it", {"spec": {"version": 2}})
    server.api.patch(f"{place(document, namespace)}/it", {"metadata": {"labels": {"a": "b"}}})


def test_runs_are_found_by_their_state(server: Cluster, stored: str) -> None:
    collection = stored.rpartition("/")[0]
    assert len(server.api.get(collection, fieldSelector="status.settled!=true")["items"]) == 1
    server.api.patch(f"{stored}/status", {"status": {"phase": "Succeeded", "settled": "true"}})
    assert server.api.get(collection, fieldSelector="status.settled!=true")["items"] == []
    assert len(server.api.get(collection, fieldSelector="status.phase=Succeeded")["items"]) == 1


# ---------------------------------------------------------------------- what people see


def test_kubectl_explain_reads_like_documentation(server: Cluster) -> None:
    said = " ".join(server.kubectl("explain", "workflow.spec.blocks.nodes").split())
    for words in (
        "FIELD: nodes <[]Object>",
        "One step of a block: a name, exactly one kind, and policy.",
        "container <Object> Kind: any program in any image.",
        "map <Object> Kind: one item for each element of a sequence.",
        "name <string> -required- The name of the node, unique in its block",
        "timeout <string> How long one attempt may run, such as 90s, 15m, 2h or 1d.",
        "dependsOn <[]Object> Nodes to wait for, beyond those that `inputs` names",
    ):
        assert words in said
    over = " ".join(server.kubectl("explain", "workflow.spec.blocks.nodes.map.tolerate").split())
    assert 'How many items may fail: a number, "10%" or "all". Default: 0.' in over


def test_kubectl_get_shows_what_matters(server: Cluster, stored: str) -> None:
    server.api.patch(
        f"{stored}/status", {"status": {"phase": "Running", "progress": "1/7", "message": "gen runs"}}
    )
    namespace = stored.split("/")[5]
    head, row = server.kubectl("get", "wf", "-n", namespace).splitlines()
    assert head.split() == ["NAME", "PHASE", "PROGRESS", "AGE", "MESSAGE"]
    assert row.split()[:3] == ["reduce", "Running", "1/7"]
    assert "reduce" in server.kubectl("get", "headwater", "-n", namespace)


def test_kubectl_takes_the_committed_files(server: Cluster) -> None:
    said = server.kubectl("apply", "--dry-run=server", "-f", "crds/", "-o", "json")
    assert len(json.loads(said)["items"]) == len(PLURALS)
