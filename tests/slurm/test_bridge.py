"""The bridge on the real Slurm, without an operator: every transport, killed and started again, cancelled."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from headwater.document.unit import UnitSpec, read_report
from headwater.values.codec import decode, encode
from headwater.values.store import ArtifactStore

from tests.slurm.bridges import Pod, rest_of, said_until, unit_of
from tests.slurm.connections import Tunnel
from tests.slurm.jobs import TRANSPORTS, unique, until
from tests.slurm.login_node import login_node
from tests.slurm.places import Slot


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_task_runs_there_and_its_outputs_come_back(slurm: Slot, tmp_path: Path, transport: str) -> None:
    pod = Pod(tmp_path, slurm, transport, unit_of(tmp_path, unique("task")))
    code, report, said = pod.run()
    assert (code, report.outputs) == (0, {"y": {"json": 8}}), said
    assert transport == "rest" or "doubling 4" in said


def test_a_map_is_one_array_and_each_item_tells_how_it_went(
    slurm: Slot, tmp_path: Path, transport: str
) -> None:
    unit = unit_of(
        tmp_path, unique("map"), does="items", xs=[1, 13, 3, 4, 5], items="0-4", per_pod=2,
        over={"x": {"json": [1, 13, 3, 4, 5]}},
    )  # fmt: skip
    code, report, said = Pod(tmp_path, slurm, transport, unit).run()
    assert (code, report.items, report.failed_items) == (1, "0,2-4", "1"), said
    assert report.failed[1]["type"] == "ValueError"
    assert report.results is not None
    assert {i: outputs and outputs["y"] for i, outputs in report.results.items() if i != 1} == {
        0: {"json": 2}, 2: {"json": 6}, 3: {"json": 8}, 4: {"json": 10},
    }  # fmt: skip


def test_how_many_tasks_run_at_once_changes_while_they_do(slurm: Slot, tmp_path: Path) -> None:
    xs = list(range(20, 32))
    unit = unit_of(
        tmp_path, unique("limited"), does="items", xs=xs, items="0-11", per_pod=1, inputs={"seconds": 3},
        over={"x": {"json": xs}},
    )  # fmt: skip
    pod = Pod(tmp_path, slurm, "local", unit, parallelism=1)
    told = tmp_path / "limit"
    told.write_text("1")
    process = pod.start()
    until(lambda: len(pod.runs()) == 1)
    told.write_text("4")
    until(lambda: _throttle(unit.name) == "4")
    process.kill()  # the next one does not know what the array was given
    process.communicate()
    told.write_text("")
    code, report, said = pod.run()
    assert (code, report.items) == (0, "0-11"), said
    assert "as many tasks as can at once from now on" in said
    assert pod.runs() == {f"ran-{x}": "x" for x in xs}


def _throttle(name: str) -> str:
    shown = subprocess.run(["squeue", "-h", "--name", name, "-o", "%i"], capture_output=True, text=True)
    return shown.stdout.partition("%")[2].partition("]")[0]


def test_what_the_user_raised_is_the_failure(slurm: Slot, tmp_path: Path) -> None:
    unit = unit_of(tmp_path, unique("raises"), inputs={"x": 13})
    code, report, _ = Pod(tmp_path, slurm, "local", unit).run()
    assert code == 1
    assert report.failure is not None
    assert (report.failure["type"], report.failure["message"]) == ("ValueError", "13 is not doubled")


def test_a_dead_worker_names_job_and_exit_code(slurm: Slot, tmp_path: Path) -> None:
    unit = unit_of(tmp_path, unique("dies"), inputs={"x": 66})
    _, report, _ = Pod(tmp_path, slurm, "local", unit).run()
    assert report.failure is not None
    assert report.failure["class"] == "Error"
    assert "exited with code 9 (Slurm job" in report.failure["message"]


def test_over_time_is_a_timeout(slurm: Slot, tmp_path: Path) -> None:
    unit = unit_of(tmp_path, unique("late"), inputs={"seconds": 300})
    pod = Pod(tmp_path, slurm, "local", unit, partition="short", time=1)
    _, report, said = pod.run()
    assert report.failure is not None, said
    assert report.failure["class"] == "Timeout"


def test_what_the_cluster_cannot_give_is_refused(slurm: Slot, tmp_path: Path, transport: str) -> None:
    pod = Pod(tmp_path, slurm, transport, unit_of(tmp_path, unique("refused")), partition="nowhere")
    _, report, _ = pod.run()
    assert report.failure is not None
    assert report.failure["class"] == "InvalidSpec"
    assert "It has: debug" in report.failure["message"]


def test_sigterm_detaches_and_the_next_bridge_goes_on(slurm: Slot, tmp_path: Path, transport: str) -> None:
    pod = Pod(tmp_path, slurm, transport, unit_of(tmp_path, unique("detached"), inputs={"seconds": 3}))
    first = pod.start()
    until(lambda: pod.runs() != {})
    first.send_signal(signal.SIGTERM)
    said, _ = first.communicate(timeout=20)
    assert (first.returncode, pod.report.exists()) == (143, False), said
    code, report, _ = pod.run()
    assert (code, report.outputs, pod.runs()) == (0, {"y": {"json": 8}}, {"ran-4": "x"})


def test_a_login_node_that_is_away_for_a_while_costs_nothing(slurm: Slot, tmp_path: Path) -> None:
    with Tunnel(slurm.ssh) as tunnel:
        node = tunnel.login_node(login_node(slurm), tmp_path / "tunnel")
        unit = unit_of(tmp_path, unique("away"), inputs={"seconds": 2})
        pod = Pod(tmp_path, slurm, "ssh", unit, node)
        process = pod.start()
        until(lambda: pod.runs() != {})
        with tunnel.away():
            until(lambda: pod.has_ended(1))
            said = said_until(process, f"no connection to {node.endpoint.rpartition(':')[0]}")
        said += rest_of(process)
        report = read_report(pod.report.read_text())
        assert (process.returncode, report.outputs, pod.runs()) == (0, {"y": {"json": 8}}, {"ran-4": "x"}), (
            said
        )


@pytest.mark.parametrize("seed", range(3))
def test_a_connection_that_is_cut_again_and_again_makes_no_second_job(
    slurm: Slot, tmp_path: Path, seed: int
) -> None:
    moments = random.Random(seed)
    xs = list(range(20, 24))
    unit = unit_of(
        tmp_path, unique("cuts"), does="items", xs=xs, items="0-3", per_pod=2, inputs={"seconds": 0.5},
        over={"x": {"json": xs}},
    )  # fmt: skip
    with Tunnel(slurm.ssh) as tunnel:
        node = tunnel.login_node(login_node(slurm), tmp_path / "tunnel")
        pod = Pod(tmp_path, slurm, "ssh", unit, node)
        process = pod.start()
        for _ in range(6):
            time.sleep(moments.uniform(0.1, 0.8))
            tunnel.cut()
        said = rest_of(process)
    report = read_report(pod.report.read_text())
    assert (process.returncode, report.items) == (0, "0-3"), said
    assert pod.runs() == {f"ran-{x}": "x" for x in xs}


def test_cancel_ends_a_job_that_an_earlier_bridge_has_submitted(slurm: Slot, tmp_path: Path) -> None:
    pod = Pod(tmp_path, slurm, "local", unit_of(tmp_path, unique("cancelled"), inputs={"seconds": 300}))
    first = pod.start()
    until(lambda: pod.runs() != {})
    first.kill()
    first.communicate()
    said, _ = pod.start("cancel").communicate(timeout=30)
    assert "cancelled Slurm job" in said
    _, report, _ = pod.run()
    assert report.failure is not None
    assert "was cancelled by somebody else" in report.failure["message"]


KILLS = int(os.environ.get("HEADWATER_CHAOS_KILLS", "6"))
KILLS_OF_A_RUN = 3


@pytest.mark.timeout(120 + 10 * KILLS)
def test_killed_at_any_moment_no_job_runs_twice_and_no_result_is_lost(slurm: Slot, tmp_path: Path) -> None:
    """A short version; `HEADWATER_CHAOS_KILLS=100` makes it long. Each few kills are of a job of their own."""
    moments = random.Random(6)
    xs = list(range(20, 24))
    killed = 0
    for number in itertools.count():
        if killed >= KILLS:
            return
        folder = tmp_path / str(number)
        folder.mkdir()
        unit = unit_of(
            folder, unique("killed"), does="items", xs=xs, items="0-3", per_pod=2, inputs={"seconds": 0.5},
            over={"x": {"json": xs}},
        )  # fmt: skip
        pod = Pod(folder, slurm, "local", unit)
        for _ in range(KILLS_OF_A_RUN):
            killed += pod.killed_after(moments.uniform(0.1, 1.5))
        _, report, said = pod.run()
        assert report.items == "0-3", said
        assert pod.runs() == {f"ran-{x}": "x" for x in xs}


def test_values_are_carried_between_the_claim_of_the_pods_and_the_cluster(
    slurm: Slot, tmp_path: Path
) -> None:
    store = ArtifactStore(tmp_path / "claim")
    large = os.urandom(100_000)
    nodes = [
        {"name": "grows", "task": "bridged_code:grows", "outputs": {"y": {}}, "inputs": {"x": {"value": 0}}}
    ]
    document = {"blocks": [{"name": "main", "nodes": nodes}], "code": {"configMap": "code-test"}}
    unit = UnitSpec(
        "u1", unique("carried"), "grows", 1, "task", document, node="grows",
        inputs={"x": encode(large, store)}, store=store.url,
    )  # fmt: skip
    _, report, said = Pod(tmp_path, slurm, "ssh", unit).run()
    assert report.outputs is not None, said
    assert decode(report.outputs["y"], store) == large + large
    assert (tmp_path / "work" / "store" / "sha256").is_dir()
