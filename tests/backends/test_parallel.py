"""What only the parallel backend can do: lose a worker and go on."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from headwater import MapWorkflow, Workflow, task
from headwater.errors import WorkerDied


@task
def dies(x: int) -> {"y": int}:
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


@task(retries=2)
def dies_at_first(x: int, scratch: str) -> {"y": int}:
    path = Path(scratch) / str(x)
    with path.open("a") as file:
        file.write("x")
    if x == 1 and len(path.read_text()) < 3:
        os._exit(3)
    return x


def test_a_dead_worker_fails_its_item_only() -> None:
    with MapWorkflow(map_on={"xs": "x"}) as m:
        dies()
    result = m.run(backend="parallel", xs=list(range(6)))
    (died,) = [each for each in result.outputs["y"] if isinstance(each, WorkerDied)]
    assert str(died) == "the worker process was killed by signal 9 (SIGKILL)"
    assert [each for each in result.outputs["y"] if each is not died] == [0, 1, 2, 4, 5]


def test_a_task_whose_worker_died_is_retried(tmp_path: Path) -> None:
    with Workflow() as w:
        dies_at_first(scratch=str(tmp_path))
    result = w.run(backend="parallel", x=1)
    assert result.outputs == {"y": 1}
    assert result.nodes["dies_at_first"].attempts == 3


def test_a_retried_task_in_a_map_is_retried_when_its_worker_dies(tmp_path: Path) -> None:
    with MapWorkflow(map_on={"xs": "x"}) as m:
        dies_at_first(scratch=str(tmp_path))
    result = m.run(backend="parallel", xs=[0, 1, 2])
    assert result.outputs == {"y": [0, 1, 2]}
    assert (tmp_path / "1").read_text() == "xxx"


def test_a_retried_task_in_a_map_fails_when_its_worker_dies_too_often(tmp_path: Path) -> None:
    @task(retries=1)
    def always(x: int, scratch: str) -> {"y": int}:
        with (Path(scratch) / str(x)).open("a") as file:
            file.write("x")
        if x == 1:
            os._exit(3)
        return x

    with MapWorkflow(map_on={"xs": "x"}) as m:
        always(scratch=str(tmp_path))
    result = m.run(backend="parallel", xs=[0, 1, 2])
    assert isinstance(result.outputs["y"][1], WorkerDied)
    assert (tmp_path / "1").read_text() == "xx"


def test_a_forked_child_has_the_usual_signal_handlers() -> None:
    @task
    def fork() -> {"status": int}:
        ready, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(write, b"!")
            signal.pause()
            os._exit(0)
        os.read(ready, 1)
        os.kill(pid, signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    with Workflow() as w:
        fork()
    for backend in ("default", "parallel"):
        assert w.run(backend=backend).outputs == {"status": -signal.SIGTERM}


@task
def keeps_a_lock(kept: bool = True) -> {"y": int, "lock": object}:
    return {"y": 1, "lock": threading.Lock()}


def test_an_output_that_cannot_travel_is_named_without_lines_of_ours() -> None:
    with Workflow() as w:
        keeps_a_lock()
    error = w.run(backend="parallel", check=False).error
    assert error is not None
    assert "the returned value 'lock' of type _thread.lock cannot travel between processes" in error.message
    assert error.traceback == ""
