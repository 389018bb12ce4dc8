"""Nodes of a Workflow on a real Slurm, behind bridges on real pods: the mixed case, and what must not go wrong."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from headwater.backends.kubernetes.bundle import Bundle, pack

from tests.cluster.api import Json
from tests.cluster.fixtures import Cluster, _held, new_namespace
from tests.cluster.workflows import GROUP, Run, create_bundle, submit, until_true, with_code
from tests.operator.process import running_operator
from tests.slurm.login_node import login_node
from tests.slurm.places import RESOURCE, WORK, Slot, host_address
from tests.slurm.use import require

pytestmark = [pytest.mark.xdist_group("slurm-nodes"), pytest.mark.timeout(180)]
CODE = """
import os, time
from pathlib import Path

def make(size):
    return {"numbers": list(range(size))}

def double(number):
    if number == 3:
        raise ValueError("3 is not doubled")
    return {"number": 2 * number, "job": os.environ.get("SLURM_JOB_ID", "")}

def add(numbers, jobs):
    total = sum(each for each in numbers if isinstance(each, int))
    return {"total": total, "jobs": len({job for job in jobs if isinstance(job, str) and job}),
            "here": os.environ.get("SLURM_JOB_ID", "")}

def note(name, seconds):
    folder = Path(os.environ["HEADWATER_TEST_WORK"])
    with (folder / name).open("a") as file:
        file.write("x")
    time.sleep(seconds)
    return {"times": len((folder / name).read_text())}

def large(size):
    return {"data": os.urandom(size)}

def measure(data):
    return {"size": len(data)}
"""


@dataclass(frozen=True)
class Place:
    """A namespace with an operator and the SlurmClusters `local` (by slurmrestd) and `login` (by ssh)."""

    cluster: Cluster
    namespace: str
    bundle: Bundle

    def run(self, name: str, nodes: str, **spec: Any) -> Run:
        block = {
            "name": "main",
            "placement": "nodes",
            "nodes": yaml.safe_load(nodes),
            **spec.pop("block", {}),
        }
        return submit(self.cluster, self.namespace, name, with_code({"blocks": [block], **spec}, self.bundle))


@pytest.fixture(scope="module")
def slurm() -> Slot:
    return require()


@pytest.fixture(scope="module")
def place(cluster: Cluster, slurm: Slot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if cluster.kind != "own":
        pytest.skip("the Slurm of this machine is in reach of the project's own cluster only")
    bundle = pack({"on_slurm.py": CODE.encode()})
    log = tmp_path_factory.mktemp("slurm-nodes") / "operator.log"
    with (
        _held(exclusive=False),
        new_namespace(cluster) as namespace,
        running_operator(cluster, namespace, log),
    ):
        core = f"/api/v1/namespaces/{namespace}"
        create_bundle(cluster, namespace, bundle)
        secret, resource = yaml.safe_load_all(RESOURCE.read_text())
        resource["spec"]["setup"] = f"export HEADWATER_TEST_WORK={WORK}"
        node = login_node(slurm)
        keys = {name: (node.secret / name).read_text() for name in ("id", "known_hosts")}
        cluster.api.post(f"{core}/secrets", secret)
        cluster.api.post(f"{core}/secrets", {"metadata": {"name": "login"}, "stringData": keys})
        by_ssh = {
            **resource["spec"], "transport": "ssh", "endpoint": f"root@{host_address()}:{slurm.ssh}",
            "secretRef": {"name": "login"},
        }  # fmt: skip
        clusters = f"{GROUP}/namespaces/{namespace}/slurmclusters"
        cluster.api.post(clusters, resource)
        cluster.api.post(clusters, {**resource, "metadata": {"name": "login"}, "spec": by_ssh})
        yield Place(cluster, namespace, bundle)


def jobs(text: str) -> dict[str, str]:
    """The Slurm jobs whose name holds a text, with their states."""
    said = subprocess.run(
        ["squeue", "-h", "-t", "all", "-o", "%A %j %T"], capture_output=True, text=True, check=True
    ).stdout
    found = [line.split() for line in said.splitlines()]
    return {job: state for job, name, state in found if text in name}


@pytest.mark.parametrize("by", ["local", "login"])
def test_one_run_on_pods_and_on_slurm(place: Place, by: str) -> None:
    run = place.run(
        f"mixed-{by}",
        f"""
        - {{name: make, task: "on_slurm:make", inputs: {{size: {{value: 10}}}}, outputs: {{numbers: {{}}}}}}
        - name: double
          map: {{task: "on_slurm:double", over: {{number: {{from: make.numbers}}}}, itemsPerPod: 4, tolerate: all}}
          executor: slurm
          slurm: {{cluster: {by}}}
          outputs: {{number: {{}}, job: {{}}}}
        - name: add
          task: "on_slurm:add"
          executor: slurm
          slurm: {{cluster: {by}, time: 5m}}
          inputs: {{numbers: {{from: double.number}}, jobs: {{from: double.job}}}}
          outputs: {{total: {{}}, jobs: {{}}, here: {{}}}}
        - {{name: again, task: "on_slurm:make", inputs: {{size: {{from: add.total}}}}, outputs: {{numbers: {{}}}}}}
        """,
        block={"outputs": {name: {"from": f"add.{name}"} for name in ("total", "jobs", "here")}},
    ).ended("Succeeded")
    assert run.outputs["total"] == sum(2 * each for each in range(10) if each != 3)
    assert run.outputs["jobs"] == 3  # tasks of one array
    assert run.outputs["here"].isdigit()
    assert run.nodes["double"]["items"]["failed"] == "3"
    assert len(jobs(f"mixed-{by}")) == 4


def test_large_values_go_to_slurm_and_by_ssh_come_back(place: Place) -> None:
    run = place.run(
        "large",
        """
        - {name: large, task: "on_slurm:large", inputs: {size: {value: 100000}}, outputs: {data: {}}}
        - name: there
          task: "on_slurm:measure"
          executor: slurm
          slurm: {cluster: local}
          inputs: {data: {from: large.data}}
          outputs: {size: {}}
        - name: back
          task: "on_slurm:large"
          executor: slurm
          slurm: {cluster: login}
          inputs: {size: {from: there.size}}
          outputs: {data: {}}
        - {name: here, task: "on_slurm:measure", inputs: {data: {from: back.data}}, outputs: {size: {}}}
        """,
        block={"outputs": {"size": {"from": "here.size"}}},
    ).ended("Succeeded")
    assert run.outputs == {"size": 100_000}


def test_what_slurmrestd_cannot_bring_back_is_said(place: Place) -> None:
    run = place.run(
        "too-large",
        """
        - name: large
          task: "on_slurm:large"
          executor: slurm
          slurm: {cluster: local}
          inputs: {size: {value: 100000}}
          outputs: {data: {}}
        """,
    ).ended("Failed")
    assert "transport: ssh" in run.nodes["large"]["error"]["message"]


def _noting(name: str, seconds: float, by: str = "local", more: str = "") -> str:
    return f"""
    - name: note
      task: "on_slurm:note"
      executor: slurm
      slurm: {{cluster: {by}}}
      inputs: {{name: {{value: {name}}}, seconds: {{value: {seconds}}}}}
      outputs: {{times: {{}}}}
      {more}
    """


@pytest.mark.parametrize("by", ["local", "login"])
def test_a_bridge_that_is_deleted_or_evicted_finds_the_job_again(place: Place, by: str) -> None:
    name = f"{place.namespace}-{by}-bridge"
    (WORK / name).unlink(missing_ok=True)
    times = {"outputs": {"times": {"from": "note.times"}}}
    run = place.run(f"bridge-{by}", _noting(name, 15, by), block=times)
    until_true(lambda: (WORK / name).exists(), "the job does not run")
    run.until_node("note", "Running")
    pods = f"/api/v1/namespaces/{place.namespace}/pods"
    (first,) = run.pods("note")
    pod = first["metadata"]["name"]
    place.cluster.api.delete(f"{pods}/{pod}")
    second = run.until_pod(
        "note", lambda each: each["metadata"]["uid"] != first["metadata"]["uid"] and _runs(each)
    )
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    place.cluster.api.post(f"{pods}/{pod}/eviction", eviction)
    run.until_pod("note", lambda each: each["metadata"]["uid"] != second["metadata"]["uid"])
    assert run.ended("Succeeded").outputs == {"times": 1}
    assert run.nodes["note"]["attempts"] == 1
    assert len(jobs(f"bridge-{by}-note")) == 1


def names(place: Place) -> list[str]:
    found = place.cluster.api.get(f"{GROUP}/namespaces/{place.namespace}/workflows")["items"]
    return [each["metadata"]["name"] for each in found]


def _runs(pod: Json) -> bool:
    return bool(pod["status"].get("phase") == "Running")


def test_a_run_that_is_cancelled_cancels_its_job(place: Place) -> None:
    name = f"{place.namespace}-cancelled"
    run = place.run("cancelled", _noting(name, 3600))
    until_true(lambda: (WORK / name).exists(), "the job does not run")
    run.change(terminate="Cancel")
    run.ended("Cancelled")
    until_true(lambda: set(jobs("cancelled-note").values()) == {"CANCELLED"}, "the job goes on")


def test_a_workflow_that_is_deleted_leaves_no_job(place: Place) -> None:
    name = f"{place.namespace}-deleted"
    run = place.run("deleted", _noting(name, 3600, "login"))
    until_true(lambda: (WORK / name).exists(), "the job does not run")
    place.cluster.api.delete(run.path)
    until_true(lambda: set(jobs("deleted-note").values()) == {"CANCELLED"}, "the job goes on")
    until_true(lambda: run.name not in names(place), "it is still there")


def test_a_timeout_ends_the_job_and_another_attempt_is_another_job(place: Place) -> None:
    name = f"{place.namespace}-late"
    policy = "timeout: 5s\n      retry: {limit: 1, classes: [Timeout]}"
    run = place.run("late", _noting(name, 3600, more=policy)).ended("Failed")
    assert run.nodes["note"]["error"]["class"] == "Timeout"
    assert run.nodes["note"]["attempts"] == 2
    # The runtime within the job ends the task; where it does not, the operator cancels the job.
    until_true(lambda: not set(jobs("late-note").values()) & {"PENDING", "RUNNING"}, "the job goes on")
    assert len(jobs("late-note")) == 2
    assert (WORK / name).read_text() == "xx"


def test_a_directive_that_the_site_cannot_meet_is_refused_before_anything_is_submitted(place: Place) -> None:
    run = place.run(
        "refused", _noting("x", 0).replace("{cluster: local}", "{cluster: local, partition: gpu}")
    )
    error = run.ended("Failed").nodes["note"]["error"]
    assert error["class"] == "InvalidSpec"
    assert "no partition 'gpu'" in error["message"]
    assert "debug" in error["message"]
    assert jobs("refused-note") == {}


def test_a_job_that_somebody_cancels_is_a_failure_that_names_it(place: Place) -> None:
    name = f"{place.namespace}-scancelled"
    run = place.run("scancelled", _noting(name, 3600))
    until_true(lambda: (WORK / name).exists(), "the job does not run")
    (job,) = jobs("scancelled-note")
    subprocess.run(["scancel", job], check=True)
    message = run.ended("Failed").nodes["note"]["error"]["message"]
    assert job in message
    assert "cancelled by somebody else" in message


def test_what_a_job_prints_is_the_log_of_its_node(place: Place) -> None:
    run = place.run("printing", _noting(f"{place.namespace}-log", 0, "login"))
    assert "Slurm job" in run.ended("Succeeded").log("note")
