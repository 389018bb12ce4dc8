"""Whatever happens to Slurm, to a job or to the submitting process: no item runs twice for one attempt, no result is
lost, nothing waits for ever, and what a person has to know is said.

The seed of what is random is in the test's name; `HEADWATER_CHAOS=1` runs all of it, and more rounds.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.chaos.slurm.runs import ONCE, Run, give_nodes_back, restart_controller, scontrol
from tests.slurm import cluster, daemons
from tests.slurm.jobs import until
from tests.slurm.places import Slot

ROUNDS = 10 if os.environ.get("HEADWATER_CHAOS") else 2

pytestmark = pytest.mark.timeout(400)
"""A controller that has forgotten jobs finds out after a minute that nodes have them, and goes on only then."""


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_submitting_process_is_killed_again_and_again(slurm: Slot, tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    run = Run(tmp_path, 2)
    until(run.has_begun, 150)
    process = run.process
    for _ in range(3):
        time.sleep(moments.uniform(0, 1.5))
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        process = run.flowctl("resume", run.latest(), "-b", "slurm")
    code, said = run.end(process)
    assert code == 0 or "succeeded: there is nothing to resume" in said, (
        said
    )  # it was killed after its last word
    assert run.runs() == ONCE


def test_an_administrator_cancels_a_task(slurm: Slot, tmp_path: Path) -> None:
    run = Run(tmp_path, 6)
    until(run.has_begun, 150)
    cancelled = run.jobs()[0]
    subprocess.run(["scancel", cancelled], check=True)
    code, said = run.end()
    assert code == 0, said  # the map tolerates a failed item, and shows it
    assert "3 of 4 items" in said
    shown = run.end(run.flowctl("show", run.latest()))[1]
    assert "was cancelled by somebody else (scancel)" in shown.replace("\n", " ")


def test_an_administrator_requeues_a_task(slurm: Slot, tmp_path: Path) -> None:
    run = Run(tmp_path, 3)
    until(lambda: run.has_begun(4), 150)
    requeued = run.jobs()[0]
    scontrol("update", f"jobid={requeued}", "requeue=1")
    scontrol("requeue", requeued)
    code, said = run.end()
    assert code == 0, said
    assert sorted(map(len, run.runs().values())) in ([1, 1, 1, 1], [1, 1, 1, 2])  # Slurm itself runs it again


def test_the_controller_is_restarted(alone: Slot, tmp_path: Path) -> None:
    run = Run(tmp_path, 4)
    until(run.has_begun, 150)
    restart_controller(alone, signal.SIGTERM)
    code, said = run.end()
    assert code == 0, said
    assert run.runs() == ONCE


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_controller_is_killed(alone: Slot, tmp_path: Path, seed: int) -> None:
    run = Run(tmp_path, 3)
    until(lambda: run.traces.exists())
    time.sleep(random.Random(seed).uniform(0, 6))
    restart_controller(alone, signal.SIGKILL)
    give_nodes_back()
    code, said = run.end()
    assert code == 0, said
    assert set(run.runs()) == set(ONCE), run.told()


def test_a_node_fails(alone: Slot, tmp_path: Path) -> None:
    run = Run(tmp_path, 5)
    until(lambda: run.has_begun(4), 150)
    for index in (1, 2):
        daemon = daemons.find(f"slurmd-{alone.node(index)}")
        assert daemon is not None
        daemon.end(signal.SIGKILL)
        cluster.start_node(alone, index)
    code, said = run.end()
    assert code == 0, said
    assert set(run.runs()) == set(ONCE), run.told()


def test_a_node_is_lost_for_good_with_all_that_ran_on_it(alone: Slot, tmp_path: Path) -> None:
    run = Run(tmp_path, 8)
    until(lambda: run.has_begun(4), 150)
    lost = alone.node(1)
    scontrol("update", f"nodename={lost}", "state=drain", "reason=chaos")  # what comes next goes elsewhere
    daemon = daemons.find(f"slurmd-{lost}")
    assert daemon is not None
    daemon.end(signal.SIGKILL)
    steps = daemons.steps_on(lost)
    assert steps
    for process in steps:
        os.kill(process, signal.SIGKILL)
    code, said = run.end()
    assert code == 0, said
    assert set(run.runs()) == set(ONCE), run.told()
    assert all(len(times) <= 2 for times in run.runs().values())  # once for each attempt


def test_nodes_are_drained_and_given_back(alone: Slot, tmp_path: Path) -> None:
    names = f"{alone.node(1)},{alone.node(2)}"
    scontrol("update", f"nodename={names}", "state=drain", "reason=chaos")
    run = Run(tmp_path, 0)
    until(lambda: "down, drained or reserved" in run.log())
    scontrol("update", f"nodename={names}", "state=resume")
    code, said = run.end()
    assert code == 0, said
    assert run.runs() == ONCE
