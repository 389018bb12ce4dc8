"""A pod that runs a whole block."""

import json
import signal
from pathlib import Path

import pytest

WORK = """
    import os, pathlib, signal, threading
    from headwater import Skipped, exit_pipeline, task

    def note(name):
        with open("calls", "a") as file:
            file.write(name + "\\n")

    @task
    def gen(n: int) -> {"raw": list}:
        note("gen")
        print("generating")
        return list(range(n))

    @task
    def square(x: int) -> {"y": int}:
        note(f"square {x}")
        if os.environ.get("KILL_AT") == str(x):
            os.kill(os.getpid(), signal.SIGKILL)
        return x * x

    @task
    def odd(x: int) -> {"y": int}:
        print("looking")
        if x == 1:
            raise ValueError("odd")
        return x

    @task
    def total(raw: list) -> {"total": int}:
        note("total")
        print("adding")
        print("up", end="")
        if os.environ.get("KILL_AT") == "total":
            os.kill(os.getpid(), signal.SIGKILL)
        return sum(x for x in raw if isinstance(x, int))

    @task
    def last(total: int) -> {"result": int}:
        print("last")
        return total + 1

    @task
    def lock() -> {"held": object}:
        note("lock")
        return threading.Lock()

    @task
    def uses(held: object) -> {"x": int}:
        note("uses")
        if os.environ.get("KILL_AT") == "uses":
            os.kill(os.getpid(), signal.SIGKILL)
        return 1

    @task
    def step(x: int) -> {"x": int}:
        note(f"step {x}")
        if os.environ.get("KILL_AT") == str(x):
            os.kill(os.getpid(), signal.SIGKILL)
        return x + 1

    def enough(x):
        return x >= 5

    def positive(total):
        return total > 0

    @task
    def skips() -> {"x": int}:
        return Skipped()

    @task
    def leaves() -> {"x": int}:
        exit_pipeline(4)

    @task
    def sleeps() -> {"x": int}:
        import time
        time.sleep(60)
    """


def task(name, ref=None, outputs=(), after=(), **more):
    node = {"name": name, "task": f"work:{ref or name}", "outputs": {each: {} for each in outputs}, **more}
    node.setdefault("inputs", {})
    return {**node, "dependsOn": list(after)} if after else node


def chain():
    return [
        task("gen", outputs=["raw"], inputs={"n": {"from": "inputs.n"}}),
        task("total", outputs=["total"], inputs={"raw": {"from": "gen.raw"}}),
        task("last", outputs=["result"], inputs={"total": {"from": "total.total"}}),
    ]


def unit(*nodes, inputs=("n",), policy=None, **more):
    """A node `b` that calls a block of these nodes."""
    sub = {"name": "sub", "inputs": {each: {} for each in inputs}, "nodes": list(nodes), **more}
    return [{"name": "main", "nodes": [{"name": "b", "call": {"block": "sub"}, **(policy or {})}]}, sub]


@pytest.fixture
def work(pods):
    pods.write(WORK)
    return pods


def calls(pods):
    return (pods.folder / "calls").read_text().splitlines()


def block(pods, blocks, n=5, **given):
    given.setdefault("inputs", {"n": {"json": n}})
    return pods.run("block", blocks, "b", **given)


def test_a_block_runs_with_its_own_engine_and_every_task_has_a_record(work):
    ended = block(work, unit(*chain()))
    assert (ended.code, ended.report.outputs) == (0, {"result": {"json": 11}})
    assert [(each.path, each.phase, each.attempts) for each in ended.report.tasks] == [
        ("b/gen", "Succeeded", 1), ("b/total", "Succeeded", 1), ("b/last", "Succeeded", 1),
    ]  # fmt: skip
    began = [each.started_at for each in ended.report.tasks]
    assert began == sorted(began)
    assert began[0] >= ended.report.at[0]
    assert all(0 <= each.seconds < 60 for each in ended.report.tasks)


def test_each_line_says_whose_it_is_and_half_lines_are_ended(work):
    ended = block(work, unit(*chain()))
    assert ended.out == "b/gen | generating\nb/total | adding\nb/total | up\nb/last | last\n"


def test_the_entry_block_itself_is_a_unit_with_bare_paths(work):
    blocks = [{"name": "main", "inputs": {"n": {}}, "nodes": chain()}]
    ended = work.run("block", blocks, "", block="main", inputs={"n": {"json": 3}})
    assert ended.report.outputs == {"result": {"json": 4}}
    assert [each.path for each in ended.report.tasks] == ["gen", "total", "last"]
    assert ended.out.splitlines()[0] == "gen | generating"


def test_a_block_of_one_task_prints_as_a_task_does(work):
    ended = block(work, unit(chain()[0]))
    assert ended.out == "generating\n"


def test_a_failure_inside_names_the_inner_task_and_says_what_became_of_the_rest(work):
    nodes = [task("odd", outputs=["y"], inputs={"x": {"value": 1}}), task("after", "skips", ["x"], ["odd"])]
    ended = block(work, unit(*nodes))
    assert (ended.failure["node"], ended.failure["type"], ended.failure["message"]) == (
        "b/odd",
        "ValueError",
        "odd",
    )
    assert 'raise ValueError("odd")' in ended.failure["traceback"]
    records = {each.path: each for each in ended.report.tasks}
    assert (records["b/odd"].phase, records["b/odd"].error) == ("Failed", "ValueError: odd")
    assert records["b/after"].phase in ("Skipped", "Cancelled")


def test_retries_inside_are_the_units_own(work):
    work.write("""
        import pathlib
        def once():
            file = pathlib.Path("tried")
            file.write_text(file.read_text() + "x" if file.exists() else "x")
            if len(file.read_text()) < 3:
                raise OSError("not yet")
            return {"x": 1}
        """)  # fmt: skip
    ended = block(work, unit(task("once", outputs=["x"], retry={"limit": 2})))
    assert ended.code == 0
    assert ended.report.tasks[0].attempts == 3


def test_a_unit_that_is_killed_goes_on_after_the_tasks_that_had_ended(work):
    killed = block(work, unit(*chain()), env={"KILL_AT": "total"})
    assert (killed.code, killed.report.final) == (-signal.SIGKILL, False)
    assert [(each.path, each.phase) for each in killed.report.tasks] == [("b/gen", "Succeeded")]
    ended = block(work, unit(*chain()), attempt=2)
    assert ended.report.outputs == {"result": {"json": 11}}
    assert calls(work) == ["gen", "total", "total"]
    first, second, _ = ended.report.tasks
    assert (first.path, first.attempts) == ("b/gen", 1)
    assert first.started_at < second.started_at


def test_large_values_between_tasks_survive_too(work):
    block(work, unit(*chain()), n=100_000, env={"KILL_AT": "total"})
    ended = block(work, unit(*chain()), n=100_000)
    assert ended.report.outputs == {"result": {"json": sum(range(100_000)) + 1}}
    assert calls(work) == ["gen", "total", "total"]


def test_what_cannot_be_kept_runs_again(work):
    nodes = [
        task("lock", outputs=["held"]),
        task("uses", outputs=["x"], inputs={"held": {"from": "lock.held"}}),
    ]
    killed = block(work, unit(*nodes), env={"KILL_AT": "uses"})
    assert "lock would be run again after an interruption" in killed.err
    assert block(work, unit(*nodes)).report.outputs == {"x": {"json": 1}}
    assert calls(work) == ["lock", "uses", "lock", "uses"]


def test_a_unit_with_no_store_begins_anew(work):
    block(work, unit(*chain()), env={"KILL_AT": "total"}, store="")
    assert block(work, unit(*chain()), store="").code == 0
    assert calls(work) == ["gen", "total", "gen", "total"]


def test_an_iteration_goes_on_with_the_pass_that_was_cut_off(work):
    blocks = [
        {"name": "main", "nodes": [{"name": "b", "call": {"block": "sub"}}]},
        {"name": "sub", "nodes": [
            {"name": "train", "iterate": {"block": "pass", "maxIterations": 9, "until": {"task": "work:enough"}},
             "inputs": {"x": {"value": 0}}, "outputs": {"x": {}}},
        ]},
        {"name": "pass", "inputs": {"x": {}}, "outputs": {"x": {"from": "step.x"}}, "nodes": [
            task("step", outputs=["x"], inputs={"x": {"from": "inputs.x"}})]},
    ]  # fmt: skip
    killed = work.run("block", blocks, "b", env={"KILL_AT": "3"})
    assert killed.code == -signal.SIGKILL
    ended = work.run("block", blocks, "b")
    assert ended.report.outputs == {"x": {"json": 5}}
    assert calls(work) == ["step 0", "step 1", "step 2", "step 3", "step 3", "step 4"]
    assert [each.path for each in ended.report.tasks][-2:] == ["b/train[4]/step", "b/train"]


def mapping(ref, **more):
    return unit(
        task("gen", outputs=["raw"], inputs={"n": {"from": "inputs.n"}}),
        {
            "name": "m",
            "map": {"task": f"work:{ref}", "over": {"x": {"from": "gen.raw"}}, **more},
            "outputs": {"y": {}},
        },
        task("total", outputs=["total"], inputs={"raw": {"from": "m.y"}}),
    )


def test_a_map_inside_a_unit_counts_its_items(work):
    ended = block(work, mapping("odd", tolerate="all"), n=4)
    record = next(each for each in ended.report.tasks if each.path == "b/m")
    assert (record.phase, record.items) == ("Succeeded", (4, 3, 1))
    assert ended.report.outputs == {"total": {"json": 5}}
    assert "b/m[2] | looking" in ended.out.splitlines()


def test_a_map_inside_a_unit_that_fails_says_which_item(work):
    ended = block(work, mapping("odd"), n=4)
    assert ended.failure["type"] == "MapFailed"
    assert ended.failure["message"] == "1 of 4 items failed: 1; first b/m[1]: ValueError: odd"


def test_items_of_a_map_inside_a_unit_are_kept_now_and_then(work):
    block(work, mapping("square"), n=40, env={"KILL_AT": "39"})
    block(work, mapping("square"), n=40)
    assert calls(work).count("gen") == 1
    assert calls(work).count("square 39") == 2


def test_a_condition_is_answered_once(work):
    nodes = [
        *chain()[:2],
        {"name": "c", "condition": {"task": "work:positive"}, "inputs": {"total": {"from": "total.total"}}},
        task(
            "yes",
            "last",
            ["result"],
            inputs={"total": {"from": "total.total"}},
            branch={"of": "c", "when": True},
        ),
        task("no", "skips", ["x"], branch={"of": "c", "when": False}),
    ]
    ended = block(work, unit(*nodes))
    phases = {each.path: each.phase for each in ended.report.tasks}
    assert (phases["b/c"], phases["b/yes"], phases["b/no"]) == ("Succeeded", "Succeeded", "Skipped")


def test_a_block_all_of_whose_ends_are_skipped_is_skipped(work):
    ended = block(work, unit(task("skips", outputs=["x"])))
    assert (ended.code, ended.report.skipped) == (0, True)


def test_exit_pipeline_inside_a_unit(work):
    assert block(work, unit(task("leaves", outputs=["x"]))).report.exit_code == 4


def test_a_unit_over_its_time_says_so_itself(work):
    ended = block(work, unit(task("sleeps", outputs=["x"]), policy={"timeout": "300ms"}))
    assert (ended.failure["class"], ended.failure["node"]) == ("Timeout", "b")
    assert ended.failure["message"] == "ran longer than its timeout of 0.3 s"


def test_a_task_over_its_time_inside_a_unit(work):
    ended = block(work, unit(task("sleeps", outputs=["x"], timeout="300ms")))
    assert (ended.failure["class"], ended.failure["node"]) == ("Timeout", "b/sleeps")


def test_a_whole_block_is_cached(work):
    blocks = unit(*chain(), policy={"cache": "code"})
    assert block(work, blocks).report.cached == 0
    again = block(work, blocks, attempt=2, run="u2")
    assert (again.report.cached, again.report.outputs, again.out) == (1, {"result": {"json": 11}}, "")


def test_a_document_by_hand_leaves_the_matching_to_the_code(work):
    nodes = [
        {"name": "gen", "task": "work:gen"},
        {"name": "total", "task": "work:total", "dependsOn": ["gen"]},
    ]
    assert block(work, unit(*nodes)).report.outputs == {"total": {"json": 10}}


def test_more_tasks_than_fit_are_all_in_the_store_and_the_failed_ones_are_told(work):
    work.write("def f(): return {'x': 1}\ndef fails(): raise ValueError('the one')\n")
    nodes = [task(f"task-number-{i:04}", "f", ["x"]) for i in range(600)]
    nodes[300] = task("bad", "fails", ["x"], continueOnFailure=True)
    ended = block(work, unit(*nodes))
    assert ended.code == 0
    told = [each.path for each in ended.report.tasks]
    assert "b/bad" in told
    assert 50 < len(told) < 601
    (file,) = Path(work.store).glob("runs/u1/units/*/tasks.json")
    assert len(json.loads(file.read_text())["tasks"]) == 600
