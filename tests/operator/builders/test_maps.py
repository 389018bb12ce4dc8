"""Maps: indexed Jobs, waves, chunks."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from headwater.document.unit import read_unit
from headwater.engine.intervals import IntervalSet
from headwater.errors import DocumentError
from headwater_operator.builders import MapStep, chunks, map_objects

from tests.operator.builders.golden import check
from tests.operator.builders.runs import BARE, CLAIM, run

PYTHON = {
    "name": "process",
    "map": {"task": "m:process", "over": {"x": {"from": "gen.x"}}, "collect": "flat"},
}
CONTAINER = {"name": "process", "map": {"container": {"image": "busybox:1.36"}, "over": {"x": {"range": 5}}}}
DATA = {"ref": "sha256:ab", "length": 100_000}


def step(items: str, over: Any = None, **more: Any) -> MapStep:
    total = len(IntervalSet.parse(items))
    made = MapStep("process", 1, "main", "process", {}, over or {"x": DATA}, items, 1, None, total)
    return replace(made, **more)


def job_of(objects: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    assert objects[-1]["kind"] == "Job"
    return objects[-1]


def test_a_map_of_a_python_task() -> None:
    node = {**PYTHON, "queue": "batch", "timeout": "10m", "retry": {"limit": 2}}
    objects = map_objects(
        run(node), CLAIM, step("0-99", per_pod=10, parallelism=4, max_failed=3, inputs={"k": {"json": 3}})
    )
    check("map", objects)
    unit = read_unit(job_of(objects)["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"])
    assert (unit.does, unit.items, unit.per_pod, unit.over) == ("items", "0-99", 10, {"x": DATA})
    assert unit.document["blocks"][0]["nodes"][0]["map"] == PYTHON["map"]


def test_literals_of_a_map_travel_once() -> None:
    node = {"name": "process", "map": {"task": "m:f", "over": {"x": {"value": [1, 2, 3]}}}}
    objects = map_objects(run(node), BARE, step("0-2", {"x": {"json": [1, 2, 3]}}))
    text = job_of(objects)["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
    assert text.count("[1,2,3]") == 1


def test_a_map_of_a_block_brings_the_block() -> None:
    block = {"name": "one", "nodes": [{"name": "a", "task": "m:a", "resources": {"limits": {"cpu": 2}}}]}
    node = {"name": "process", "map": {"call": {"block": "one"}, "over": {"x": {"range": 3}}}}
    job = job_of(map_objects(run(node, blocks=[block]), BARE, step("0-2", {"x": {"range": 3}})))
    main = job["spec"]["template"]["spec"]["containers"][0]
    assert [each["name"] for each in read_unit(main["env"][0]["value"]).document["blocks"]] == ["main", "one"]
    assert main["resources"] == {"limits": {"cpu": 2}}


def test_a_map_of_containers_over_a_range_needs_no_config_map() -> None:
    objects = map_objects(run({**CONTAINER, "timeout": "1500ms"}), BARE, step("0-4", {"x": {"range": 5}}))
    check("container-range", objects)
    assert len(objects) == 1


def test_a_map_of_containers_over_values() -> None:
    over = {"name": {"json": ["a", "b", "c"]}, "n": {"list": [{"json": 1}, {"json": None}, {"json": [2]}]}}
    objects = map_objects(run(CONTAINER), BARE, step("0,2", over, attempt=2, inputs={"k": {"json": 3}}))
    check("container-items", objects)


def test_a_job_leaves_room_for_the_names_of_its_pods() -> None:
    context = run(CONTAINER, name="a-workflow-with-a-name.that-is-longer-than-most.and-has-dots-in-it")
    name = job_of(map_objects(context, BARE, step("0-4", {"x": {"range": 5}})))["metadata"]["name"]
    assert len(f"{name}-99999-abcde") <= 63


@pytest.mark.parametrize(
    ("items", "parallelism", "per_pod", "expected"),
    [
        ("0-9", None, 1, 10), ("0-9", 3, 1, 3), ("0-9", 50, 1, 10),
        ("0-4999", None, 1, 1000), ("0-99", 20, 10, 10), ("0-99", 4, 10, 4),
    ],
)  # fmt: skip
def test_pods_at_once(items: str, parallelism: int | None, per_pod: int, expected: int) -> None:
    made = step(items, parallelism=parallelism, per_pod=per_pod)
    assert job_of(map_objects(run(PYTHON), BARE, made))["spec"]["parallelism"] == expected


def test_a_job_never_tries_again_and_stops_where_too_many_have_failed() -> None:
    spec = job_of(map_objects(run(PYTHON), BARE, step("0-9", max_failed=50)))["spec"]
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == (0, 10)
    assert "maxFailedIndexes" not in job_of(map_objects(run(PYTHON), BARE, step("0-9")))["spec"]
    assert spec["podFailurePolicy"]["rules"][0]["action"] == "Ignore"


def test_several_containers_items_to_a_pod_are_refused() -> None:
    with pytest.raises(DocumentError, match="itemsPerPod"):
        map_objects(run(CONTAINER), BARE, step("0-4", {"x": {"range": 5}}, per_pod=2))


# ---------------------------------------------------------------- chunks


def cut(node: dict[str, Any], made: MapStep) -> list[MapStep]:
    found = chunks(run(node), BARE, made)
    assert [each.chunk for each in found] == list(range(len(found)))
    covered = [index for each in found for index in IntervalSet.parse(each.items)]
    assert covered == list(IntervalSet.parse(made.items))
    return found


def test_a_python_map_is_one_job_up_to_100_000_pods() -> None:
    assert len(cut(PYTHON, step("0-99999"))) == 1
    assert [each.items for each in cut(PYTHON, step("0-100000"))] == ["0-99999", "100000"]
    assert len(cut(PYTHON, step("0-999999", per_pod=10))) == 1


def test_a_wave_with_many_gaps_is_cut_so_that_its_text_stays_short() -> None:
    chosen = sorted(random.Random(3).sample(range(100_000), 30_000))
    wave = str(IntervalSet((index, index + 1) for index in chosen))
    found = cut(PYTHON, step(wave))
    assert len(found) > 1
    assert all(len(each.items) <= 32 * 1024 for each in found)


def test_container_items_come_in_thousands_and_ranges_whole() -> None:
    values = {"x": {"json": list(range(2500))}}
    assert [each.items for each in cut(CONTAINER, step("0-2499", values))] == [
        "0-999",
        "1000-1999",
        "2000-2499",
    ]
    assert len(cut(CONTAINER, step("0-2499", {"x": {"range": 2500}}))) == 1
    assert len(cut(CONTAINER, step("1-2499", {"x": {"range": 2500}}))) == 3


def test_few_pods_at_once_make_few_jobs() -> None:
    values = {"x": {"json": list(range(25_000))}}

    def jobs(limit: int | None) -> int:
        return len(cut(CONTAINER, step("0-24999", values, parallelism=limit)))

    assert (jobs(30), jobs(4), jobs(1), jobs(None)) == (25, 4, 3, 25)


def test_large_items_make_smaller_jobs() -> None:
    values = {"x": {"json": ["a" * 300_000] * 7}}
    found = cut(CONTAINER, step("0-6", values))
    assert [each.items for each in found] == ["0-2", "3-5", "6"]
    for each in found:
        assert map_objects(run(CONTAINER), BARE, each)


def test_an_item_that_no_config_map_holds_is_named() -> None:
    with pytest.raises(DocumentError, match=r"item 1 of map 'process' has 1,000,002 bytes"):
        cut(CONTAINER, step("0-1", {"x": {"json": ["a", "b" * 1_000_000]}}))


def test_chunks_have_names_and_artifacts_of_their_own() -> None:
    node = {**CONTAINER, "artifacts": {"model": {"path": "/out/m"}}}
    values = {"x": {"json": list(range(1500))}}
    jobs = [
        job_of(map_objects(run(node), CLAIM, each))
        for each in chunks(run(node), CLAIM, step("0-1499", values))
    ]
    mounts = [job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0] for job in jobs]
    assert len({job["metadata"]["name"] for job in jobs}) == 2
    assert len({mount["subPathExpr"] for mount in mounts}) == 2
    assert all("$(JOB_COMPLETION_INDEX)" in mount["subPathExpr"] for mount in mounts)
