"""flowctl against a real API server where no operator runs: the test itself writes what an operator would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from headwater.configuration import config

from tests.cluster.fixtures import CHECKOUT, Cluster

pytestmark = pytest.mark.timeout(300)
WORKFLOWS = "/apis/headwater.dev/v1alpha1/namespaces/{}/workflows"
NODES = {
    "gen-data": {"phase": "Succeeded", "attempts": 1, "at": [100.0, 0.5, 2.0]},
    "process": {
        "phase": "Failed",
        "attempts": 1,
        "at": [103.0, 0.5, 2.0],
        "items": {"total": 3, "succeeded": "0,2", "failed": "1"},
        "error": {
            "type": "MapFailed",
            "message": "1 of 3 items failed: 1",
            "class": "Error",
            "node": "process",
        },
    },
    "total": {"phase": "Skipped", "message": "process failed"},
}


@dataclass
class Place:
    """A namespace, and what the test does to it."""

    cluster: Cluster
    namespace: str

    @property
    def path(self) -> str:
        return WORKFLOWS.format(self.namespace)

    def status(self, name: str, **status: Any) -> None:
        self.cluster.api.patch(f"{self.path}/{name}/status", {"status": status})

    def get(self, name: str) -> Any:
        return self.cluster.api.get(f"{self.path}/{name}")

    def later(self, name: str, *statuses: dict[str, Any], pause: float = 0.6) -> threading.Thread:
        def write() -> None:
            for status in statuses:
                time.sleep(pause)
                self.status(name, **status)

        thread = threading.Thread(target=write)
        thread.start()
        return thread


@pytest.fixture
def place(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    for file in sorted((CHECKOUT / "crds").glob("*.yaml")):
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(file))
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    return Place(cluster, namespace)


@pytest.fixture
def here(flowctl: Callable[..., Any], place: Place) -> Callable[..., Any]:
    """flowctl with the namespace after the command."""
    return lambda *words: flowctl(*words, "--namespace", place.namespace)


def submitted(here: Callable[..., Any], *words: str) -> str:
    return str(here("submit", "pipeline.py", "-o", "json", *words).json["run"])


def test_submit_creates_the_run_and_its_code_and_says_how_to_go_on(
    here: Callable[..., Any], place: Place
) -> None:
    answer = here("submit", "pipeline.py", "-p", "n=4", "--image", "lab/reduce:3")
    assert answer.code == 0, answer.err
    name = answer.out.split()[1]
    assert name.startswith("reduce-")
    assert f"watch {name} --namespace {place.namespace}" in answer.out
    found = place.get(name)
    assert found["spec"]["arguments"] == {"n": 4}
    assert found["spec"]["code"]["image"] == "lab/reduce:3"
    assert found["metadata"]["labels"]["headwater.dev/workflow"] == "reduce"
    code = place.cluster.api.get(
        f"/api/v1/namespaces/{place.namespace}/configmaps/{found['spec']['code']['configMap']}"
    )
    assert code["immutable"] is True
    assert [each["uid"] for each in code["metadata"]["ownerReferences"]] == [found["metadata"]["uid"]]


def test_runs_of_the_same_code_share_it_until_the_last_is_deleted(
    here: Callable[..., Any], place: Place
) -> None:
    first, second = submitted(here), submitted(here)
    path = f"/api/v1/namespaces/{place.namespace}/configmaps/{place.get(first)['spec']['code']['configMap']}"
    assert len(place.cluster.api.get(path)["metadata"]["ownerReferences"]) == 2
    assert here("delete", first, "--yes").code == 0
    place.cluster.api.wait(path, lambda code: len(code["metadata"]["ownerReferences"]) == 1)
    assert here("delete", second, "--yes").code == 0
    deadline = time.monotonic() + 60
    listed = f"/api/v1/namespaces/{place.namespace}/configmaps"
    while any(
        each["metadata"]["name"].startswith("code-") for each in place.cluster.api.get(listed)["items"]
    ):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_wait_prints_what_run_prints_and_ends_with_the_runs_exit_code(
    here: Callable[..., Any], place: Place
) -> None:
    writer = place.later(
        "mine",
        {"phase": "Running", "nodes": {"gen-data": {"phase": "Running", "attempts": 1, "at": [100.0, 0.5]}}},
        {"phase": "Failed", "nodes": NODES, "finishedAt": "2026-01-02T03:04:05Z", "message": "1 of 3 failed"},
        pause=3.0,
    )
    answer = here("submit", "pipeline.py", "--name", "mine", "--wait", "-o", "json")
    writer.join()
    assert answer.code == 1
    assert set(answer.json) == {"run", "phase", "outputs", "nodes", "error"}
    assert (answer.json["run"], answer.json["phase"]) == ("mine", "Failed")
    assert list(answer.json["nodes"]) == ["gen-data", "process", "total"]
    assert answer.json["nodes"]["process"]["items"] == {"total": 3, "succeeded": 2, "failed": 1, "cached": 0}
    assert answer.json["error"] == {
        "node": "process",
        "type": "MapFailed",
        "message": "1 of 3 items failed: 1",
        "class": "Error",
    }


def test_watch_tells_what_happens_and_how_it_ended(here: Callable[..., Any], place: Place) -> None:
    name = submitted(here)
    writer = place.later(
        name,
        {"phase": "Running", "nodes": {"gen-data": {"phase": "Running", "attempts": 1, "at": [100.0, 0.5]}}},
        {"nodes": {"gen-data": NODES["gen-data"]}},
        {"phase": "Succeeded", "outputs": {"total": 6}, "finishedAt": "2026-01-02T03:04:05Z"},
    )
    answer = here("watch", name)
    writer.join()
    assert answer.code == 0
    assert "gen-data: started" in answer.out
    assert "gen-data: succeeded after 2.0 s" in answer.out
    assert "Succeeded in" in answer.out
    assert "total: 6" in answer.out
    assert f"flowctl logs {name} --namespace {place.namespace}" in answer.out.replace("../", "")


def test_ctrl_c_ends_the_following_and_not_the_run(
    here: Callable[..., Any], place: Place, folder: Path
) -> None:
    words = ["submit", "pipeline.py", "--name", "goes-on", "--watch", "--namespace", place.namespace]
    command = [sys.executable, "-c", "from headwater.cli.main import main; main()", *words]
    process = subprocess.Popen(
        command, cwd=folder, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "run goes-on" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes-on goes on in the cluster" in said
    assert "cancel goes-on" in said
    assert "Traceback" not in said
    assert "terminate" not in place.get("goes-on")["spec"]


def test_list_get_and_show(here: Callable[..., Any], flowctl: Callable[..., Any], place: Place) -> None:
    name = submitted(here, "-p", "n=3")
    place.status(
        name, phase="Failed", nodes=NODES, message="1 of 3 failed", finishedAt="2026-01-02T03:04:05Z"
    )
    (listed,) = here("list", "-o", "json").json
    assert (listed["run"], listed["name"], listed["phase"]) == (name, "reduce", "Failed")
    assert {"started_at", "finished_at", "backend", "error"} <= set(listed)
    assert here("list", "--phase", "Succeeded", "-o", "json").json == []
    text = here("get", name).out
    assert "1 of 3 failed" in text
    assert "2/3 items" in text
    assert "MapFailed: 1 of 3 items failed: 1" in text
    whole = here("get", name, "-o", "json").json
    assert whole["kind"] == "Workflow"
    assert "managedFields" not in whole["metadata"]
    assert here("get", "last", "-o", "yaml").out.startswith("apiVersion: headwater.dev/v1alpha1")
    shown = here("show", name, "-o", "json").json
    assert shown["inputs"] == {"n": 3}
    assert shown["nodes"]["process"]["items"]["failed"] == 1
    # A name that this machine does not know is looked for in the cluster: NAMESPACE/NAME.
    assert flowctl("show", f"{place.namespace}/{name}", "-o", "json").json["run"] == name
    with config.override({"backend": "kubernetes", "kubernetes": {"namespace": place.namespace}}):
        assert [each["run"] for each in flowctl("list", "-o", "json").json] == [name]


def test_stop_cancel_suspend_and_resume_change_the_spec(here: Callable[..., Any], place: Place) -> None:
    one, two = submitted(here), submitted(here)
    assert [each["run"] for each in here("suspend", one, two, "-o", "json").json] == [one, two]
    assert place.get(one)["spec"]["suspend"] is True
    assert here("resume", one).code == 0
    assert place.get(one)["spec"]["suspend"] is False
    here("stop", one)
    here("cancel", two)
    assert place.get(one)["spec"]["terminate"] == "Stop"
    assert place.get(two)["spec"]["terminate"] == "Cancel"
    place.status(one, phase="Cancelled")
    ended = here("stop", one)
    assert ended.code == 2
    assert "has ended: Cancelled" in ended.err


def test_retry_and_resume_of_an_ended_run_make_a_new_one_that_adopts_it(
    here: Callable[..., Any], place: Place
) -> None:
    name = submitted(here, "-p", "n=3")
    running = here("retry", name)
    assert running.code == 2
    assert "still pending" in running.err
    place.status(name, phase="Failed", nodes=NODES)
    assert here("retry", name, "--from", "process_data").code == 2
    assert here("retry", name, "--from", "process", "-o", "json").json["run"] == f"{name}-r1"
    found = place.get(f"{name}-r1")
    annotations = found["metadata"]["annotations"]
    assert annotations["headwater.dev/resumes"] == name
    assert annotations["headwater.dev/retry-from"] == "process"
    assert found["spec"] == place.get(name)["spec"]
    assert here("resume", name, "-o", "json").json["run"] == f"{name}-r2"
    assert "headwater.dev/retry-from" not in place.get(f"{name}-r2")["metadata"]["annotations"]
    place.status(name, phase="Succeeded")
    assert "nothing to repeat" in here("retry", name).err


APPROVAL = """
apiVersion: headwater.dev/v1alpha1
kind: Workflow
metadata: {name: publishing}
spec:
  blocks:
  - name: main
    nodes:
    - {name: wait_here, suspend: {approval: {message: publish it}}}
    - {name: also, suspend: {approval: {}}}
    - {name: pause, suspend: {duration: 1h}}
"""


def test_approve_writes_who_said_what(here: Callable[..., Any], place: Place, folder: Path) -> None:
    (folder / "publish.yaml").write_text(APPROVAL)
    name = here("submit", "publish.yaml", "-o", "json").json["run"]
    assert name.startswith("publishing-")
    waiting = {"phase": "Suspended", "waiting": "approval: publish it"}
    place.status(name, phase="Suspended", nodes={"wait_here": waiting, "also": waiting, "pause": waiting})
    wrong = here("approve", name, "pause")
    assert wrong.code == 2
    assert "Waiting: wait_here, also" in wrong.err
    assert here("approve", name, "wait-here").code == 0
    assert here("approve", name, "also", "--refuse", "-o", "json").json["granted"] is False
    answers = json.loads(place.get(name)["metadata"]["annotations"]["headwater.dev/approvals"])
    assert {path: each["granted"] for path, each in answers.items()} == {"wait_here": True, "also": False}
    assert answers["also"]["by"]


def test_refusals_of_the_server_are_told_in_its_words(
    here: Callable[..., Any], flowctl: Callable[..., Any], folder: Path
) -> None:
    taken = here("submit", "pipeline.py", "--name", "mine")
    assert taken.code == 0
    again = here("submit", "pipeline.py", "--name", "mine")
    assert again.code == 2
    assert "there is a run 'mine'" in again.err
    unknown = here("get", "nothing")
    assert unknown.code == 2
    assert "The latest: mine" in unknown.err
    nowhere = flowctl("submit", "pipeline.py", "--namespace", "not-there")
    assert "kubectl create namespace not-there" in nowhere.err
    missing = here("submit", "pipeline.py", "--name", "Not_a_name")
    assert "--name not-a-name" in missing.err


def test_a_document_too_large_says_what_to_do(here: Callable[..., Any], folder: Path) -> None:
    (folder / "large.py").write_text(
        'from headwater import task, workflow\n\n\n@task\ndef size(x: str) -> {"n": int}:\n    return len(x)\n\n\n'
        "@workflow\ndef large():\n    size(x='y' * 4_000_000)\n"
    )
    answer = here("submit", "large.py")
    assert answer.code == 1
    assert "too large" in answer.err
    assert "artifact store" in answer.err


def test_logs_of_a_run_without_pods_say_why(here: Callable[..., Any], place: Place) -> None:
    name = submitted(here)
    assert "no operator has seen it" in here("logs", name).err
    place.status(name, phase="Failed", nodes=NODES)
    answer = here("logs", name, "process")
    assert answer.code == 1
    assert f"flowctl retry {name} --from process" in answer.err
    assert here("logs", name, "nothing").code == 2


def test_doctor_finds_what_is_wrong(here: Callable[..., Any], place: Place) -> None:
    name = submitted(here)
    found = {each["check"]: each for each in here("doctor", "-o", "json").json}
    assert found["API server"]["ok"] is True
    assert found["resources"]["ok"] is True, found["resources"]
    assert found["permissions"]["ok"] is True
    assert name in place.get(name)["metadata"]["name"]


def test_doctor_knows_an_operator_that_looks_after_another_namespace(
    here: Callable[..., Any], place: Place
) -> None:
    lease = {
        "metadata": {
            "name": "headwater-operator-test",
            "annotations": {"headwater.dev/health": json.dumps({"namespace": "elsewhere"})},
        },
        "spec": {"holderIdentity": "somebody", "renewTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"},
    }
    place.cluster.api.post(f"/apis/coordination.k8s.io/v1/namespaces/{place.namespace}/leases", lease)
    found = [each for each in here("doctor", "-o", "json").json if each["check"] == "operator"]
    assert not any("somebody" in each["message"] for each in found)
    assert "elsewhere" in found[-1]["message"]


def test_a_cluster_out_of_reach_and_a_missing_kubeconfig_are_told_with_what_to_do(
    flowctl: Callable[..., Any], folder: Path, place: Place
) -> None:
    gone = folder / "gone.kubeconfig"
    text = place.cluster.kubeconfig.read_text()
    gone.write_text(text.replace(place.cluster.url, "https://127.0.0.1:1"))
    answer = flowctl("submit", "pipeline.py", "--kubeconfig", str(gone))
    assert answer.code == 1
    assert "cannot be reached" in answer.err
    answer = flowctl("submit", "pipeline.py", "--kubeconfig", str(folder / "none"))
    assert answer.code == 2
    assert "there is no kubeconfig" in answer.err
    answer = flowctl("list", "--context", "nowhere")
    assert answer.code == 2
    assert "has no context 'nowhere'" in answer.err
    early = flowctl("submit", "pipeline.py", "--kubeconfig", str(gone), "--wait", "-o", "json")
    assert early.json["error"]["class"] == "Infrastructure"


def test_a_user_without_rights_is_told_which_are_missing(
    flowctl: Callable[..., Any], folder: Path, place: Place
) -> None:
    account = place.cluster.api.post(
        f"/api/v1/namespaces/{place.namespace}/serviceaccounts/default/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )
    import yaml

    known = yaml.safe_load(place.cluster.kubeconfig.read_text())
    known["users"] = [
        {"name": each["name"], "user": {"token": account["status"]["token"]}} for each in known["users"]
    ]
    (folder / "weak").write_text(yaml.safe_dump(known))
    words = ("--kubeconfig", str(folder / "weak"), "--namespace", place.namespace)
    answer = flowctl("submit", "pipeline.py", *words)
    assert answer.code == 1
    assert "may not create workflows.headwater.dev in namespace" in answer.err
    found = {each["check"]: each for each in flowctl("doctor", "-o", "json", *words).json}
    assert found["permissions"]["ok"] is False
    assert "create workflows" in found["permissions"]["message"]


def test_dry_run_prints_the_document_and_submits_nothing(here: Callable[..., Any]) -> None:
    answer = here("submit", "pipeline.py", "--dry-run", "-o", "json")
    assert answer.code == 0
    assert answer.json["kind"] == "Workflow"
    assert answer.json["spec"]["code"]["configMap"].startswith("code-")
    assert here("list", "-o", "json").json == []
