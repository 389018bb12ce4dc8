"""Tasks that take the process of their unit down, in the first process of a container."""

import os
import shutil
import signal
import subprocess
import time

import pytest

WORK = """
    import os, pathlib, signal, subprocess, time
    from headwater import task

    def note(name):
        with open("calls", "a") as file:
            file.write(name + "\\n")
        return pathlib.Path("calls").read_text().splitlines().count(name)

    @task
    def gen(n: int) -> {"raw": list}:
        note("gen")
        return list(range(n))

    @task
    def dies_twice(raw: list) -> {"n": int}:
        times = note("dies_twice")
        if times == 1:
            raise ValueError("first")
        if times == 2:
            os._exit(3)
        if times == 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        return len(raw)

    @task
    def always() -> {"n": int}:
        note("always")
        subprocess.Popen(["sleep", "60"])
        os._exit(9)

    @task
    def alone() -> {"x": int}:
        note("alone")
        return int(subprocess.run(["pgrep", "-xc", "sleep"], capture_output=True).stdout)

    @task
    def item(x: int) -> {"y": int}:
        if note(f"item {x}") <= 1 and x == 1:
            os._exit(4)
        return 10 * x

    @task
    def odd(x: int) -> {"y": int}:
        note(f"odd {x}")
        if x == 1:
            raise ValueError("odd")
        return x

    @task
    def raises() -> {"n": int}:
        raise ValueError("first" if note("raises") == 1 else "second")

    @task
    def kinds(y: list) -> {"names": list}:
        return [f"{type(each).__name__}: {each}" if isinstance(each, Exception) else "int" for each in y]

    @task
    def grows() -> {"n": int}:
        note("grows")
        os.kill(os.getpid(), signal.SIGKILL)

    @task
    def sleeps() -> {"n": int}:
        note("sleeps")
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(60)
    """


@pytest.fixture
def work(pods):
    def in_namespace(command, **options):
        return subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", *command], **options)

    if not shutil.which("unshare") or os.getuid() != 0 or in_namespace(["true"]).wait() != 0:
        pytest.skip("needs a process namespace")
    pods.write(WORK)
    pods.popen = in_namespace
    return pods


def task(name, outputs=(), **more):
    return {
        "name": name,
        "task": f"work:{name}",
        "outputs": {each: {} for each in outputs},
        "inputs": {},
        **more,
    }


GEN = task("gen", ["raw"], inputs={"n": {"value": 3}})
RAW = {"raw": {"from": "gen.raw"}}


def unit(*nodes):
    sub = {"name": "sub", "nodes": list(nodes)}
    return [{"name": "main", "nodes": [{"name": "b", "call": {"block": "sub"}}]}, sub]


def run(work, *nodes, **given):
    return work.run("block", unit(*nodes), "b", **given)


def calls(work):
    return (work.folder / "calls").read_text().splitlines()


def attempts(ended):
    return [(each.path, each.phase, each.attempts) for each in ended.report.tasks]


def test_a_task_that_ends_its_process_is_tried_again_as_its_retry_says(work):
    ended = run(work, GEN, task("dies_twice", ["n"], inputs=RAW, retry={"limit": 3}))
    assert ended.report.outputs == {"n": {"json": 3}}, ended.err
    assert calls(work) == ["gen", *["dies_twice"] * 4]
    assert attempts(ended) == [("b/gen", "Succeeded", 1), ("b/dies_twice", "Succeeded", 4)]
    assert "the process exited with code 3 at dies_twice; another one goes on" in ended.err
    assert "the process was killed by signal 11 (SIGSEGV) at dies_twice" in ended.err


def test_without_a_retry_it_has_failed_and_what_it_had_started_is_gone(work):
    nodes = [GEN, task("always", ["n"], continueOnFailure=True), task("alone", ["x"], dependsOn=["always"])]
    ended = run(work, *nodes)
    assert ended.code == 0, ended.err
    assert ended.report.outputs["x"] == {"json": 0}
    assert calls(work) == ["gen", "always", "alone"]
    (died,) = (each for each in ended.report.tasks if each.path == "b/always")
    assert died.error == "WorkerDied: the worker process exited with code 9"


def test_what_had_failed_by_itself_is_not_run_again_in_the_next_process(work):
    odd = {"name": "m", "map": {"task": "work:odd", "over": {"x": {"from": "gen.raw"}}, "tolerate": "all"},
           "outputs": {"y": {}}}  # fmt: skip
    nodes = [GEN, odd, task("raises", ["n"], continueOnFailure=True, retry={"limit": 1}, dependsOn=["m"]),
             task("always", ["n"], continueOnFailure=True, dependsOn=["raises"]),
             task("kinds", ["names"], inputs={"y": {"from": "m.y"}}, dependsOn=["always"])]  # fmt: skip
    ended = run(work, *nodes)
    assert ended.code == 0, ended.err
    assert calls(work) == ["gen", "odd 0", "odd 1", "odd 2", "raises", "raises", "always"]
    assert ended.report.outputs["names"] == {"json": ["int", "ValueError: odd", "int"]}
    (raised,) = (each for each in ended.report.tasks if each.path == "b/raises")
    assert (raised.attempts, raised.error) == (2, "ValueError: second")


def test_a_unit_that_fails_so_names_the_task(work):
    failure = run(work, GEN, task("always", ["n"])).failure
    assert (failure["type"], failure["class"], failure["node"]) == ("WorkerDied", "Error", "b/always")


@pytest.mark.parametrize(
    ("policy", "y"), [({"retry": {"limit": 1}}, [0, 10, 20]), ({"tolerate": 1}, [0, 20])]
)
def test_an_item_that_ends_its_process_is_one_failed_item(work, policy, y):
    more = {"retry": policy.pop("retry")} if "retry" in policy else {}
    mapped = {"name": "m", "map": {"task": "work:item", "over": {"x": {"from": "gen.raw"}}, **policy},
              "outputs": {"y": {}}, **more}  # fmt: skip
    ended = run(work, GEN, mapped)
    assert ended.code == 0, ended.err
    found = [each for each in work.output(ended, "y") if isinstance(each, int)]
    assert found == y
    assert calls(work).count("item 1") == 1 + bool(more)


def test_a_signal_to_the_pod_ends_it(work):
    process = work.start("block", unit(task("sleeps", ["n"])), "b")
    end = time.monotonic() + 30
    while not (work.folder / "calls").exists() and time.monotonic() < end:
        time.sleep(0.05)
    first = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    os.kill(int(first[0]), signal.SIGTERM)
    assert work.ended(process).code in (128 + signal.SIGTERM, -signal.SIGTERM)
    assert calls(work) == ["sleeps"]


def test_without_a_store_there_is_nothing_to_go_on_from(work):
    ended = run(work, GEN, task("always", ["n"], retry={"limit": 2}), store="")
    assert ended.code == 9
    assert calls(work) == ["gen", "always"]
