"""A pod that is told to end."""

import os
import shutil
import signal
import subprocess

import pytest

WORK = """
    import os, signal, subprocess, sys, time
    from headwater import task

    def told():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    @task
    def cleans() -> {"x": int}:
        try:
            told()
        finally:
            print("cleaned up")
        return 1

    @task
    def stubborn() -> {"x": int}:
        while True:
            try:
                told()
            except BaseException:
                print("no")
                os.kill(os.getpid(), signal.SIGTERM)
        return 1

    @task
    def swallows() -> {"x": int}:
        try:
            told()
        except BaseException:
            pass
        return 1

    @task
    def children() -> {"x": int}:
        # An orphan: its parent ends before it does.
        subprocess.run(["sh", "-c", "sleep 0.01 & exit 0"])
        return os.getpid()

    @task
    def item(x: int) -> {"y": int}:
        if x == 2:
            told()
        return x

    @task
    def first() -> {"x": int}:
        return 1
    """


@pytest.fixture
def work(pods):
    pods.write(WORK)
    return pods


def is_terminated(ended):
    failure = ended.report.failure
    assert (failure["type"], failure["class"]) == ("Terminated", "Preempted")
    assert "SIGTERM" in failure["message"]
    return ended.code == 128 + signal.SIGTERM


def test_a_task_is_ended_cleans_up_and_the_report_says_so(work):
    ended = work.task("work:cleans")
    assert is_terminated(ended)
    assert ended.out == "cleaned up\n"
    assert "Traceback" not in ended.err


def test_a_task_that_goes_on_all_the_same_has_not_succeeded(work):
    assert is_terminated(work.task("work:swallows"))


def test_the_second_signal_ends_the_process_at_once(work):
    ended = work.task("work:stubborn")
    assert is_terminated(ended)
    assert ended.out == "no\n"


def test_a_unit_is_ended_in_the_task_that_runs(work):
    nodes = [
        {"name": "first", "task": "work:first", "inputs": {}, "outputs": {"x": {}}},
        {"name": "cleans", "task": "work:cleans", "inputs": {}, "outputs": {"x": {}}, "dependsOn": ["first"]},
        {"name": "never", "task": "work:first", "inputs": {}, "outputs": {"x": {}}, "dependsOn": ["cleans"]},
    ]
    blocks = [
        {"name": "main", "nodes": [{"name": "b", "call": {"block": "sub"}}]},
        {"name": "sub", "nodes": nodes},
    ]
    for path in ("b", ""):
        ended = work.run("block", blocks, "b", path=path)
        assert is_terminated(ended)
        assert ended.out.endswith("cleans | cleaned up\n")


def test_items_that_had_ended_are_not_run_again(work):
    nodes = [{"name": "m", "map": {"task": "work:item", "over": {"x": {"range": 3}}}}]
    given = {"over": {"x": {"range": 3}}, "items": "0-2", "per_pod": 3}
    assert is_terminated(work.run("items", nodes, "m", **given))
    work.write("def item(x): return {'y': -x}\n")
    results = work.run("items", nodes, "m", **given).report.results
    assert [results[i]["y"]["json"] for i in range(3)] == [0, 1, -2]


@pytest.mark.skipif(not shutil.which("unshare") or os.getuid() != 0, reason="needs a process namespace")
def test_as_the_first_process_it_passes_signals_on_and_buries_orphans(work):
    def in_namespace(command, **options):
        return subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", *command], **options)

    if in_namespace(["true"]).wait() != 0:
        pytest.skip("no process namespaces here")
    real = subprocess.Popen
    work.popen = in_namespace
    try:
        ended = work.task("work:children")
        assert (ended.code, ended.report.outputs["x"]["json"] != 1) == (0, True)
        assert is_terminated(work.task("work:cleans"))
    finally:
        work.popen = real
