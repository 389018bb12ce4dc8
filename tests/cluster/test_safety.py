"""What a Workflow must not be able to do, tried on a real cluster: each try is refused, and no pod is made for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.fixtures import SMALL_IMAGE, Cluster, new_namespace
from tests.operator.process import running_operator

pytestmark = pytest.mark.timeout(600)
Json = dict[str, Any]
MAIN = {"name": "main"}


def node(*, script: str = "exit 0", container: Json | None = None, **more: Any) -> Json:
    command = {"image": SMALL_IMAGE, "command": ["sh", "-c", script]}
    return {"name": "only", "container": {**command, **(container or {})}, **more}


def pod(**spec: Any) -> Json:
    """A spec whose node has this in the spec of its pod template."""
    return {"nodes": [node(podTemplate={"spec": spec})]}


def metadata(**written: Any) -> Json:
    return {"nodes": [node(podTemplate={"metadata": written})]}


def main(**context: Any) -> Json:
    """A spec whose container has this security context."""
    return {"nodes": [node(container={"securityContext": context})]}


def beside(**container: Any) -> Json:
    """A spec whose pod has a second container like this."""
    return pod(containers=[{"name": "beside", "image": SMALL_IMAGE, **container}])


ETC = [{"name": "etc", "hostPath": {"path": "/etc"}}]
TOKEN = [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
UNCONFINED = {"container.apparmor.security.beta.kubernetes.io/main": "unconfined"}
ATTACKS: dict[str, Json] = {
    "host-network": pod(hostNetwork=True),
    "host-processes": pod(hostPID=True),
    "host-memory": pod(hostIPC=True),
    "host-path": pod(volumes=ETC),
    "host-path-mounted": pod(volumes=ETC, containers=[MAIN | {"volumeMounts": [{"name": "etc", "mountPath": "/x"}]}]),
    "host-path-by-replacing": pod(**{"$patch": "replace"}, containers=[MAIN | {"image": SMALL_IMAGE}], volumes=ETC),
    "host-port": beside(ports=[{"containerPort": 80, "hostPort": 80}]),
    "privileged": main(privileged=True),
    "privileged-by-template": pod(containers=[MAIN | {"securityContext": {"privileged": True}}]),
    "privileged-beside": beside(securityContext={"privileged": True}),
    "privileged-before": pod(initContainers=[{"name": "a", "securityContext": {"privileged": True}}]),
    "capability": main(capabilities={"add": ["SYS_ADMIN"]}),
    "capability-by-another-name": main(capabilities={"add": ["CAP_SYS_PTRACE"]}),
    "all-capabilities": main(capabilities={"add": ["ALL"]}),
    "unmasked-proc": main(procMount="Unmasked"),
    "no-seccomp": main(seccompProfile={"type": "Unconfined"}),
    "no-seccomp-for-the-pod": pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
    "no-apparmor": main(appArmorProfile={"type": "Unconfined"}),
    "no-apparmor-by-annotation": metadata(annotations=UNCONFINED),
    "no-apparmor-by-the-node": {"nodes": [node(annotations=UNCONFINED)]},
    "selinux": main(seLinuxOptions={"type": "spc_t"}),
    "selinux-user": pod(securityContext={"seLinuxOptions": {"user": "system_u"}}),
    "sysctl": pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
    "windows-host": pod(securityContext={"windowsOptions": {"hostProcess": True}}),
    "probe-of-another-host": beside(livenessProbe={"httpGet": {"host": "10.0.0.1", "port": 80}}),
    "hook-at-another-host": beside(lifecycle={"preStop": {"httpGet": {"host": "10.0.0.1", "port": 80}}}),
    "node": pod(nodeName="node1"),
    "account-by-template": pod(serviceAccountName="default"),
    "account-by-its-old-name": pod(serviceAccount="default"),
    "account-of-another-namespace": {"serviceAccountName": "kube-system/default", "nodes": [node()]},
    "account-by-a-path": {"serviceAccountName": "../../kube-system/x", "nodes": [node()]},
    "token": pod(automountServiceAccountToken=True),
    "token-by-volume": pod(volumes=TOKEN),
    "name": metadata(name="kube-apiserver"),
    "namespace": metadata(namespace="kube-system"),
    "owner": metadata(ownerReferences=[{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}]),
    "finalizer": metadata(finalizers=["kubernetes"]),
    "label-of-another-run": metadata(labels={"headwater.dev/run-uid": "another"}),
    "own-folder": {"nodes": [node(container={"volumeMounts": [{"name": "v", "mountPath": "/headwater/code"}]})]},
    "in-defaults": {"nodes": [node()], "defaults": {"podTemplate": {"spec": {"hostPID": True}}}},
    "another-kind": {"nodes": [node(podTemplate={"kind": "Node"})]},
    "restart": pod(restartPolicy="Always"),
    "result-elsewhere": beside(terminationMessagePath="/x"),
}  # fmt: skip


def workflow(name: str, written: Json, **annotations: str) -> Json:
    spec = {key: part for key, part in written.items() if key != "nodes"}
    return {
        "apiVersion": "headwater.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {**spec, "blocks": [{"name": "main", "nodes": written["nodes"], "outputs": {}}]},
    }


class Place:
    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.path = f"/apis/headwater.dev/v1alpha1/namespaces/{namespace}/workflows"

    def create(self, body: Json) -> None:
        self.cluster.api.post(self.path, body)

    def until(self, name: str, done: Callable[[Json], object], seconds: float = 120) -> Json:
        found: Json = self.cluster.api.wait(
            f"{self.path}/{name}", lambda each: done(each.get("status") or {}), seconds
        )
        return found["status"]

    def ends(self, name: str) -> Json:
        return self.until(name, lambda each: each.get("finishedAt"))

    def pods(self) -> list[Json]:
        found: list[Json] = self.cluster.api.get(f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return found


@pytest.fixture
def place(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Place]:
    with running_operator(cluster, namespace, tmp_path / "operator.log"):
        yield Place(cluster, namespace)


@contextmanager
def victim(cluster: Cluster) -> Iterator[Place]:
    with new_namespace(cluster) as namespace:
        yield Place(cluster, namespace)


def test_no_workflow_reaches_its_machine_or_takes_more_than_it_was_given(place: Place) -> None:
    for name, written in ATTACKS.items():
        place.create(workflow(name, written))
    ended = {name: place.ends(name) for name in ATTACKS}
    assert {name: each["reason"] for name, each in ended.items() if each["reason"] != "InvalidSpec"} == {}
    unnamed = {name: each["message"] for name, each in ended.items() if "spec." not in each["message"]}
    assert unnamed == {}
    assert place.pods() == []


def test_an_account_that_the_namespace_does_not_have_is_not_taken_from_elsewhere(
    place: Place, cluster: Cluster
) -> None:
    with victim(cluster) as other:
        accounts = f"/api/v1/namespaces/{other.namespace}/serviceaccounts"
        cluster.api.post(accounts, {"metadata": {"name": "powerful"}})
        place.create(workflow("borrows", {"serviceAccountName": "powerful", "nodes": [node()]}))
        status = place.until("borrows", lambda each: "powerful" in each.get("message", ""))
        assert "service account" in status["message"]
        assert place.pods() == []


def test_a_pod_has_no_token_unless_the_workflow_names_an_account(place: Place, cluster: Cluster) -> None:
    cluster.api.post(
        f"/api/v1/namespaces/{place.namespace}/serviceaccounts", {"metadata": {"name": "reader"}}
    )
    script = (
        "folder=/var/run/secrets/kubernetes.io/serviceaccount; found=none; "
        'if [ -e $folder/token ]; then found=$(cat $folder/namespace); fi; echo "{\\"of\\": \\"$found\\"}" '
        "> $HEADWATER_RESULT"
    )
    outputs = {"of": {"type": "str"}}
    plain = {
        "name": "main",
        "image": SMALL_IMAGE,
        "command": ["sh", "-c", script],
        "env": [{"name": "HEADWATER_RESULT", "value": "/dev/termination-log"}],
    }
    untold = {"spec": {"automountServiceAccountToken": None}}
    replaced = {"spec": {"$patch": "replace", "restartPolicy": "Never", "containers": [plain]}}
    runs = {
        "without": {"nodes": [node(script=script, outputs=outputs)]},
        "by-null": {"nodes": [node(script=script, outputs=outputs, podTemplate=untold)]},
        "by-replacing": {"nodes": [node(script=script, outputs=outputs, podTemplate=replaced)]},
        "with": {"nodes": [node(script=script, outputs=outputs)], "serviceAccountName": "reader"},
    }
    for name, written in runs.items():
        body = workflow(name, written)
        body["spec"]["blocks"][0]["outputs"] = {"of": {"from": "only.of"}}
        place.create(body)
    for name in ("without", "by-null", "by-replacing"):
        assert place.ends(name)["outputs"] == {"of": "none"}, name
    assert place.ends("with")["outputs"] == {"of": place.namespace}


def test_a_run_of_another_namespace_cannot_be_gone_on_with(
    place: Place, cluster: Cluster, tmp_path: Path
) -> None:
    """What had succeeded in it would be handed over: names are names, not paths."""
    script = 'echo \'{"x": "secret"}\' > $HEADWATER_RESULT'
    mine = workflow("mine", {"nodes": [node(script="exit 1", outputs={"x": {"type": "str"}})]})
    mine["spec"]["blocks"][0]["outputs"] = {"x": {"from": "only.x"}}
    with victim(cluster) as other:
        theirs = workflow("theirs", {"nodes": [node(script=script, outputs={"x": {"type": "str"}})]})
        with running_operator(cluster, other.namespace, tmp_path / "other.log"):
            other.create(theirs)
            assert other.ends("theirs")["phase"] == "Succeeded"
        for number, path in enumerate(
            (f"../../{other.namespace}/workflows/theirs", f"{other.namespace}/theirs", "theirs")
        ):
            name = f"mine-{number}"
            meta = {"name": name, "annotations": {"headwater.dev/resumes": path}}
            place.create({**mine, "metadata": meta})
            status = place.ends(name)
            assert (status["phase"], status["reason"]) == ("Failed", "InvalidSpec"), (path, status)
            assert "secret" not in str(status)
