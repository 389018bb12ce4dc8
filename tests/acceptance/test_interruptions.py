"""Killing, interrupting and steering runs: nothing hangs, nothing is lost, the records say what happened."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

PIPELINE = """
import threading
from pathlib import Path

from headwater import MapWorkflow, task, workflow

HERE = Path(__file__).parent


@task
def first() -> {"xs": list[int]}:
    with open(HERE / "first", "a") as file:
        file.write("x")
    return [1, 2, 3]


@task
def wait(x: int) -> {"y": int}:
    print("waiting", flush=True)
    if not Path(HERE, "go").exists():
        threading.Event().wait(60)
    return 2 * x


@MapWorkflow.as_workflow(map_on={"xs": "x"})
def slow():
    wait()


@task
def total(y: list) -> {"total": int}:
    return sum(y)


@workflow
def flow():
    first() | slow() | total()
"""


@pytest.fixture
def started(shell, until):
    """A run that is in the middle of its map."""
    shell.write("pipeline.py", PIPELINE)

    def start(backend: str):
        process = shell.start("run", "pipeline.py", "--backend", backend)
        until(process, "waiting")
        return process

    return start


def _wait_for_records(shell, node: str, phase: str) -> None:
    """Records are written in batches, at most a second late."""
    for _ in range(30):
        shown = shell("show", "last", "-o", "json")
        if shown.returncode == 0 and f'"{node}": {{\n      "phase": "{phase}"' in shown.stdout:
            return
    raise AssertionError(shown.stdout + shown.stderr)


def _descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


@pytest.mark.parametrize("backend", ["default", "parallel"])
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_run(started, shell, backend: str, sent: signal.Signals, code: int) -> None:
    process = started(backend)
    workers = _descendants(process.pid)
    process.send_signal(sent)
    said = process.communicate(timeout=10)[0]
    assert process.returncode == code
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
    found = shell.json("show", "last")
    assert found["phase"] == "Cancelled"
    phases = {path: node["phase"] for path, node in found["nodes"].items()}
    assert phases == {"first": "Succeeded", "slow": "Cancelled", "total": "Cancelled"}


def test_a_task_that_catches_everything_does_not_keep_the_run(shell, until) -> None:
    shell.write(
        "pipeline.py",
        "import threading\n\nfrom headwater import task, workflow\n\n\n"
        '@task\ndef stubborn() -> {"y": int}:\n    print("waiting", flush=True)\n    while True:\n'
        "        try:\n            threading.Event().wait(60)\n        except BaseException:\n            pass\n\n\n"
        "@workflow\ndef flow():\n    stubborn()\n",
    )
    process = shell.start("run", "pipeline.py")
    until(process, "waiting")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143
    assert shell.json("show", "last")["phase"] == "Cancelled"


@pytest.mark.parametrize("backend", ["default", "parallel"])
def test_a_killed_run_is_lost_and_can_be_resumed(started, shell, tmp_path: Path, backend: str) -> None:
    process = started(backend)
    workers = _descendants(process.pid)
    _wait_for_records(shell, "first", "Succeeded")
    process.kill()
    process.wait()
    assert shell.json("list")[0]["phase"] == "Lost"
    _, alive = psutil.wait_procs(workers, timeout=15)
    assert alive == []
    (tmp_path / "go").touch()
    resumed = shell("resume", "last")
    assert resumed.returncode == 0, resumed.stderr
    assert "total: 12" in resumed.stdout
    assert (tmp_path / "first").read_text() == "x"


def test_a_run_that_goes_on_is_not_resumed(started, shell) -> None:
    started("default")
    _wait_for_records(shell, "slow", "Running")
    refused = shell("resume", "last")
    assert refused.returncode == 2
    assert "is still running" in refused.stderr


@pytest.mark.parametrize("backend", ["default", "parallel"])
def test_cancel_from_another_process(started, shell, backend: str) -> None:
    process = started(backend)
    _wait_for_records(shell, "slow", "Running")
    assert shell("cancel", "last").returncode == 0
    process.communicate(timeout=15)
    assert process.returncode == 1
    assert shell.json("show", "last")["phase"] == "Cancelled"


def test_stop_from_another_process_lets_end_what_runs(started, shell, tmp_path: Path) -> None:
    process = started("parallel")
    _wait_for_records(shell, "slow", "Running")
    assert shell("stop", "last").returncode == 0
    # What runs now may end; what has not begun does not begin.
    (tmp_path / "go").touch()
    assert shell("cancel", "last").returncode == 0
    process.communicate(timeout=15)
    assert shell.json("show", "last")["nodes"]["total"]["phase"] == "Cancelled"


APPROVAL = """
apiVersion: headwater.dev/v1alpha1
kind: Workflow
metadata: {name: release}
spec:
  entrypoint: main
  blocks:
  - name: main
    nodes:
    - {name: ask, suspend: {approval: {message: "publish it?"}}}
    - {name: publish, task: "pipeline:publish", dependsOn: [ask]}
"""


@pytest.mark.parametrize(("answer", "phase", "code"), [([], "Succeeded", 0), (["--reject"], "Failed", 1)])
def test_an_approval_comes_from_another_process(shell, until, answer, phase: str, code: int) -> None:
    shell.write(
        "pipeline.py",
        'from headwater import task\n\n@task\ndef publish() -> {"done": bool}:\n    return True\n',
    )
    shell.write("release.yaml", APPROVAL)
    process = shell.start("run", "release.yaml")
    assert "publish it?" in until(process, "flowctl approve")
    refused = shell("approve", "last", "publish")
    assert refused.returncode == 2
    assert "Waiting: ask" in refused.stderr
    assert shell("approve", "last", "ask", *answer).returncode == 0
    process.communicate(timeout=15)
    assert process.returncode == code
    assert shell.json("show", "last")["phase"] == phase
