"""A pod that runs one task."""

import json

import pytest

WORK = """
    import os, sys
    from headwater import Skipped, exit_pipeline, task, Parameter, config, logger

    @task
    def add(a: int, b: int = 10) -> {"result": int}:
        print("adding", a, "and", b)
        return a + b

    def plain(x):
        return {"y": (x, {1: b"raw"})}

    @task
    def big(n: int) -> {"data": list, "small": int}:
        return {"data": list(range(n)), "small": 1}

    @task
    def skips() -> {"x": int}:
        return Skipped()

    @task
    def leaves() -> {"x": int}:
        exit_pipeline(3)

    @task
    def compute(x: int, multiplier: Parameter(int)) -> {"y": int}:
        assert config["parameters"]["compute"]["multiplier"] == multiplier
        return x * multiplier

    @task
    def speaks() -> {"x": int}:
        print("one", flush=False)
        os.system("echo two")
        print("three ", end="")
        os.write(1, b"four\\n")
        print("five")
        return 1

    @task
    def logs() -> {"x": int}:
        logger.warning("careful")
        import logging
        logging.getLogger("headwater").info("by the way")
        return 1

    @task
    def sleeps() -> {"x": int}:
        import time
        try:
            time.sleep(60)
        finally:
            print("cleaned up")
        return 1
    """


@pytest.fixture
def work(pods):
    pods.write(WORK)
    return pods


def test_a_task_runs_and_its_small_outputs_are_in_the_report(work):
    ended = work.task("work:add", inputs={"a": 2})
    assert (ended.code, ended.out, ended.err) == (0, "adding 2 and 10\n", "")
    assert ended.report.outputs == {"result": {"json": 12}}
    began, finished = ended.report.at
    assert 0 < began <= finished


def test_a_plain_function_is_a_task_and_small_objects_keep_their_types(work):
    ended = work.task("work:plain", inputs={"x": 1})
    assert list(ended.report.outputs["y"]) == ["pickle"]
    assert work.output(ended, "y") == (1, {1: b"raw"})


def test_large_outputs_go_to_the_store_and_small_ones_stay(work):
    ended = work.task("work:big", inputs={"n": 100_000})
    assert list(ended.report.outputs["small"]) == ["json"]
    assert ended.report.outputs["data"]["length"] == 100_000
    assert work.output(ended, "data") == list(range(100_000))


def test_a_large_output_without_a_store_says_what_to_do(work):
    failure = work.task("work:big", inputs={"n": 5000}, store="").failure
    assert failure["type"] == "StoreError"
    assert "output 'data'" in failure["message"]
    assert "23,891 bytes" in failure["message"]
    assert "--store" in failure["message"]


def test_many_outputs_fit_by_moving_the_largest(work):
    work.write("""
        from headwater import task
        NAMES = [f"output_{i}" for i in range(12)]
        @task
        def many() -> {name: str for name in NAMES}:
            import random
            return {name: "%0500x" % random.getrandbits(1990) for name in NAMES}
        """, "more.py")  # fmt: skip
    ended = work.task("more:many")
    kinds = [next(iter(value)) for value in ended.report.outputs.values()]
    assert {"ref", "json"} == set(kinds)
    assert len(work.output(ended, "output_7")) == 500


def test_a_great_many_outputs_lie_in_one_artifact(work):
    work.write("""
        from headwater import task
        NAMES = [f"output_{i}" for i in range(200)]
        @task
        def many() -> {name: str for name in NAMES}:
            import random
            return {name: "%0500x" % random.getrandbits(1990) for name in NAMES}
        """, "more.py")  # fmt: skip
    ended = work.task("more:many")
    assert len(ended.report.outputs) == 200
    assert len(work.output(ended, "output_199")) == 500


def test_a_skipped_task(work):
    ended = work.task("work:skips")
    assert (ended.code, ended.report.skipped, ended.report.outputs) == (0, True, None)


def test_exit_pipeline_is_an_answer_and_no_failure(work):
    ended = work.task("work:leaves")
    assert (ended.code, ended.report.exit_code, ended.report.failure) == (0, 3, None)


def test_parameters_come_from_the_document(work):
    document = {"parameters": {"compute": {"multiplier": 7}}}
    ended = work.task("work:compute", inputs={"x": 6}, document=document)
    assert work.output(ended, "y") == 42


def test_what_is_printed_comes_in_order_also_beside_child_processes(work):
    assert work.task("work:speaks").out == "one\ntwo\nthree four\nfive\n"


def test_logging_is_as_on_the_authors_machine(work):
    assert work.task("work:logs").err == "WARNING work: careful\nINFO headwater: by the way\n"


def test_secrets_of_a_config_file_are_in_no_log_and_no_report(work):
    (work.folder / "config.yml").write_text("secrets: {token: hunter2}\n")
    work.write("""
        def leaks():
            print("token: hunter2")
            raise ValueError("hunter2 is wrong")
        """, "leaky.py")  # fmt: skip
    ended = work.task("leaky:leaks")
    assert ended.out == "token: ***\n"
    assert ended.failure["message"] == "*** is wrong"
    assert "hunter2" not in ended.message


def test_a_task_over_its_time_is_ended_and_cleans_up(work):
    ended = work.task("work:sleeps", policy={"timeout": "200ms"})
    assert ended.failure["class"] == "Timeout"
    assert ended.failure["type"] == "Timeout"
    assert ended.failure["message"] == "ran longer than its timeout of 0.2 s"
    assert "time.sleep(60)" in ended.failure["traceback"]
    assert ended.out == "cleaned up\n"


def test_the_timeout_of_the_defaults_counts(work):
    ended = work.task("work:sleeps", document={"defaults": {"timeout": "200ms"}})
    assert ended.failure["class"] == "Timeout"


def test_a_cached_task_runs_once(work):
    first = work.task("work:add", inputs={"a": 1}, policy={"cache": "code"})
    again = work.task("work:add", inputs={"a": 1}, policy={"cache": "code"})
    assert (first.report.cached, again.report.cached) == (0, 1)
    assert (first.out, again.out) == ("adding 1 and 10\n", "")
    assert again.report.outputs == {"result": {"json": 11}}


def test_what_was_not_understood_is_said(pods):
    ended = pods.run("task", [], env={"HEADWATER_UNIT": "{}"})
    assert ended.failure["class"] == "InvalidSpec"
    assert "one version" in ended.failure["message"]


def test_without_a_unit_it_says_what_it_is_for(pods):
    ended = pods.run("task", [], env={"HEADWATER_UNIT": ""})
    assert ended.code == 2
    assert "flowctl run" in ended.err


def test_a_unit_may_lie_in_a_file(work, tmp_path):
    from headwater.document.unit import UnitSpec, write_unit

    node = {"name": "t", "task": "work:add"}
    spec = UnitSpec(
        "u1", "r", "t", 1, "task", {"blocks": [{"name": "main", "nodes": [node]}]}, node="t",
        inputs={"a": {"json": 1}},
    )  # fmt: skip
    (tmp_path / "unit").write_text(write_unit(spec))
    ended = work.run("task", [], env={"HEADWATER_UNIT": f"@{tmp_path}/unit"})
    assert ended.report.outputs == {"result": {"json": 11}}


def test_values_by_reference_arrive_as_they_left(work):
    first = work.task("work:big", inputs={"n": 10_000})
    work.write("def length(data): return {'n': len(data), 'kind': type(data).__name__}\n", "more.py")
    node = {"name": "t", "task": "more:length"}
    ended = work.run("task", [node], "t", inputs={"data": first.report.outputs["data"]})
    assert json.dumps(ended.report.outputs) == '{"n": {"json": 10000}, "kind": {"json": "list"}}'
