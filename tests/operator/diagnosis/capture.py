"""Make pods that wait and fail in every way that a cluster can be brought to, and keep what it says of them.

    KUBECONFIG=.cluster/kubeconfig python -m tests.operator.diagnosis.capture [CASE...]

writes `seen/CASE.json`: the pod (or Job) and the events about it, or the API server's refusal. The tests of the
diagnosis read these, so that they speak of what Kubernetes really says. Needs the images of `make cluster`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client.rest import ApiException

Json = dict[str, Any]
SEEN = Path(__file__).parent / "seen"
NAMESPACE = "diagnosis"
IMAGE = "localhost/debian:bookworm"
WIDGET = "example.org/widget"


def container(script: str = "sleep 600", **more: Any) -> Json:
    base: Json = {"name": "main", "image": IMAGE, "command": ["sh", "-c", script]}
    return {**base, "terminationMessagePolicy": "FallbackToLogsOnError", **more}


def pod(main: Json, **spec: Any) -> Json:
    spec.setdefault("terminationGracePeriodSeconds", 2)
    return {"restartPolicy": "Never", "containers": [main], **spec}


UNIT = [{"name": "HEADWATER_UNIT", "value": "{}"}]
EATS = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo done"


def env_from(kind: str, key: str | None = None) -> list[Json]:
    return [
        {
            "name": "X",
            "valueFrom": {f"{kind}KeyRef": {"name": "absent" if not key else "there", "key": key or "k"}},
        }
    ]


def volume(source: Json) -> Json:
    mounts = [{"name": "data", "mountPath": "/data"}]
    return pod(container(volumeMounts=mounts), volumes=[{"name": "data", **source}])


WAITING: dict[str, Json] = {
    "image-refused": pod(container(image="127.0.0.1:9/team/tool:1")),
    "image-unreachable-host": pod(container(image="images.invalid/team/tool:1")),
    "image-invalid-name": pod(container(image="Not An Image")),
    "image-never": pod(container(image="localhost/absent:1", imagePullPolicy="Never")),
    "config-map-missing": pod(container(env=env_from("configMap"))),
    "secret-missing": pod(container(env=env_from("secret"))),
    "key-missing": pod(container(env=env_from("configMap", "absent"))),
    "config-map-volume-missing": volume({"configMap": {"name": "absent"}}),
    "secret-volume-missing": volume({"secret": {"secretName": "absent"}}),
    "key-volume-missing": volume({"configMap": {"name": "there", "items": [{"key": "no", "path": "no"}]}}),
    "runs-as-root": pod(container(), securityContext={"runAsNonRoot": True}),
    "too-much-cpu": pod(container(resources={"requests": {"cpu": "64", "memory": "1Gi"}})),
    "too-much-of-both": pod(container(resources={"requests": {"cpu": "64", "memory": "900Gi"}})),
    "unknown-resource": pod(container(resources={"limits": {"nvidia.com/gpu": "2"}})),
    "no-such-node": pod(container(), nodeSelector={"disk": "nvme"}),
    "scheduling-gate": pod(container(), schedulingGates=[{"name": "kueue.x-k8s.io/admission"}]),
    "claim-missing": volume({"persistentVolumeClaim": {"claimName": "absent"}}),
    "claim-unbound": volume({"persistentVolumeClaim": {"claimName": "unbound"}}),
}

ENDED: dict[str, Json] = {
    "exit-0": pod(container('printf \'{"x":3}\' > /dev/termination-log')),
    "exit-3-with-log": pod(container("echo reading; echo 'no such table: stars' >&2; exit 3")),
    "exit-127": pod(container("no-such-tool --fast")),
    "segmentation-fault": pod(container("sh -c 'kill -SEGV $$$$'")),
    "killed": pod(container("sh -c 'kill -KILL $$$$'")),
    "no-command": pod({**container(), "command": ["no-such-program"]}),
    "working-dir": pod(container(workingDir="/etc/passwd")),
    "oom": pod({**container(), "command": ["python3", "-c", "x = b'x' * 200_000_000"],
                "resources": {"limits": {"memory": "32Mi"}}}),
    "oom-of-a-child": pod(container(
        "python3 -c \"x = b'x' * 200_000_000\"; printf '{\"x\":3}' > /dev/termination-log",
        resources={"limits": {"memory": "32Mi"}})),
    "deadline": pod(container(), activeDeadlineSeconds=3),
    "result-too-long": pod(container("head -c 9000 /dev/zero | tr '\\0' 7 > /dev/termination-log")),
    "volume-too-full": pod(
        container("head -c 30000000 /dev/zero > /data/x; sleep 600",
                  volumeMounts=[{"name": "data", "mountPath": "/data"}]),
        volumes=[{"name": "data", "emptyDir": {"sizeLimit": "1Mi"}}]),
    "python-without-headwater": pod({**container(), "command": ["python3", "-m", "headwater.runtime"], "env": UNIT}),
    "image-without-python": pod({**container(), "command": ["python", "-m", "headwater.runtime"], "env": UNIT}),
    "sidecar-lingers": {**pod(container("exit 4")), "containers": [
        {**container("sleep 600"), "name": "proxy"}, container("exit 4")]},
    "sidecar-failed": {**pod(container()), "containers": [
        {**container("exit 7"), "name": "proxy"}, container("sleep 1")]},
    "init-failed": {**pod(container()), "initContainers": [{**container("exit 5"), "name": "fetch"}]},
}  # fmt: skip


class Cluster:
    """The cluster that is asked, and one namespace in it."""

    def __init__(self) -> None:
        config.load_kube_config()
        self.core, self.batch = client.CoreV1Api(), client.BatchV1Api()
        self.any = client.ApiClient()

    def begin(self) -> None:
        self.delete_namespace()
        self.core.create_namespace({"metadata": {"name": NAMESPACE}})
        while not self._has_account():
            time.sleep(0.2)
        self.core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "there"}, "data": {"a": "b"}})
        self.core.create_namespaced_persistent_volume_claim(NAMESPACE, {
            "metadata": {"name": "unbound"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": "absent",
                "resources": {"requests": {"storage": "1Gi"}}}})  # fmt: skip

    def _has_account(self) -> bool:
        found = self.core.list_namespaced_service_account(NAMESPACE).items
        return any(each.metadata.name == "default" for each in found)

    def delete_namespace(self) -> None:
        try:
            self.core.delete_namespace(NAMESPACE)
        except ApiException:
            return
        while any(each.metadata.name == NAMESPACE for each in self.core.list_namespace().items):
            time.sleep(0.5)

    def create(self, name: str, spec: Json, **metadata: Any) -> None:
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        url = f"{self.any.configuration.host}/api/v1/namespaces/{NAMESPACE}/pods"
        answer = self.any.rest_client.request("POST", url, headers=headers, body=body)
        data = answer.read()
        if answer.status >= 300:
            refusal = ApiException(status=answer.status)
            refusal.body = data
            raise refusal

    def get(self, path: str) -> Json:
        """An object as the API server writes it, not as the client understands it."""
        answer = self.any.rest_client.request("GET", f"{self.any.configuration.host}/{path}")
        found: Json = json.loads(answer.read())
        return found

    def pod(self, name: str) -> Json:
        return self.get(f"api/v1/namespaces/{NAMESPACE}/pods/{name}")

    def events(self, name: str) -> list[Json]:
        query = f"fieldSelector=involvedObject.name%3D{name}"
        found: list[Json] = self.get(f"api/v1/namespaces/{NAMESPACE}/events?{query}")["items"]
        return found

    def until(
        self, name: str, good: Callable[[Json, list[Json]], bool], limit: float = 60
    ) -> tuple[Json, list[Json]]:
        end = time.time() + limit
        while True:
            found, events = self.pod(name), self.events(name)
            if good(found, events) or time.time() > end:
                return found, events
            time.sleep(0.5)


def keep(name: str, **found: Any) -> None:
    SEEN.mkdir(exist_ok=True)
    (SEEN / f"{name}.json").write_text(json.dumps(_trimmed(found), indent=1, sort_keys=True) + "\n")
    print(name, flush=True)


_NOISE = frozenset({
    "managedFields", "hostIP", "hostIPs", "podIP", "podIPs", "containerID", "imageID", "resourceVersion",
    "serviceAccountName", "serviceAccount", "schedulerName", "dnsPolicy", "source", "involvedObject",
    "reportingComponent", "reportingInstance", "podCIDR", "podCIDRs", "uid",
})  # fmt: skip
_ADDRESS = re.compile(r"\b(?!127\.)\d+\.\d+\.\d+\.\d+(:\d+)?")


def _trimmed(value: Any) -> Any:
    """Without what differs from machine to machine and nobody reads."""
    if isinstance(value, dict):
        kept = {key: _trimmed(each) for key, each in value.items() if key not in _NOISE and each is not None}
        if "volumes" in kept:
            kept["volumes"] = [each for each in kept["volumes"] if "projected" not in each]
        if "events" in kept:
            kept["events"] = [
                _trimmed_event(each) for each in kept["events"] if each["reason"] != "MissingClusterDNS"
            ]
        return kept
    if isinstance(value, str):
        return _ADDRESS.sub("10.0.0.1", value)
    return [_trimmed(each) for each in value] if isinstance(value, list) else value


def _trimmed_event(event: Json) -> Json:
    return {
        key: each for key, each in event.items() if key not in ("metadata", "action", "reportingController")
    }


def settled(found: Json, events: list[Json]) -> bool:
    """Whether the cluster has said why a pod waits."""
    status = found["status"]
    held = any(c["type"] == "PodScheduled" and c["status"] == "False" for c in status.get("conditions") or ())
    states = [
        each["state"].get("waiting", {}).get("reason") for each in status.get("containerStatuses") or ()
    ]
    said = any(each not in (None, "ContainerCreating") for each in states)
    return held or said or any(each["reason"] in ("FailedMount", "FailedAttachVolume") for each in events)


def ended(found: Json, _: list[Json]) -> bool:
    states = [
        each["state"] for each in found["status"].get("containerStatuses") or () if each["name"] == "main"
    ]
    return found["status"]["phase"] in ("Succeeded", "Failed") or any("terminated" in each for each in states)


def running(found: Json, _: list[Json]) -> bool:
    return bool(found["status"]["phase"] == "Running")


# ---------------------------------------------------------------- cases that take more than a pod


def deleted(cluster: Cluster, name: str) -> None:
    """Deleted while it runs; a finalizer keeps it in sight."""
    cluster.create(
        name, pod(container("trap 'exit 143' TERM; sleep 600 & wait")), finalizers=["example.org/keep"]
    )
    cluster.until(name, running)
    cluster.core.delete_namespaced_pod(name, NAMESPACE)
    _keep_and_release(cluster, name)


def evicted(cluster: Cluster, name: str) -> None:
    cluster.create(name, pod(container()), finalizers=["example.org/keep"])
    cluster.until(name, running)
    cluster.core.create_namespaced_pod_eviction(name, NAMESPACE, {"metadata": {"name": name}})
    _keep_and_release(cluster, name)


def preempted(cluster: Cluster, name: str) -> None:
    """Of two pods that want the only widget the less important one goes."""
    nodes = [each.metadata.name for each in cluster.core.list_node().items if not each.spec.taints]
    cluster.core.patch_node_status(nodes[0], {"status": {"capacity": {WIDGET: "1"}}})
    scheduling = client.SchedulingV1Api()
    for priority in ("low", "high"):
        try:
            scheduling.create_priority_class(
                {"metadata": {"name": f"diagnosis-{priority}"}, "value": 5 if priority == "low" else 50}
            )
        except ApiException as error:
            if error.status != 409:
                raise
    wants = container(resources={"limits": {WIDGET: "1"}})
    cluster.create(name, pod(wants, priorityClassName="diagnosis-low"), finalizers=["example.org/keep"])
    cluster.until(name, running)
    cluster.create("takes", pod(wants, priorityClassName="diagnosis-high"))
    found, events = cluster.until("takes", lambda each, _: "nominatedNodeName" in each["status"], 5)
    keep("preempting", pod=found, events=events)
    _keep_and_release(cluster, name)
    cluster.until("takes", running)
    cluster.create("no-room", pod(wants))
    found, events = cluster.until("no-room", settled)
    keep("no-room", pod=found, events=events)
    for priority in ("low", "high"):
        scheduling.delete_priority_class(f"diagnosis-{priority}")
    cluster.core.patch_node_status(
        nodes[0], {"status": {"capacity": {WIDGET: None}, "allocatable": {WIDGET: None}}}
    )


def _keep_and_release(cluster: Cluster, name: str) -> None:
    found, events = cluster.until(name, ended)
    keep(name, pod=found, events=events)
    cluster.core.patch_namespaced_pod(name, NAMESPACE, {"metadata": {"finalizers": None}})


def nodes(cluster: Cluster, name: str) -> None:
    kept = [
        {"metadata": {"name": node["metadata"]["name"], "labels": node["metadata"]["labels"]},
         "spec": node["spec"], "status": {"allocatable": node["status"]["allocatable"]}}
        for node in cluster.get("api/v1/nodes")["items"]
    ]  # fmt: skip
    keep(name, nodes=kept)


def refusals(cluster: Cluster, name: str) -> None:
    """What the API server answers to pods that it does not take."""
    small = {"requests": {"cpu": "1"}}
    long = "x" * 70
    asked: dict[str, Json] = {
        "invalid-quantity": pod(container(resources={"limits": {"memory": "lots"}})),
        "invalid-field": pod(container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}})),
        "invalid-mount": pod(container(volumeMounts=[{"name": "absent", "mountPath": "/data"}])),
        "invalid-several": pod(
            container(image="", env=[{"name": "a=b", "value": "1"}]), nodeSelector={long: long}),
        "wrong-type": pod(container(command="sh")),
        "no-priority-class": pod(container(), priorityClassName="absent"),
        "no-account": pod(container(), serviceAccountName="absent"),
    }  # fmt: skip
    for each, spec in asked.items():
        _refused(cluster, each, spec)
    cluster.core.create_namespaced_limit_range(NAMESPACE, {
        "metadata": {"name": "limits"},
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "4"}}]}})  # fmt: skip
    _refused(
        cluster, "limit-range", pod(container(resources={"requests": {"cpu": "8"}, "limits": {"cpu": "8"}}))
    )
    cluster.core.delete_namespaced_limit_range("limits", NAMESPACE)
    cluster.core.patch_namespace(
        NAMESPACE, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    )
    _refused(cluster, "pod-security", pod(container()))
    cluster.core.patch_namespace(
        NAMESPACE, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}}
    )
    cluster.core.create_namespaced_resource_quota(NAMESPACE, {
        "metadata": {"name": "cpus"}, "spec": {"hard": {"requests.cpu": "500m"}}})  # fmt: skip
    while not cluster.core.read_namespaced_resource_quota("cpus", NAMESPACE).status.hard:
        time.sleep(0.2)
    _refused(cluster, "quota", pod(container(resources=small)))
    _refused(cluster, "quota-needs", pod(container()))
    job = {
        "completions": 2,
        "completionMode": "Indexed",
        "template": {"spec": pod(container(resources=small))},
    }
    cluster.batch.create_namespaced_job(NAMESPACE, {"metadata": {"name": "job-quota"}, "spec": job})
    while not any(each["reason"] == "FailedCreate" for each in cluster.events("job-quota")):
        time.sleep(0.5)
    found = cluster.get(f"apis/batch/v1/namespaces/{NAMESPACE}/jobs/job-quota")
    keep("job-quota", job=found, events=cluster.events("job-quota"))
    cluster.core.delete_namespaced_resource_quota("cpus", NAMESPACE)


def _refused(cluster: Cluster, name: str, spec: Json) -> None:
    try:
        cluster.create(f"refused-{name}", spec)
    except ApiException as error:
        keep(f"refused-{name}", status=error.status, body=json.loads(error.body))
        return
    print(f"{name}: was taken", flush=True)


SPECIAL: dict[str, Callable[[Cluster, str], None]] = {
    "deleted": deleted, "evicted": evicted, "preempted": preempted, "nodes": nodes, "refusals": refusals,
}  # fmt: skip


def main(wanted: list[str]) -> None:
    cluster = Cluster()
    cluster.begin()
    for case, spec in {**WAITING, **ENDED}.items():
        if not wanted or case in wanted:
            cluster.create(case, spec)
    for cases, good in ((WAITING, settled), (ENDED, ended)):
        for case in cases:
            if not wanted or case in wanted:
                found, events = cluster.until(case, good)
                keep(case, pod=found, events=events)
    for case, make in SPECIAL.items():
        if not wanted or case in wanted:
            make(cluster, case)
    cluster.delete_namespace()


if __name__ == "__main__":
    main(sys.argv[1:])
