"""Runs on real pods with a real operator, from Python and from flowctl, beside the same on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.fixtures import Cluster, _held, new_namespace
from tests.operator.process import running_operator

pytestmark = [pytest.mark.xdist_group("pods"), pytest.mark.timeout(600)]

PIPELINE = """
import time

import numpy
from headwater import MapWorkflow, config, task, workflow

import helpers


@task
def gen_data(n: int = 3) -> {"xs": list[int]}:
    print(f"generating {n} for {config['survey']['name']}")
    return list(range(n))


@task
def compute(x: int, factor: float = 2.0) -> {"y": object}:
    print(f"computing {x}")
    if x == 13:
        raise LookupError("thirteen")
    return numpy.full(1000, helpers.times(factor, x))


@MapWorkflow.as_workflow(map_on={"xs": "x"})
def process():
    compute()


@task
def total(y: list) -> {"total": float, "whole": object}:
    found = [each for each in y if not isinstance(each, Exception)]
    return {"total": float(sum(each.sum() for each in found)), "whole": numpy.concatenate(found)}


@workflow
def reduce():
    gen_data() | process() | total()


@task
def slow(seconds: float = 600.0) -> {"done": bool}:
    print("sleeping", flush=True)
    time.sleep(seconds)
    return True


@workflow
def sleepy():
    slow()
"""


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Pods:
    """A namespace with an operator in it, and a folder with a pipeline."""

    cluster: Cluster
    namespace: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "HEADWATER_HOME": str(self.folder / "home"),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from headwater.cli.main import main; main()", *words]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def flowctl(self, *words: str) -> Done:
        process = self.start(*words)
        out, err = process.communicate(timeout=300)
        return Done(process.returncode, out, err)

    def here(self, *words: str) -> Done:
        return self.flowctl(*words, "--namespace", self.namespace)


@pytest.fixture(scope="module")
def pods(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    folder = tmp_path_factory.mktemp("pods")
    (folder / "pipeline.py").write_text(PIPELINE)
    (folder / "helpers.py").write_text("def times(a, b):\n    return a * b\n")
    (folder / "config.yml").write_text("survey: {name: deep}\nsecrets: {token: abcdefgh}\n")
    with (
        _held(exclusive=False),
        new_namespace(cluster) as namespace,
        running_operator(cluster, namespace, folder / "operator.log"),
    ):
        yield Pods(cluster, namespace, folder)


def test_a_run_gives_what_it_gives_on_the_laptop(pods: Pods) -> None:
    words = ("run", "pipeline.py:reduce", "-p", "n=15", "--output", "json")
    laptop = pods.flowctl(*words)
    cluster = pods.here(*words, "--backend", "kubernetes")
    assert (laptop.code, cluster.code) == (0, 0), cluster.err
    assert {**cluster.json, "run": ""} == {**laptop.json, "run": ""}
    run = cluster.json["run"]
    (listed,) = (each for each in pods.flowctl("list", "-o", "json").json if each["run"] == run)
    assert (listed["backend"], listed["phase"], listed["failed_items"]) == ("kubernetes", "Succeeded", 1)
    shown = pods.flowctl("show", run, "-o", "json").json
    assert [each["item"] for each in shown["exceptions"]] == [13]
    logs = pods.flowctl("logs", run, "-o", "json").json
    assert "generating 15 for deep" in [each["text"] for each in logs]
    of_item = pods.flowctl("logs", run, "process", "--item", "4", "-o", "json").json
    assert [each["text"] for each in of_item] == ["computing 4"]


def test_submit_wait_prints_the_same_object_and_logs_follow_it(pods: Pods) -> None:
    name = pods.here("submit", "pipeline.py:reduce", "-p", "n=2", "-o", "json").json["run"]
    follower = pods.start("logs", "-f", name, "--namespace", pods.namespace)
    watched = pods.here("watch", name, "-o", "json")
    assert watched.code == 0, watched.err
    assert watched.json["outputs"]["total"] == 2000.0
    out, err = follower.communicate(timeout=120)
    assert follower.returncode == 0, err
    assert "gen-data: generating 2 for deep" in out
    assert "process[1]: computing 1" in out


def test_ctrl_c_cancels_a_run(pods: Pods) -> None:
    process = pods.start(
        "run", "pipeline.py:sleepy", "--backend", "kubernetes", "--namespace", pods.namespace, "-o", "json"
    )
    path = f"/apis/headwater.dev/v1alpha1/namespaces/{pods.namespace}/workflows"

    def sleepy() -> Any:
        listed = pods.cluster.api.get(path)["items"]
        return next((run for run in listed if run["metadata"]["name"].startswith("sleepy-")), None)

    deadline = time.monotonic() + 120
    while ((sleepy() or {}).get("status") or {}).get("phase") != "Running":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["phase"] == "Cancelled"
    assert "Traceback" not in err
    assert sleepy()["spec"]["terminate"] == "Cancel"
    pods.cluster.api.wait(
        f"{path}/{sleepy()['metadata']['name']}", lambda run: run["status"]["phase"] == "Cancelled"
    )
    (listed,) = (each for each in pods.flowctl("list", "-o", "json").json if each["name"] == "sleepy")
    assert listed["phase"] == "Cancelled"


def test_a_retried_run_keeps_what_had_succeeded(pods: Pods) -> None:
    first = pods.here("submit", "pipeline.py:reduce", "-p", "n=3", "--wait", "-o", "json")
    assert first.code == 0, first.err
    again = pods.here("retry", first.json["run"], "--from", "total", "-o", "json").json["run"]
    watched = pods.here("watch", again, "-o", "json")
    assert watched.code == 0, watched.err
    assert watched.json["outputs"] == first.json["outputs"]
    listed = pods.cluster.api.get(f"/api/v1/namespaces/{pods.namespace}/pods")["items"]
    ran = {
        pod["metadata"]["annotations"]["headwater.dev/path"]
        for pod in listed
        if pod["metadata"]["labels"].get("headwater.dev/run") == again
    }
    assert ran == {"total"}


def test_from_python_with_values_of_any_type(pods: Pods) -> None:
    script = (
        "import pipeline\n"
        "result = pipeline.process.run(backend='kubernetes', track=False, xs=(1, 2), factor=3.0)\n"
        "print(result.phase, type(result.outputs['y'][1]).__name__, result.outputs['y'][1][0])\n"
    )
    (pods.folder / "script.py").write_text(script)
    (pods.folder / "config.yml").write_text(
        f"survey: {{name: deep}}\nkubernetes: {{namespace: {pods.namespace}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=pods.folder, env=pods.environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "Succeeded ndarray 6.0", done.stderr
    assert not list(pods.cluster.api.get(f"/api/v1/namespaces/{pods.namespace}/pods",
                                         labelSelector="headwater.dev/kind=fetch")["items"])  # fmt: skip
