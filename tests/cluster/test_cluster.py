"""The test cluster does what tests rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import ModuleType

import pytest

from tests.cluster.api import ApiError, Json
from tests.cluster.choice import Kind, choose, obstacle
from tests.cluster.fakes import DELAY, EXIT_CODE, FAILING, FAKE_POD, MESSAGE, OUTCOME
from tests.cluster.fixtures import RUNTIME_IMAGE, SMALL_IMAGE, Cluster
from tests.cluster.places import CHECKOUT


def pod(name: str, script: str, image: str = RUNTIME_IMAGE, **container: object) -> Json:
    command = ["sh", "-c", script]
    main = {"name": "main", "image": image, "imagePullPolicy": "Never", "command": command, **container}
    return {"metadata": {"name": name}, "spec": {"restartPolicy": "Never", "containers": [main]}}


def with_volume(body: Json, path: str, **source: object) -> Json:
    body["spec"]["volumes"] = [{"name": "volume", **source}]
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "volume", "mountPath": path}]
    return body


def fake(name: str, **annotations: str) -> Json:
    metadata = {"name": name, "annotations": annotations}
    return {"metadata": metadata, "spec": {**FAKE_POD, "containers": [{"name": "main", "image": "none"}]}}


def ended(thing: Json) -> bool:
    return thing["status"].get("phase") in {"Succeeded", "Failed"}


def run(cluster: Cluster, namespace: str, body: Json) -> Json:
    """Create the pod and wait for its end."""
    pods = f"/api/v1/namespaces/{namespace}/pods"
    cluster.api.post(pods, body)
    return cluster.api.wait(f"{pods}/{body['metadata']['name']}", ended)


def terminated(thing: Json) -> Json:
    state: Json = thing["status"]["containerStatuses"][0]["state"]["terminated"]
    return state


def test_a_pod_runs_its_log_is_read_and_its_last_message_arrives(cluster: Cluster, namespace: str) -> None:
    script = "python -c 'import headwater, numpy; print(headwater.__name__)'; echo '{\"a\": 1}' > /dev/termination-log"

    finished = run(cluster, namespace, pod("hello", script))

    assert finished["status"]["phase"] == "Succeeded"
    assert cluster.logs(namespace, "hello") == "headwater\n"
    assert json.loads(terminated(finished)["message"]) == {"a": 1}


def test_the_runtime_image_is_not_root_and_can_do_without_a_writable_root(
    cluster: Cluster, namespace: str
) -> None:
    security = {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    body = pod("nobody", "id -u; flowctl --help > /tmp/help", securityContext=security)

    finished = run(cluster, namespace, with_volume(body, "/tmp", emptyDir={}))

    assert finished["status"]["phase"] == "Succeeded", cluster.logs(namespace, "nobody")
    assert cluster.logs(namespace, "nobody") == "1000\n"


def test_a_failed_container_says_its_exit_code(cluster: Cluster, namespace: str) -> None:
    finished = run(cluster, namespace, pod("fails", "exit 3", image=SMALL_IMAGE))

    assert (finished["status"]["phase"], terminated(finished)["exitCode"]) == ("Failed", 3)


def test_a_container_that_takes_too_much_memory_is_killed_for_it(cluster: Cluster, namespace: str) -> None:
    body = pod("greedy", "exec python -c 'bytearray(200_000_000)'", resources={"limits": {"memory": "40Mi"}})

    finished = run(cluster, namespace, body)

    assert terminated(finished)["reason"] == "OOMKilled"


def test_an_indexed_job_gives_each_pod_its_index(cluster: Cluster, namespace: str) -> None:
    template = pod("", "echo $JOB_COMPLETION_INDEX > /dev/termination-log", image=SMALL_IMAGE)
    spec = {"completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 0}
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"

    cluster.api.post(
        jobs, {"metadata": {"name": "three"}, "spec": {**spec, "template": {"spec": template["spec"]}}}
    )
    job = cluster.api.wait(f"{jobs}/three", lambda job: job["status"].get("completionTime"))
    pods = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]

    assert job["status"]["succeeded"] == 3
    assert sorted(terminated(one)["message"] for one in pods) == ["0\n", "1\n", "2\n"]


def test_what_one_pod_writes_to_a_claimed_volume_another_reads(own_cluster: Cluster, namespace: str) -> None:
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    wanted = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"claimName": "data"}

    own_cluster.api.post(claims, {"metadata": {"name": "data"}, "spec": wanted})
    for name, script in (("writer", "echo kept > /data/file"), ("reader", "cat /data/file")):
        run(own_cluster, namespace, with_volume(pod(name, script), "/data", persistentVolumeClaim=claim))

    assert own_cluster.logs(namespace, "reader") == "kept\n"


def test_a_pod_reaches_the_api_with_its_service_account(cluster: Cluster, namespace: str) -> None:
    script = (
        "python - <<'END'\n"
        "from kubernetes import client, config\n"
        "config.load_incluster_config()\n"
        "print(client.VersionApi().get_code().major)\n"
        "END"
    )

    finished = run(cluster, namespace, pod("inside", script))

    assert finished["status"]["phase"] == "Succeeded", cluster.logs(namespace, "inside")
    assert cluster.logs(namespace, "inside") == "1\n"


def test_fake_pods_end_as_their_annotations_say(own_cluster: Cluster, namespace: str) -> None:
    well = run(own_cluster, namespace, fake("well", **{MESSAGE: '{"x": "\\"quoted\\""}'}))
    ill = run(
        own_cluster, namespace, fake("ill", **{EXIT_CODE: "137", "fake.headwater.dev/reason": "OOMKilled"})
    )

    assert (well["status"]["phase"], terminated(well)["exitCode"]) == ("Succeeded", 0)
    assert json.loads(terminated(well)["message"]) == {"x": '"quoted"'}
    assert ill["status"]["phase"] == "Failed"
    assert (terminated(ill)["exitCode"], terminated(ill)["reason"]) == (137, "OOMKilled")


def test_attempts_of_headwater_fail_on_fake_nodes_as_they_are_told(
    own_cluster: Cluster, namespace: str
) -> None:
    attempt = "headwater.dev/attempt"
    first = run(own_cluster, namespace, fake("first", **{FAILING: "1,3", attempt: "1"}))
    second = run(own_cluster, namespace, fake("second", **{FAILING: "1,3", attempt: "2"}))
    assert [each["status"]["phase"] for each in (first, second)] == ["Failed", "Succeeded"]


def test_a_running_fake_pod_that_is_deleted_ends_before_it_goes(own_cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    pod = fake("mine", **{OUTCOME: "manual"})
    pod["metadata"]["finalizers"] = ["headwater.dev/test"]
    own_cluster.api.post(path, pod)
    own_cluster.api.wait(f"{path}/mine", lambda found: found["status"]["phase"] == "Running")
    own_cluster.api.delete(f"{path}/mine")
    ended = own_cluster.api.wait(f"{path}/mine", lambda found: found["status"]["phase"] == "Failed")
    assert ended["metadata"]["deletionTimestamp"]
    own_cluster.api.patch(f"{path}/mine", {"metadata": {"finalizers": None}})


def test_a_fake_pod_with_a_delay_is_seen_running(own_cluster: Cluster, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"

    own_cluster.api.post(pods, fake("slow", **{DELAY: "200"}))
    running = own_cluster.api.wait(f"{pods}/slow", lambda one: one["status"].get("phase") != "Pending")
    finished = own_cluster.api.wait(f"{pods}/slow", ended)

    assert (running["status"]["phase"], finished["status"]["phase"]) == ("Running", "Succeeded")
    assert "running" not in finished["status"]["containerStatuses"][0]["state"]


def test_a_test_can_end_a_fake_pod_itself(own_cluster: Cluster, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    own_cluster.api.post(pods, fake("mine", **{OUTCOME: "manual"}))
    own_cluster.api.wait(f"{pods}/mine", lambda one: one["status"].get("phase") == "Running")

    own_cluster.api.patch(f"{pods}/mine/status", {"status": {"phase": "Failed", "reason": "Evicted"}})

    assert own_cluster.api.get(f"{pods}/mine")["status"]["reason"] == "Evicted"


def test_a_job_of_fake_pods_completes(own_cluster: Cluster, namespace: str) -> None:
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    spec = {"completions": 50, "parallelism": 50, "completionMode": "Indexed", "backoffLimitPerIndex": 0}
    template = {"spec": {**fake("")["spec"], "restartPolicy": "Never"}}

    own_cluster.api.post(jobs, {"metadata": {"name": "many"}, "spec": {**spec, "template": template}})
    job = own_cluster.api.wait(f"{jobs}/many", lambda job: job["status"].get("completionTime"))

    assert job["status"]["succeeded"] == 50


@pytest.mark.timeout(300)
def test_the_api_server_comes_back_with_what_it_knew(
    own_cluster: Cluster, namespace: str, chaos: ModuleType
) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    made = own_cluster.api.post(maps, {"metadata": {"name": "kept"}})

    chaos.kill("kube-apiserver")
    with pytest.raises(OSError, match="refused"):
        own_cluster.api.get(maps)
    chaos.start("kube-apiserver")

    assert own_cluster.api.get(f"{maps}/kept")["metadata"]["uid"] == made["metadata"]["uid"]


@pytest.mark.timeout(300)
def test_a_watch_from_before_a_compaction_is_told_that_it_is_too_late(
    own_cluster: Cluster, namespace: str, chaos: ModuleType
) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    version = own_cluster.api.post(maps, {"metadata": {"name": "one"}})["metadata"]["resourceVersion"]
    for number in range(5):
        own_cluster.api.post(maps, {"metadata": {"name": f"later-{number}"}})

    chaos.compact_etcd()
    chaos.restart_api()

    try:
        told = next(own_cluster.api.watch(maps, 10, resourceVersion=version))["object"]["code"]
    except ApiError as error:
        told = error.code
    assert told == 410


@pytest.mark.timeout(300)
def test_a_node_that_loses_its_power_comes_back(
    own_cluster: Cluster, namespace: str, chaos: ModuleType
) -> None:
    chaos.kill("node")
    chaos.heal()

    assert (
        run(own_cluster, namespace, pod("after", "true", image=SMALL_IMAGE))["status"]["phase"] == "Succeeded"
    )


def test_a_fake_node_can_be_added_and_removed(
    own_cluster: Cluster, namespace: str, chaos: ModuleType
) -> None:
    def ready(node: Json) -> bool:
        return any(
            one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", [])
        )

    chaos.start_fake_node("fake-extra")
    own_cluster.api.wait("/api/v1/nodes/fake-extra", ready)
    chaos.remove_node("fake-extra")

    with pytest.raises(ApiError, match="404"):
        own_cluster.api.get("/api/v1/nodes/fake-extra")


@pytest.mark.usefixtures("_turn")
def test_starting_it_twice_is_harmless(own_cluster: Cluster) -> None:
    before = own_cluster.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")

    up = [sys.executable, "-m", "tests.cluster", "up"]
    subprocess.run(up, cwd=CHECKOUT, check=True, capture_output=True)

    assert own_cluster.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}") == before


def test_kubeconfig_chooses_the_cluster() -> None:
    assert choose({"KUBECONFIG": "/somewhere/else"}) is Kind.GIVEN


def test_without_root_it_says_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert "kind" in obstacle()
