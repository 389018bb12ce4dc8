"""Tasks that take the process of their unit down, in the first process of a container."""

import os
import shutil
import signal
import subprocess
import time
import zipfile

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
    def killed_once() -> {"n": int}:
        if note("killed_once") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return 1

    @task
    def dies() -> {"n": int}:
        note("dies")
        os._exit(3)

    @task
    def waits_and_dies_twice() -> {"n": int}:
        times = note("waits_and_dies_twice")
        time.sleep(1)
        if times <= 2:
            os._exit(3)
        return times

    @task
    def slow_item(x: int) -> {"y": int}:
        note(f"slow_item {x}")
        time.sleep(0.02)
        if x % 3 == 2:
            os._exit(4)
        return x

    @task
    def exits(x: int) -> {"y": int}:
        note(f"exits {x}")
        if x == 0:
            raise SystemExit(1)
        if x == 1:
            os._exit(4)
        return x

    @task
    def sleeps_long() -> {"n": int}:
        note("sleeps_long")
        time.sleep(30)

    @task
    def asks() -> {"n": int}:
        signal.signal(signal.SIGUSR1, lambda *_: note("usr1"))
        times = note("asks")
        if times == 1:
            os.kill(1, signal.SIGUSR1)
            time.sleep(0.3)
            os._exit(3)
        return times

    @task
    def leaves_a_file() -> {"n": int}:
        times = note("leaves_a_file")
        pathlib.Path("left").write_text(pathlib.Path("left").read_text() + "x" if times > 1 else "x")
        if times == 1:
            os._exit(3)
        return len(pathlib.Path("left").read_text())

    def decides(n):
        if note("decides") == 1:
            os._exit(3)
        return True

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


def test_a_loop_that_is_tried_again_runs_as_often_as_it_says(work):
    blocks = [
        {"name": "main", "nodes": [{"name": "b", "call": {"block": "sub"}}]},
        {"name": "sub", "nodes": [
            {"name": "l", "loop": {"block": "pass", "iterations": 2}, "retry": {"limit": 2}}]},
        {"name": "pass", "nodes": [task("dies", ["n"])]},
    ]  # fmt: skip
    failure = work.run("block", blocks, "b").failure
    assert failure["type"] == "WorkerDied"
    assert calls(work) == ["dies"] * 3


def test_a_killed_task_is_tried_again_where_memory_was_not_the_reason(work):
    ended = run(work, task("killed_once", ["n"], retry={"limit": 1}))
    if ended.code == 137:
        pytest.skip("the kernel does not say here whom it has killed for want of memory")
    assert (ended.code, calls(work)) == (0, ["killed_once"] * 2)


def test_pauses_before_retries_are_served_once(work):
    backoff = {"initial": "1s", "factor": 1}
    raises = task("raises", ["n"], continueOnFailure=True, retry={"limit": 1, "backoff": backoff})
    dies = task("dies", ["n"], dependsOn=["raises"], retry={"limit": 2, "backoff": backoff})
    began = time.monotonic()
    assert run(work, raises, dies).failure["type"] == "WorkerDied"
    assert time.monotonic() - began < 3 * 1.0 + 2.5
    assert calls(work) == ["raises"] * 2 + ["dies"] * 3


def test_items_that_had_ended_are_not_run_again(work):
    many = task("gen", ["raw"], inputs={"n": {"value": 12}})
    mapped = {"name": "m", "map": {"task": "work:slow_item", "over": {"x": {"from": "gen.raw"}}, "tolerate": "all"},
              "outputs": {"y": {}}}  # fmt: skip
    ended = run(work, many, mapped)
    assert ended.code == 0, ended.err
    assert sorted(calls(work)) == sorted(["gen", *(f"slow_item {x}" for x in range(12))])
    assert [each for each in work.output(ended, "y") if isinstance(each, int)] == [0, 1, 3, 4, 6, 7, 9, 10]


def test_an_item_that_left_by_sys_exit_is_not_run_again_either(work):
    mapped = {"name": "m", "map": {"task": "work:exits", "over": {"x": {"from": "gen.raw"}}, "tolerate": "all"},
              "outputs": {"y": {}}}  # fmt: skip
    assert run(work, GEN, mapped).code == 0
    assert calls(work) == ["gen", "exits 0", "exits 1", "exits 2"]


def test_a_task_of_a_block_within_is_tried_again_and_seen(work):
    dies = task("waits_and_dies_twice", ["n"], retry={"limit": 2})
    inner = {"name": "inner", "placement": "unit", "nodes": [dies]}
    blocks = [*unit({"name": "c", "call": {"block": "inner"}}), inner]
    ended = work.run("block", blocks, "b")
    assert ended.code == 0, ended.err
    assert ("b/c/waits_and_dies_twice", "Succeeded", 3) in attempts(ended)
    assert ended.report.at[1] - ended.report.at[0] > 3.0


def test_a_timeout_goes_on_counting(work):
    blocks = [{"name": "main", "nodes": [{"name": "b", "call": {"block": "sub"}, "timeout": "2500ms"}]},
              {"name": "sub", "nodes": [task("waits_and_dies_twice", ["n"], retry={"limit": 5})]}]  # fmt: skip
    assert work.run("block", blocks, "b").failure["class"] == "Timeout"


def test_what_had_run_out_of_time_is_not_run_again(work):
    inner = {"name": "inner", "nodes": [task("sleeps_long", ["n"])]}
    late = {"name": "c", "call": {"block": "inner"}, "timeout": "1s", "continueOnFailure": True}
    blocks = [*unit(late, task("dies", ["n"], dependsOn=["c"], retry={"limit": 1})), inner]
    assert work.run("block", blocks, "b").failure["type"] == "WorkerDied"
    assert calls(work) == ["sleeps_long", "dies", "dies"]


def test_a_signal_that_only_says_something_does_not_end_it(work):
    ended = run(work, task("asks", ["n"], retry={"limit": 1}))
    assert ended.report.outputs == {"n": {"json": 2}}, ended.err
    assert calls(work) == ["asks", "usr1", "asks"]


def test_a_question_that_ends_the_process_is_a_failure_of_its_node(work):
    asked = {"name": "c", "condition": {"task": "work:decides"}, "inputs": {"n": {"value": 1}}}
    failure = run(work, asked).failure
    assert (failure["type"], failure["node"]) == ("WorkerDied", "b/c")
    assert calls(work) == ["decides"]


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


def test_the_folder_of_the_code_is_the_same_for_the_next_process(work):
    bundle = work.folder / "bundle.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.write(work.folder / "project" / "work.py", "work.py")
    work.environment["HEADWATER_CODE"] = str(bundle)
    ended = run(
        work,
        task("leaves_a_file", ["n"], retry={"limit": 1}),
        document={"code": {"configMap": "code-test"}},
    )
    assert ended.report.outputs == {"n": {"json": 2}}, ended.err
