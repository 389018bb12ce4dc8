"""Runs are told what to do from the page as they are by flowctl."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from headwater.backends import compiled_document, run
from headwater.backends.control import mailbox_of
from headwater.configuration import database_url, state_dir
from headwater.records import list_runs, upgrade
from headwater.records.connection import connect
from headwater.records.process import host_name, process_mark
from starlette.testclient import TestClient

from tests.dashboard.conftest import reduce, run_row

Act = Callable[..., httpx.Response]
ASKS = {
    "apiVersion": "headwater.dev/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "asks"},
    "spec": {
        "blocks": [{"name": "main", "nodes": [{"name": "may-i", "suspend": {"approval": {"message": "?"}}}]}]
    },
}
FILE = """
from pathlib import Path
from headwater import task, workflow

@task
def sometimes() -> {"x": int}:
    if not Path("now").exists():
        raise ValueError("not yet")
    return 1

@workflow
def main():
    sometimes()
"""


@pytest.fixture
def act(here: TestClient) -> Act:
    """Ask for an action as the page does."""
    csrf = here.get("/api/v1/me").json()["csrf"]

    def ask(run_id: str, action: str, node: str | None = None) -> httpx.Response:
        answer: httpx.Response = here.post(
            f"/api/v1/runs/{run_id}/actions",
            json={"action": action, "node": node},
            headers={"X-Headwater-CSRF": csrf},
        )
        return answer

    return ask


def until(found: Callable[[], Any]) -> Any:
    """What is found, once there is something."""
    end = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return value


@pytest.fixture
def asking(here: TestClient) -> Iterator[tuple[str, threading.Thread, list[str]]]:
    """A real run that waits for a person, the thread it is in, and how it ended."""
    phases: list[str] = []

    def go() -> None:
        phases.append(run(compiled_document(ASKS), backend="default", check=False).phase)

    thread = threading.Thread(target=go)
    thread.start()
    (item,) = until(lambda: here.get("/api/v1/runs").json()["items"])
    path = f"/api/v1/runs/{item['run_id']}"
    until(lambda: [n for n in here.get(f"{path}/nodes").json()["nodes"] if n["phase"] == "Suspended"])
    yield item["run_id"], thread, phases
    thread.join(30)
    assert not thread.is_alive()


def test_a_node_that_waits_is_approved(asking: Any, act: Act) -> None:
    run_id, thread, phases = asking
    wrong = act(run_id, "approve", "other")
    assert (wrong.status_code, wrong.json()["fix"]) == (409, "Waiting: may-i.")
    assert act(run_id, "approve").status_code == 422
    assert act(run_id, "approve", "may_i").json() == {"message": "may-i approved"}
    thread.join(30)
    assert phases == ["Succeeded"]


def test_a_run_of_this_machine_is_cancelled(asking: Any, act: Act) -> None:
    run_id, thread, phases = asking
    suspended = act(run_id, "suspend")
    assert suspended.status_code == 409
    assert "only those can be suspended" in suspended.json()["message"]
    assert act(run_id, "retry").status_code == 409
    assert act(run_id, "cancel").json() == {"message": f"{run_id}: told to end at once"}
    thread.join(30)
    assert phases == ["Cancelled"]


def test_what_has_ended_cannot_be_stopped(here: TestClient, act: Act) -> None:
    reduce.run(check=False)
    run_id = here.get("/api/v1/runs").json()["items"][0]["run_id"]
    assert act(run_id, "stop").json() == {
        "code": "HW001", "message": f"run {run_id} has ended: Failed", "fix": "There is nothing to do."
    }  # fmt: skip
    assert act("nobody", "stop").status_code == 404
    assert act(run_id, "explode").status_code == 422


def test_a_run_without_a_mailbox_says_where_to_look(act: Act) -> None:
    upgrade(database_url())
    connection = connect(database_url())
    mark = process_mark(1) or ""
    going = {"phase": "Running", "finished_at": None, "host": host_name(), "pid": 1, "process": mark}
    connection.write({"run": [run_row("r1", **going)]})
    connection.close()
    answer = act("r1", "stop")
    assert answer.status_code == 409
    assert answer.json()["message"] == "run r1 is not running on this machine"
    assert not mailbox_of("r1").exists()


def test_a_failed_run_is_retried_in_a_process_of_its_own(
    here: TestClient, act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "later.py").write_text(FILE)
    from headwater.cli.targets import find_target

    monkeypatch.syspath_prepend(str(tmp_path))
    found = find_target(str(tmp_path / "later.py"))
    failed = run(found.compiled, backend="default", check=False, target=found.target)
    (tmp_path / "now").touch()
    answer = act(failed.run_id, "retry")
    assert answer.json()["message"].startswith(f"a new run goes on from {failed.run_id}")
    again = until(lambda: [each for each in list_runs(database_url()) if each.resumed_from and each.ended])
    assert [(each.resumed_from, each.phase) for each in again] == [(failed.run_id, "Succeeded")]
    assert act(again[0].run_id, "retry").status_code == 409


def test_a_retry_of_a_node_that_is_not_there_is_refused(here: TestClient, act: Act) -> None:
    reduce.run(check=False)
    run_id = here.get("/api/v1/runs").json()["items"][0]["run_id"]
    answer = act(run_id, "retry", "nowhere")
    assert answer.status_code == 409
    assert answer.json()["message"] == f"there is no node 'nowhere' in {run_id}"
    assert answer.json()["fix"] == "Nodes: gen, halves."


def test_a_retry_that_is_asked_for_twice_is_made_once(
    here: TestClient, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    reduce.run(check=False)
    run_id = here.get("/api/v1/runs").json()["items"][0]["run_id"]
    monkeypatch.setattr(
        "headwater_dashboard.actions._FLOWCTL", "import os; os.read(os.open(os.environ['GO'], 0), 1)"
    )
    gate = state_dir() / "gate"
    os.mkfifo(gate)
    monkeypatch.setenv("GO", str(gate))
    assert act(run_id, "retry").status_code == 200
    again = act(run_id, "retry")
    assert again.status_code == 409
    assert again.json()["message"] == f"a new run goes on from {run_id} already"
    assert act(run_id, "retry", "halves").status_code == 200
    with gate.open("wb") as opened:  # both have come to the gate, or come to it later
        opened.write(b"go")


def test_who_approves_a_run_of_a_cluster_is_the_user_of_the_page(
    here: TestClient, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(database_url())
    connection = connect(database_url())
    going = {"phase": "Running", "finished_at": None, "backend": "kubernetes", "namespace": "lab"}
    connection.write({"run": [run_row("u1", **going)]})
    connection.close()
    answers: list[str] = []

    def approve(_cluster: object, _name: str, node: str, *, by: str) -> dict[str, str]:
        answers.append(by)
        return {"node": node}

    monkeypatch.setattr("headwater.backends.kubernetes.control.approve", approve)
    workflow = {"metadata": {"name": "asks"}}
    monkeypatch.setattr("headwater_dashboard.clusters.workflow_of", lambda _: (None, workflow))
    assert act("u1", "approve", "may-i").json() == {"message": "may-i approved"}
    assert answers == [here.get("/api/v1/me").json()["user"]]
