"""Runs of a real cluster on the dashboard: mirrored by a real operator, their logs from real pods."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from headwater.records.log_files import log_file
from headwater_dashboard.options import Options

from tests.cluster.workflows import Run, until_true
from tests.dashboard.conftest import AT_ONCE, served
from tests.dashboard.on_cluster import GOES_ON, GREETS, SAYS, TOO_LARGE, WAITS, Place

READS_LOGS = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}

pytestmark = [pytest.mark.xdist_group("dashboard-cluster"), pytest.mark.timeout(300)]


@dataclass
class Shown:
    """The dashboard, as a client asks it."""

    client: httpx.Client

    def get(self, path: str, /, **query: Any) -> Any:
        answer = self.client.get(f"/api/v1/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, run: Run) -> str:
        """The id of a run, once it is mirrored."""
        until_true(lambda: self.get("runs", text=run.name)["items"], f"{run.name} is not mirrored")
        (found,) = self.get("runs", text=run.name)["items"]
        return str(found["run_id"])

    def act(self, run_id: str, action: str, node: str | None = None) -> httpx.Response:
        csrf = self.get("me")["csrf"]
        return self.client.post(
            f"/api/v1/runs/{run_id}/actions",
            json={"action": action, "node": node},
            headers={"X-Headwater-CSRF": csrf},
        )

    def until(self, run_id: str, phase: str) -> None:
        until_true(lambda: self.get(f"runs/{run_id}")["phase"] == phase, f"{run_id} is not {phase}", 120)

    def until_log(self, run_id: str, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        until_true(lambda: holds(self.get(f"runs/{run_id}/logs")), "the log is not as wanted", 120)
        found: dict[str, Any] = self.get(f"runs/{run_id}/logs")
        return found


@contextmanager
def dashboard(place: Place, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Shown]:
    monkeypatch.setenv("KUBECONFIG", str(place.cluster.kubeconfig))
    with (
        served(Options(place.database, requests_per_second=AT_ONCE, **options)) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield Shown(client)


@pytest.fixture
def shown(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    with dashboard(place, monkeypatch) as found:
        yield found


def test_what_pods_print_is_followed_and_kept_when_they_are_gone(place: Place, shown: Shown) -> None:
    run = place.run(SAYS)
    run_id = shown.run(run)
    whole = shown.until_log(run_id, lambda log: log["complete"])
    assert whole["text"].endswith("say: <b>hello</b>\n")
    run.ended("Succeeded")
    place.cluster.api.delete(run.path)
    run.until_no_pod_runs()
    assert shown.get(f"runs/{run_id}/logs")["text"] == whole["text"]
    assert shown.get(f"runs/{run_id}/logs", path="say")["text"] == whole["text"]


def test_a_log_grows_while_the_pod_prints_and_the_stream_ends_with_the_run(
    place: Place, shown: Shown
) -> None:
    run = place.run(GOES_ON)
    run_id = shown.run(run)
    said = ""
    with shown.client.stream("GET", f"/api/v1/runs/{run_id}/logs/stream", timeout=120) as answer:
        event = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "log":
                said += json.loads(line.removeprefix("data: "))["text"]
                assert "first: begun" in said
                assert shown.act(run_id, "cancel").json() == {"message": f"{run.name}: told to end at once"}
            elif event == "end":
                break
    assert "first: begun" in said
    shown.until(run_id, "Cancelled")
    assert not list(log_file(run_id).parent.glob(".*.part"))


def test_why_there_is_no_log_is_said(place: Place, shown: Shown) -> None:
    run = place.run(SAYS)
    run_id = shown.run(run)
    run.ended("Succeeded")
    shown.until(run_id, "Succeeded")
    place.cluster.api.delete(run.path)
    until_true(lambda: run.name not in str(place.cluster.api.get(run.path.rpartition("/")[0])), "it stays")
    gone = shown.until_log(run_id, lambda log: log["note"])
    assert gone["text"] == ""
    assert run.name in gone["note"]
    shown.until_log(run_id, lambda log: log["complete"])


def test_logs_are_kept_though_nobody_looks(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with dashboard(place, monkeypatch, keep_logs=True) as shown:
        run = place.run(SAYS)
        run_id = shown.run(run)
        until_true(log_file(run_id).exists, "the log is not kept", 120)
        assert "<b>hello</b>" in log_file(run_id).read_text()


def test_a_run_that_waits_is_approved(place: Place, shown: Shown) -> None:
    run = place.run(WAITS)
    run_id = shown.run(run)
    run.until_node("gate", "Suspended")
    answer = shown.act(run_id, "approve", "gate")
    assert answer.status_code == 200, answer.text
    run.ended("Succeeded")
    shown.until(run_id, "Succeeded")


def test_a_run_is_suspended_goes_on_and_is_repeated(place: Place, shown: Shown) -> None:
    run = place.run(WAITS)
    run_id = shown.run(run)
    assert shown.act(run_id, "suspend").status_code == 200
    run.until(lambda _: run.spec.get("suspend") is True)
    assert shown.act(run_id, "resume").status_code == 200
    run.until(lambda _: not run.spec.get("suspend"))
    shown.act(run_id, "cancel")
    run.ended("Cancelled")
    told = shown.act(run_id, "retry").json()["message"]
    again = Run(place.cluster, place.namespace, told.partition(" ")[0])
    again.until_node("gate", "Suspended")
    shown.act(shown.run(again), "cancel")
    again.ended("Cancelled")


def test_an_action_on_a_run_that_is_no_more_says_so(place: Place, shown: Shown) -> None:
    run = place.run(SAYS)
    run_id = shown.run(run)
    run.ended("Succeeded")
    place.cluster.api.delete(run.path)
    until_true(lambda: run.name not in str(place.cluster.api.get(run.path.rpartition("/")[0])), "it stays")
    answer = shown.act(run_id, "retry")
    assert answer.status_code == 409
    assert f"there is no run '{run.name}'" in answer.json()["message"]


def test_a_node_that_waits_for_a_machine_says_what_would_fit(place: Place, shown: Shown) -> None:
    run = place.run(TOO_LARGE)
    run_id = shown.run(run)

    def node() -> dict[str, Any]:
        (found,) = shown.get(f"runs/{run_id}/nodes")["nodes"]
        return dict(found)

    until_true(lambda: "640" in node()["message"], "it does not say why it waits", 60)
    run.change(terminate="Cancel")
    run.ended("Cancelled")


def test_people_see_and_change_what_the_cluster_lets_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{place.namespace}"
    rule = {"apiGroups": ["headwater.dev"], "resources": ["workflows"], "verbs": ["get"]}
    place.cluster.api.post(f"{rbac}/roles", {"metadata": {"name": "looks"}, "rules": [rule]})
    subjects = [{"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}
                for kind, name in (("User", "ada"), ("Group", "astronomers"))]  # fmt: skip
    role = {"kind": "Role", "name": "looks", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": "looks"}, "roleRef": role, "subjects": subjects}
    place.cluster.api.post(f"{rbac}/rolebindings", binding)
    run = place.run(WAITS)
    with dashboard(place, monkeypatch, trust_proxy_headers=True, per_namespace=True) as shown:
        shown.client.headers["X-Forwarded-User"] = "ada"
        run_id = shown.run(run)
        assert shown.get("names")["namespaces"] == [place.namespace]
        assert sum(shown.get("stats")["phases"].values()) >= 1
        for path in ("/logs", "/logs/stream", "/logs/matches?text=x"):
            closed = shown.client.get(f"/api/v1/runs/{run_id}{path}")
            assert closed.status_code == 403
            assert closed.json()["message"] == f"ada may not get pods/log in namespace {place.namespace!r}"
        place.cluster.api.patch(f"{rbac}/roles/looks", {"rules": [rule, READS_LOGS]})
        until_true(
            lambda: shown.client.get(f"/api/v1/runs/{run_id}/logs").status_code == 200, "it stays shut"
        )
        refused = shown.act(run_id, "cancel")
        assert refused.status_code == 403
        assert refused.json()["message"] == (f"ada may not patch workflows in namespace {place.namespace!r}")
        shown.client.headers["X-Forwarded-User"] = "bob"
        assert shown.get("runs")["items"] == []
        assert shown.get("runs", text=run_id)["items"] == []
        assert shown.get("stats")["phases"] == {}
        assert shown.get("names") == {key: [] for key in shown.get("names")}
        for path in ("", "/nodes", "/logs", "/logs/stream", "/stream", "/events", "/document"):
            assert shown.client.get(f"/api/v1/runs/{run_id}{path}").status_code == 404
        assert shown.act(run_id, "cancel").status_code == 404
        shown.client.headers["X-Forwarded-Groups"] = "students, astronomers"
        assert shown.get(f"runs/{run_id}")["name"] == run.name
    run.change(terminate="Cancel")
    run.ended("Cancelled")


def test_a_template_is_run_with_arguments_that_are_checked(place: Place, shown: Shown) -> None:
    place.create_template("greeting", GREETS, version=3, description="Says hello")
    (listed,) = (each for each in shown.get("templates")["items"] if each["namespace"] == place.namespace)
    assert (listed["name"], listed["version"], listed["description"]) == ("greeting", 3, "Says hello")
    assert listed["inputs"]["who"]["default"] == "nobody"

    def submit(**arguments: object) -> httpx.Response:
        return shown.client.post(
            f"/api/v1/templates/{place.namespace}/greeting",
            json={"arguments": arguments},
            headers={"X-Headwater-CSRF": shown.get("me")["csrf"]},
        )

    refused = submit(who="ada", often=2)
    assert refused.status_code == 409
    assert refused.json()["message"] == (
        "greeting cannot be run: it has no input 'often'; the input 'times' is missing"
    )
    assert "must be int; got str" in submit(times="two").json()["message"]
    created = submit(who="ada", times=2).json()
    Run(place.cluster, place.namespace, created["name"]).ended("Succeeded")
    log = shown.until_log(created["run_id"], lambda log: log["complete"])
    assert log["text"].count("greet: hello ada") == 2
