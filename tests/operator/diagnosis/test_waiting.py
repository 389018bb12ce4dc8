"""Why pods wait: as a real cluster said it, and as others would."""

from __future__ import annotations

from typing import Any

import pytest
from headwater_operator.diagnosis import waiting

from tests.operator.diagnosis.seen import nodes, seen

NODE_MEMORY = "the largest node has 2 cpu"


@pytest.mark.parametrize(
    ("case", "reason", "text"),
    [
        ("image-refused", "ImagePull",
         "image '127.0.0.1:9/team/tool:1' cannot be pulled (Head \"http://127.0.0.1:9/v2/team/tool/manifests/1\": "
         "dial tcp 127.0.0.1:9: connect: connection refused): check its name; the node cannot reach that registry"),
        ("image-never", "ErrImageNeverPull", "image 'localhost/absent:1' is not on the node"),
        ("config-map-missing", "MissingConfigMap", "ConfigMap 'absent' is missing: create it, or correct the name"),
        ("config-map-volume-missing", "MissingConfigMap", "ConfigMap 'absent' is missing"),
        ("secret-missing", "MissingSecret", "Secret 'absent' is missing: create it, or correct the name"),
        ("secret-volume-missing", "MissingSecret", "Secret 'absent' is missing"),
        ("key-missing", "MissingKey", "ConfigMap 'there' has no key 'absent'"),
        ("key-volume-missing", "MissingKey", "what volume 'data' mounts has no key 'no'"),
        ("claim-missing", "MissingPersistentVolumeClaim", "PersistentVolumeClaim 'absent' is missing"),
        ("claim-unbound", "Volume", "its claim is not bound): check the storage class"),
        ("too-much-cpu", "Unschedulable", "Insufficient cpu on 1 node (it asks for 64; the largest node has 2 cpu, "),
        ("too-much-of-both", "Unschedulable", "Insufficient memory on 1 node (it asks for 900Gi; "),
        ("unknown-resource", "Unschedulable",
         "Insufficient nvidia.com/gpu on 1 node (no node that it could use has any)"),
        ("no-such-node", "Unschedulable",
         "1 node with other labels than nodeSelector and affinity ask for (disk=nvme); 3 nodes with the taint "
         "kwok.x-k8s.io/node=fake: change nodeSelector or affinity"),
        ("scheduling-gate", "SchedulingGated", "kueue.x-k8s.io/admission"),
        ("preempting", "Preempting", "waits for pods of lower priority to leave node node1"),
    ],
)  # fmt: skip
def test_what_a_cluster_says(case: str, reason: str, text: str) -> None:
    found = waiting(seen(case)["pod"], seen(case)["events"], nodes())
    assert found is not None
    assert text in found.text
    assert (found.reason, found.hopeless) == (reason, False)
    assert "\n" not in found.text


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("image-invalid-name", "image 'Not An Image' is not a name of an image"),
        ("runs-as-root", "the image runs as root, and the pod may not"),
    ],
)
def test_what_can_never_heal_is_hopeless(case: str, text: str) -> None:
    found = waiting(seen(case)["pod"], seen(case)["events"])
    assert found is not None
    assert text in found.text
    assert found.hopeless


@pytest.mark.parametrize(
    "case", ["exit-0", "exit-3-with-log", "oom", "deleted", "evicted", "sidecar-lingers"]
)
def test_a_pod_that_ran_does_not_wait(case: str) -> None:
    assert waiting(seen(case)["pod"], seen(case)["events"], nodes()) is None


def test_a_pod_that_is_simply_starting_does_not_wait() -> None:
    new: dict[str, Any] = {"spec": {}, "status": {"phase": "Pending"}}
    creating = {
        "spec": {"nodeName": "n"},
        "status": {"phase": "Pending", "containerStatuses": [
            {"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]},
    }  # fmt: skip
    pulling = [{"type": "Normal", "reason": "Pulling", "message": 'Pulling image "a"'}]
    assert waiting({}) is None
    assert waiting(new) is None
    assert waiting(creating, pulling) is None


# ---------------------------------------------------------------- the scheduler's words


def unplaced(message: str, **spec: Any) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"spec": spec, "status": {"phase": "Pending", "conditions": [condition]}}


def node(cpu: str = "8", **spec: Any) -> dict[str, Any]:
    return {"spec": spec, "status": {"allocatable": {"cpu": cpu, "memory": "32863848Ki"}}}


def asks(cpu: str) -> list[dict[str, Any]]:
    return [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("0/4 nodes are available: 4 Insufficient nvidia.com/gpu. preemption: 0/4 nodes are available: 4 No "
         "preemption victims found for incoming pod.",
         "Insufficient nvidia.com/gpu on 4 nodes: ask for fewer or add nodes"),
        ("0/3 nodes are available: 1 node(s) had untolerated taint {gpu: a100}, 2 node(s) were unschedulable.",
         "1 node with the taint gpu=a100; 2 nodes cordoned: add a toleration for it, or uncordon one"),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
         "1 node not ready"),
        ("0/1 nodes are available: 1 Too many pods. preemption: not eligible.",
         "1 node with as many pods as they may hold: wait for other pods to end, or add nodes"),
        ("0/2 nodes are available: 2 node(s) had volume node affinity conflict.",
         "2 nodes out of reach of the pod's volume"),
        ("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.", "2 nodes ruled out by anti-"),
        ("0/2 nodes are available: 2 something new.", "2 nodes: something new"),
        ("no nodes available to schedule pods", "the cluster has no nodes: add some"),
        ("a plugin said no", "no node takes the pod: a plugin said no"),
    ],
)  # fmt: skip
def test_the_schedulers_words(message: str, text: str) -> None:
    found = waiting(unplaced(message))
    assert found is not None
    assert found.text.startswith(text)


def test_what_would_fit() -> None:
    message = "0/2 nodes are available: 2 Insufficient cpu."
    never = waiting(unplaced(message, containers=asks("16")), nodes=[node("8"), node("4")])
    later = waiting(unplaced(message, containers=asks("6")), nodes=[node("8"), node("4")])
    assert never is not None
    assert later is not None
    assert never.text == (
        "Insufficient cpu on 2 nodes (it asks for 16; the largest node has 8 cpu, 31.3Gi memory): "
        "ask for less or add a larger node"
    )
    assert later.text.endswith("wait for other pods to end, ask for less or add nodes")


def test_nodes_that_the_pod_cannot_use_do_not_count() -> None:
    tainted = node("64", taints=[{"key": "gpu", "value": "a", "effect": "NoSchedule"}])
    cordoned, small = node("64", unschedulable=True), node("8")
    message = (
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), "
        "1 node(s) were unschedulable."
    )
    found = waiting(unplaced(message, containers=asks("16")), nodes=[tainted, cordoned, small])
    assert found is not None
    assert "the largest node has 8 cpu" in found.text
    assert "1 node with the taint gpu=a" in found.text
    tolerations = [{"key": "gpu", "operator": "Equal", "value": "a"}]
    may = waiting(unplaced(message, containers=asks("16"), tolerations=tolerations), nodes=[tainted, small])
    assert may is not None
    assert "the largest node has 64 cpu" in may.text


def test_a_pod_in_a_queue_of_kueue() -> None:
    pod = {
        "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "gpu"}},
        "spec": {"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]},
        "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
    }  # fmt: skip
    found = waiting(pod)
    assert found is not None
    assert (found.text, found.reason) == ("waits in queue 'gpu' until its quota has room", "Queue")


# ---------------------------------------------------------------- images, containers, volumes


def held(reason: str, message: str = "") -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "r/a:1",
        "state": {"waiting": {"reason": reason, "message": message}},
    }
    return {"spec": {"nodeName": "n"}, "status": {"phase": "Pending", "containerStatuses": [container]}}


PULL = (
    'rpc error: code = {code} desc = failed to pull and unpack image "r/a:1": '
    'failed to resolve reference "r/a:1": {said}'
)


@pytest.mark.parametrize(
    ("said", "words", "fix"),
    [
        (PULL.format(code="NotFound", said="r/a:1: not found"), "(r/a:1: not found)", "check its name and tag"),
        (PULL.format(code="Unknown", said="pull access denied, repository does not exist or may require "
                     "authorization: server message: insufficient_scope: authorization failed"),
         "(pull access denied, ", "imagePullSecrets"),
        (PULL.format(code="Unknown", said="unexpected status code 429 Too Many Requests"), "429", "limits pulls"),
        (PULL.format(code="Unknown", said="tls: failed to verify certificate: x509: unknown authority"), "x509",
         "does not trust"),
        ('failed to pull and unpack image "r/a:1": no match for platform in manifest: not found', "platform",
         "kind of machine"),
    ],
)  # fmt: skip
def test_the_registrys_words_and_what_to_do(said: str, words: str, fix: str) -> None:
    for reason, message in (
        ("ErrImagePull", said),
        ("ImagePullBackOff", f'Back-off pulling image "r/a:1": ErrImagePull: {said}'),
    ):
        found = waiting(held(reason, message))
        assert found is not None
        assert words in found.text
        assert fix in found.text


def test_the_registrys_words_may_be_in_an_event_only() -> None:
    events = [{"reason": "Failed", "message": 'Failed to pull image "r/a:1": no such repository'}]
    found = waiting(held("ImagePullBackOff", 'Back-off pulling image "r/a:1"'), events)
    assert found is not None
    assert "(no such repository)" in found.text


@pytest.mark.parametrize(
    ("reason", "message", "text", "hopeless"),
    [
        ("CreateContainerError", "failed to generate container: no command specified", "write `command`", True),
        ("CreateContainerConfigError", "container has runAsNonRoot and image has non-numeric user (app), cannot "
         "verify user is non-root", "the image names its user", True),
        ("CreateContainerError", "context deadline exceeded", "context deadline exceeded", False),
        ("ImageInspectError", "bad image", "the node cannot read image 'r/a:1': bad image", False),
    ],
)  # fmt: skip
def test_containers_that_cannot_be_created(reason: str, message: str, text: str, hopeless: bool) -> None:
    found = waiting(held(reason, message))
    assert found is not None
    assert text in found.text
    assert found.hopeless is hopeless


def test_an_init_container_may_be_what_waits() -> None:
    pod = held("PodInitializing")
    pod["status"]["initContainerStatuses"] = held("ErrImagePull", "not found")["status"]["containerStatuses"]
    found = waiting(pod)
    assert found is not None
    assert found.reason == "ImagePull"


def warning(reason: str, message: str, at: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"type": "Warning", "reason": reason, "message": message, "lastTimestamp": at}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (warning("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) a'),
         "the volume is in use on another node"),
        (warning("FailedMount", 'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32'),
         "volume 'nfs' cannot be mounted: mount failed: exit status 32"),
        (warning("FailedCreatePodSandBox", "Failed to create pod sandbox: no IP addresses available"),
         "no IP addresses available"),
    ],
)  # fmt: skip
def test_what_only_events_tell(event: dict[str, Any], text: str) -> None:
    found = waiting(held("ContainerCreating"), [event])
    assert found is not None
    assert text in found.text


def test_the_newest_event_counts() -> None:
    old = warning("FailedMount", 'MountVolume.SetUp failed for volume "a" : x', "2026-01-01T00:00:00Z")
    new = {"type": "Normal", "reason": "Pulled", "lastTimestamp": "2026-01-01T00:01:00Z"}
    assert waiting(held("ContainerCreating"), [old, new]) is None
    assert waiting(held("ContainerCreating"), [new, old]) is None
