"""A pod that runs its share of a map."""

import json
import os
import signal
from pathlib import Path

import pytest
from headwater.document.unit import ItemFiles
from headwater.errors import WorkerDied

from .conftest import entries

WORK = """
    import os, pathlib, signal
    from headwater import Skipped, exit_pipeline, task

    @task
    def half(x: int, k: int = 2) -> {"y": float}:
        if x == 3:
            raise ValueError("no three")
        if x == 5:
            return Skipped()
        return x / k

    @task
    def pair(x: int, name: str) -> {"text": str}:
        print("pairing")
        return f"{name}{x}"

    @task
    def large(x: int) -> {"data": bytes}:
        return bytes(5000)

    @task
    def counted(x: int) -> {"y": int}:
        with open("calls", "a") as file:
            file.write(f"{x}\\n")
        if x == 6 and not os.path.exists("died"):
            pathlib.Path("died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if x == 4:
            raise ValueError("no four")
        return x * x

    @task
    def leaves(x: int) -> {"y": int}:
        if x == 2:
            exit_pipeline(9)
        return x
    """


def mapped(ref, **more):
    return [{"name": "m", "map": {"task": f"work:{ref}", "over": {"x": {"range": 1}}}, **more}]


@pytest.fixture
def work(pods):
    pods.write(WORK)
    return pods


def share(pods, ref, items, per_pod, *, number=0, over=None, policy=None, **given):
    given.setdefault("over", over or {"x": {"range": 100}})
    env = {"JOB_COMPLETION_INDEX": str(number)}
    return pods.run(
        "items", mapped(ref, **(policy or {})), "m", items=items, per_pod=per_pod, env=env, **given
    )


def test_a_pod_runs_its_share_and_a_failure_stops_no_other_item(work):
    ended = share(work, "half", "0-9", 4)
    report = ended.report
    assert (ended.code, report.items, report.failed_items) == (1, "0-2", "3")
    assert report.failed[3]["message"] == "no three"
    assert report.failed[3]["node"] == "m[3]"
    assert report.results == {0: {"y": {"json": 0.0}}, 1: {"y": {"json": 0.5}}, 2: {"y": {"json": 1.0}}}
    assert sorted(entries(work)) == [0, 1, 2, 3]


def test_the_last_share_is_shorter_and_gaps_are_passed_over(work):
    ended = share(work, "half", "0-1,7-8,10", 2, number=2)
    assert (ended.code, ended.report.items) == (0, "10")
    assert share(work, "half", "0-1,7-8,10", 2, number=3).report.items == ""


def test_a_skipped_item_has_no_outputs(work):
    ended = share(work, "half", "5", 1)
    assert (ended.report.items, ended.report.results) == ("5", {5: None})
    assert entries(work) == {5: {"outputs": None}}


def test_several_sequences_are_zipped_and_plain_inputs_broadcast(work):
    over = {"x": {"range": 3}, "name": {"json": ["a", "b", "c"]}}
    ended = share(work, "pair", "0-2", 3, over=over)
    assert [ended.report.results[i]["text"]["json"] for i in range(3)] == ["a0", "b1", "c2"]
    ended = share(work, "half", "4", 1, inputs={"k": {"json": 4}})
    assert ended.report.results[4] == {"y": {"json": 1.0}}


def test_of_several_items_each_says_whose_line_it_is(work):
    over = {"x": {"range": 3}, "name": {"json": ["a", "b", "c"]}}
    assert share(work, "pair", "0-1", 2, over=over).out == "m[0] | pairing\nm[1] | pairing\n"
    assert share(work, "pair", "0-1", 1, over=over, attempt=2).out == "pairing\n"


def test_large_outputs_are_references_and_the_report_stays_small(work):
    ended = share(work, "large", "0-99", 100)
    assert (ended.code, ended.report.items, ended.report.results) == (0, "0-99", None)
    assert entries(work)[99]["outputs"]["data"]["size"] == 5000


def test_without_a_store_results_must_fit(work):
    assert share(work, "half", "0-1", 2, store="").report.results[1] == {"y": {"json": 0.5}}
    ended = share(work, "large", "0", 1, store="")
    assert "--store" in ended.report.failed[0]["message"]


def test_many_failures_are_all_told_by_index_and_the_first_with_its_message(work):
    work.write("def fails(x): raise ValueError(f'item {x} ' + 'is wrong ' * 40)\n")
    ended = share(work, "fails", "0-4999", 5000)
    assert ended.report.failed_items == "0-4999"
    assert ended.report.items == ""
    assert ended.report.failed[0]["message"].startswith("item 0 is wrong")
    assert len(entries(work)) == 5000


def test_exit_pipeline_in_an_item_is_the_runs(work):
    ended = share(work, "leaves", "0-4", 5)
    assert (ended.code, ended.report.exit_code) == (0, 9)


def test_a_pod_that_comes_again_reports_what_is_there(work):
    first = share(work, "half", "0-3", 4)
    work.write("def half(x): raise RuntimeError('must not run')\n")
    again = share(work, "half", "0-3", 4)
    assert again.message.partition('"items"')[2] == first.message.partition('"items"')[2]
    assert again.code == first.code == 1


def test_a_pod_that_comes_after_one_that_was_killed_goes_on_where_it_was(work):
    killed = share(work, "counted", "0-9", 10)
    assert killed.code == -signal.SIGKILL
    ended = share(work, "counted", "0-9", 10)
    assert (ended.report.items, ended.report.failed_items) == ("0-3,5-9", "4")
    calls = [int(line) for line in (work.folder / "calls").read_text().split()]
    assert (calls.count(0), calls.count(6), set(calls)) == (1, 2, set(range(10)))
    folder = next(Path(work.store).glob("runs/u1/items/*"))
    assert os.listdir(folder) == ["1-0.json"]


def test_a_line_that_was_cut_short_is_run_again(work):
    share(work, "counted", "0-9", 10)
    (part,) = Path(work.store).glob("runs/u1/items/*/*.part")
    part.write_bytes(part.read_bytes()[:-9])
    assert share(work, "counted", "0-9", 10).report.items == "0-3,5-9"
    assert json.loads(next(Path(work.store).glob("runs/u1/items/*/*")).read_text())["9"]["outputs"]["y"]


def test_items_are_cached_one_by_one(work):
    policy = {"cache": "code"}
    share(work, "half", "0-2", 3, policy=policy)
    ended = share(work, "half", "0-4", 5, policy=policy, attempt=2)
    assert (ended.report.cached, ended.report.items) == (3, "0-2,4")


def test_items_that_are_blocks(work):
    work.write("""
        from headwater import task
        @task
        def double(x: int) -> {"y": int}:
            print("doubling")
            return 2 * x
        @task
        def root(y: int) -> {"z": float}:
            return {"z": (y / (y - 4)) ** 0.5}
        """)  # fmt: skip
    blocks = [
        {"name": "main", "nodes": [{"name": "m", "map": {"call": {"block": "sub"}, "over": {"x": {"range": 1}}}}]},
        {"name": "sub", "inputs": {"x": {}}, "nodes": [
            {"name": "double", "task": "work:double", "inputs": {"x": {"from": "inputs.x"}}},
            {"name": "root", "task": "work:root", "dependsOn": ["double"]},
        ]},
    ]  # fmt: skip
    ended = work.run("items", blocks, "m", over={"x": {"range": 9}}, items="2-4", per_pod=3)
    assert ended.report.items == "3-4"
    assert ended.report.failed[2]["node"] == "m[2]/root"
    assert ended.out.splitlines()[0] == "m[2]/double | doubling"


# ------------------------------------------------------------------ what others read


def column(pods, waves, **more):
    files = ItemFiles("u1", "m", 6, waves, **more)
    return pods.values.decode(files.to_encoded())


def test_the_outputs_of_a_map_are_read_from_the_files_of_all_its_pods(work):
    for number in range(3):
        share(work, "half", "0-5", 2, number=number)
    share(work, "half", "3", 1, attempt=2, over={"x": {"json": [0, 0, 0, 8]}})
    found = column(work, ((1, "0-5", 2), (2, "3", 1)), output="y")
    assert found == [0.0, 0.5, 1.0, 4.0, 2.0, None]
    whole = column(work, ((1, "0-5", 2), (2, "3", 1)), groups=(("y",),))
    assert whole == [[{"y": 0.0}], [{"y": 0.5}], [{"y": 1.0}], [{"y": 4.0}], [{"y": 2.0}], [{}]]


def test_a_failed_item_is_its_exception_and_a_dead_one_says_so(work):
    share(work, "half", "0-5", 4)
    found = column(work, ((1, "0-5", 4),), output="y")
    assert isinstance(found[3], ValueError)
    assert isinstance(found[4], WorkerDied)
    assert "item 4 of map 'm'" in str(found[4])


def test_a_map_over_a_maps_outputs_reads_only_what_it_needs(work):
    for number in range(3):
        share(work, "half", "0-5", 2, number=number)
    Path(next(iter(Path(work.store).glob("runs/u1/items/*/1-0.json")))).write_text("broken")
    files = ItemFiles("u1", "m", 6, ((1, "0-5", 2),), "y").to_encoded()
    ended = share(work, "half", "4", 1, over={"x": {"item": [{"list": [{"json": []}, files]}, 1]}}, attempt=3)
    assert "must be int; got float" in ended.report.failed[4]["message"]
