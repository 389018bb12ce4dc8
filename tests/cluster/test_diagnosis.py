"""Nodes that wait or fail on real pods say why, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.cluster.api import Json
from tests.cluster.workflows import ON_PODS, Run, until_true, workflow

pytestmark = ON_PODS

# ---------------------------------------------------------------- waiting

WAITING: dict[str, tuple[str, tuple[str, ...]]] = {
    "cpu": (
        "{name: a, container: !sh exit 0, resources: {requests: {cpu: 1000}}}",
        ("Insufficient cpu on 1 node (it asks for 1k; the largest node has", "ask for less or add a larger node"),
    ),
    "device": (
        "{name: a, container: !sh exit 0, resources: {limits: {example.com/telescope: 1}}}",
        ("Insufficient example.com/telescope on 1 node (no node that it could use has any)", "add nodes that have"),
    ),
    "labels": (
        "{name: a, container: !sh exit 0, nodeSelector: {gpu: none}}",
        ("1 node with other labels than nodeSelector and affinity ask for (gpu=none)", "or label a node"),
    ),
    "image": (
        "{name: a, container: {image: 'localhost/no/such:1'}}",
        ("image 'localhost/no/such:1' cannot be pulled", "check its name"),
    ),
    "never pulled": (
        "{name: a, container: {image: 'localhost/no/such:1', imagePullPolicy: Never}}",
        ("is not on the node, and its pull policy is Never",),
    ),
    "secret": (
        "{name: a, container: {image: localhost/debian:bookworm, envFrom: [{secretRef: {name: nobody}}]}}",
        ("Secret 'nobody' is missing: create it, or correct the name",),
    ),
    "config map": (
        "{name: a, container: {image: localhost/debian:bookworm, "
        "env: [{name: A, valueFrom: {configMapKeyRef: {name: none, key: a}}}]}}",
        ("ConfigMap 'none' is missing: create it, or correct the name",),
    ),
    "key": (
        "{name: a, container: {image: localhost/debian:bookworm, "
        "env: [{name: A, valueFrom: {configMapKeyRef: {name: settings, key: a}}}]}}",
        ("ConfigMap 'settings' has no key 'a': add it, or correct the name",),
    ),
    "volume": (
        "{name: a, container: !sh exit 0, podTemplate: {spec: {volumes: [{name: v, secret: {secretName: gone}}],"
        " containers: [{name: main, volumeMounts: [{name: v, mountPath: /v}]}]}}}",
        ("Secret 'gone' is missing: create it, or correct the name",),
    ),
    "claim": (
        "{name: a, container: !sh exit 0, podTemplate: {spec: {volumes: [{name: v, persistentVolumeClaim: "
        "{claimName: gone}}]}}}",
        ("PersistentVolumeClaim 'gone' is missing",),
    ),
    "quota": (
        "{name: a, container: !sh exit 0, resources: {limits: {example.com/gpu: 2}}}",
        ("quota 'gpus' allows requests.example.com/gpu=1 in all", "ask for less, or raise the quota"),
    ),
    "quota of a map": (
        "{name: a, map: {container: !sh exit 0, over: {x: {range: 2}}}, "
        "resources: {limits: {example.com/gpu: 2}}}",
        ("quota 'gpus' allows requests.example.com/gpu=1 in all",),
    ),
    "items that find no node": (
        "{name: a, map: {container: !sh exit 0, over: {x: {range: 2}}}, resources: {requests: {cpu: 1000}}}",
        ("Insufficient cpu on 1 node (it asks for 1k; the largest node has", "ask for less or add a larger node"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(words, marks=workflow(f"nodes: [{node}]"), id=name)
        for name, (node, words) in WAITING.items()
    ],
)
def test_a_node_that_waits_says_why_and_what_to_do(run: Run, words: Sequence[str]) -> None:
    node = run.until_node("a", lambda node: all(word in str(node.get("waiting")) for word in words))
    assert node["phase"] == "Running"
    assert run.until(lambda status: words[0] in status.get("message", ""))["phase"] == "Running"
    run.change(terminate="Cancel")
    run.ended("Cancelled")
    run.until_no_pod_runs()


@workflow("""
code: {configMap: nowhere, digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
nodes: [{name: a, task: "tasks:make", inputs: {size: {value: 1}}}]
""")
def test_a_task_whose_code_is_missing_waits_for_it(run: Run) -> None:
    run.until_node("a", lambda node: "ConfigMap 'nowhere' is missing" in node.get("waiting", ""))
    run.change(terminate="Cancel")
    run.ended("Cancelled")


@workflow("""
nodes: [{name: a, container: !sh exit 0, resources: {requests: {cpu: 1000}}}]
""")
def test_a_long_wait_is_told_in_one_event(run: Run) -> None:
    run.until_events("NodeWaiting")
    (event,) = run.events("NodeWaiting")
    assert event["message"].startswith("a: Insufficient cpu on 1 node")
    run.change(terminate="Cancel")
    run.ended("Cancelled")
    assert len(run.events()) == 1


@workflow("""
nodes:
- name: a
  container: {image: localhost/debian:bookworm, command: [cat, /late/colour]}
  podTemplate:
    spec:
      volumes: [{name: late, configMap: {name: comes-late}}]
      containers: [{name: main, volumeMounts: [{name: late, mountPath: /late}]}]
""")
def test_a_node_goes_on_when_what_it_waits_for_is_there(run: Run) -> None:
    run.until_node("a", lambda node: "ConfigMap 'comes-late' is missing" in node.get("waiting", ""))
    run.api.post(
        f"/api/v1/namespaces/{run.namespace}/configmaps",
        {"metadata": {"name": "comes-late"}, "data": {"colour": "red"}},
    )
    assert run.ended("Succeeded").log("a") == "red"
    assert "waiting" not in run.nodes["a"]


# ---------------------------------------------------------------- failing

FAILING: dict[str, tuple[str, str, str]] = {
    "an exit code": ("container: !sh echo the last line; exit 3", "Error", "exit code 3: the last line"),
    "a signal": (
        "container: !py import ctypes; ctypes.string_at(0)",
        "Error",
        "killed by SIGSEGV (exit code 139)",
    ),
    "memory": (
        "container: !py 'x = bytearray(100 << 20)'\n  resources: {limits: {memory: 32Mi}}",
        "Oom",
        "32Mi",  # "OOMKilled at 32Mi", where containerd heard of it in time
    ),
    "no program": (
        "container: {image: 'localhost/debian:bookworm', command: [frobnicate]}",
        "InvalidSpec",
        "image 'localhost/debian:bookworm' has no `frobnicate`: correct `command`, or use another image",
    ),
    "may not be root": (
        "container: {image: 'localhost/debian:bookworm', command: [id], securityContext: {runAsNonRoot: true}}",
        "InvalidSpec",
        "the image runs as root, and the pod may not: give it a user",
    ),
    "no result": (
        "container: !sh exit 0\n  outputs: {x: {type: int}}",
        "Error",
        """it wrote no result, so output 'x' is missing: write one JSON object, {"x": ...}, to $HEADWATER_RESULT""",
    ),
    "an output that is missing": (
        "container: !sh echo '{\"y\":1}' > $HEADWATER_RESULT\n  outputs: {x: {}}",
        "Error",
        "output 'x' is missing from its result, which has 'y'",
    ),
    "an output of another type": (
        'container: !sh echo \'{"x":"1"}\' > $HEADWATER_RESULT\n  outputs: {x: {type: int}}',
        "Error",
        "output 'x' must be int; it wrote a str",
    ),
    "no JSON": (
        "container: !sh echo x=1 > $HEADWATER_RESULT\n  outputs: {x: {}}",
        "Error",
        "its result is not JSON",
    ),
    "a result that is too long": (
        'container: !sh printf \'{"x":"%05000d"}\' 1 > $HEADWATER_RESULT\n  outputs: {x: {}}',
        "Error",
        "its result is longer than the 4,096 bytes that Kubernetes keeps: write less to $HEADWATER_RESULT",
    ),
    "an image without headwater": (
        "task: 'tasks:double'\n  image: localhost/debian:bookworm\n  inputs: {number: {value: 1}}",
        "InvalidSpec",
        "image 'localhost/debian:bookworm' has no",
    ),
    "no such task": (
        "task: 'tasks:doubel'\n  inputs: {number: {value: 1}}",
        "InvalidSpec",
        "module 'tasks' has no 'doubel'. Did you mean 'double'?",
    ),
    "a worker that dies": ("task: 'tasks:die'", "Error", "SIGKILL"),
    "no PriorityClass": (
        "container: !sh exit 0\n  priorityClassName: nobody",
        "InvalidSpec",
        "there is no PriorityClass 'nobody': correct `priorityClassName`",
    ),
    "no pod as Kubernetes wants it": (
        "container: {image: 'localhost/debian:bookworm', volumeMounts: [{name: nowhere, mountPath: /a}]}",
        "InvalidSpec",
        "the API server refuses the pod: the container's volumeMounts[0].name",
    ),
}


@pytest.mark.parametrize(
    ("error_class", "words"),
    [
        pytest.param(error_class, words, marks=workflow(f"nodes:\n- name: a\n  {node}\n"), id=name)
        for name, (node, error_class, words) in FAILING.items()
    ],
)
def test_a_node_that_fails_says_why_and_what_to_do(run: Run, error_class: str, words: str) -> None:
    message = run.ended("Failed").status["message"]
    error = run.nodes["a"]["error"]
    assert words in error["message"]
    assert (error["class"], error["node"]) == (error_class, "a")
    assert words in message
    run.until_events("NodeFailed")
    (event,) = run.events()
    assert words in event["message"]


@workflow("""
nodes:
- name: a
  map:
    container: {image: "localhost/debian:bookworm", command: [id], securityContext: {runAsNonRoot: true}}
    over: {x: {range: 2}}
""")
def test_a_map_whose_pods_can_never_start_fails(run: Run) -> None:
    assert "the image runs as root, and the pod may not" in run.ended("Failed").status["message"]
    until_true(lambda: run.pods() == [], "its pods are still there")


@workflow("""
nodes:
- name: a
  container: !py |
    import subprocess
    died = subprocess.run(["python3", "-c", "x = bytearray(100 << 20)"])
    print("went on after", died.returncode)
  resources: {limits: {memory: 48Mi}}
""")
def test_a_child_that_was_killed_for_memory_does_not_decide(run: Run) -> None:
    assert run.ended("Succeeded").log("a") == "went on after -9\n"


# ---------------------------------------------------------------- disruptions

WAITS_THE_FIRST_TIME = """
nodes:
- name: a
  task: tasks:count_and_wait
  inputs: {name: {value: %s}}
  outputs: {attempts: {type: int}}
"""


def the_task_runs(run: Run) -> Json:
    """Its first pod, once the task is in it."""
    (pod,) = run.pods("a")
    run.until_pod("a", lambda pod: pod["status"]["phase"] == "Running")
    run.until_log("a", "begins to wait")
    return pod


@workflow(WAITS_THE_FIRST_TIME % "deleted")
def test_a_pod_that_is_deleted_by_hand_is_replaced_without_counting(run: Run) -> None:
    run.until_node("a", "Running")
    pod = the_task_runs(run)
    run.api.delete(f"/api/v1/namespaces/{run.namespace}/pods/{pod['metadata']['name']}")
    assert run.ended("Succeeded").outputs == {"attempts": 2}
    assert run.nodes["a"]["attempts"] == 2


@workflow(WAITS_THE_FIRST_TIME % "evicted")
def test_a_pod_that_is_evicted_is_replaced_without_counting(run: Run) -> None:
    run.until_node("a", "Running")
    pod = the_task_runs(run)["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    run.api.post(f"/api/v1/namespaces/{run.namespace}/pods/{pod}/eviction", eviction)
    assert run.ended("Succeeded").outputs == {"attempts": 2}


@workflow(WAITS_THE_FIRST_TIME.rstrip() % "final" + "\n  retry: {classes: [Error]}\n")
def test_an_eviction_fails_a_node_that_does_not_want_another_attempt(run: Run) -> None:
    run.until_node("a", "Running")
    pod = the_task_runs(run)["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    run.api.post(f"/api/v1/namespaces/{run.namespace}/pods/{pod}/eviction", eviction)
    run.ended("Failed")
    error = run.nodes["a"]["error"]
    assert error["class"] == "Preempted"
    assert "was evicted, as when a node is drained" in error["message"]


@workflow("""
nodes:
- name: a
  map: {task: "tasks:wait_if_first", over: {number: {range: 2}}}
  outputs: {attempts: {type: int}}
""")
def test_a_pod_of_a_map_that_is_deleted_by_hand_is_replaced(run: Run) -> None:
    pod = run.until_pod("a", lambda pod: _index(pod) == "1" and pod["status"]["phase"] == "Running")
    run.until_log("a", "begins to wait", pod["metadata"]["name"])
    run.api.delete(f"/api/v1/namespaces/{run.namespace}/pods/{pod['metadata']['name']}")
    assert run.ended("Succeeded").outputs == {"attempts": [1, 2]}


def _index(pod: Json) -> str:
    found: str = pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]
    return found
