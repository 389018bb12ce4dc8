"""flowctl run: targets, parameters, output, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_a_file_runs_and_the_end_is_told(flowctl) -> None:
    answer = flowctl("run", "pipeline.py")
    assert answer.code == 0
    assert "Succeeded in" in answer.out
    assert "total: 6" in answer.out
    assert "generating 3" in answer.out
    assert "flowctl show" in answer.out


def test_json_is_one_object_and_nothing_else(flowctl) -> None:
    answer = flowctl("run", "pipeline.py", "--output", "json", "-p", "n=4")
    assert answer.code == 0
    found = answer.json
    assert set(found) == {"run", "phase", "outputs", "nodes", "error"}
    assert found["phase"] == "Succeeded"
    assert found["outputs"] == {"total": 12}
    assert found["error"] is None
    assert found["nodes"]["gen-data"] == {"phase": "Succeeded", "attempts": 1}
    assert found["nodes"]["process"]["items"] == {"total": 4, "succeeded": 4, "failed": 0, "cached": 0}
    assert "generating 4" in answer.err


def test_what_workers_print_stays_out_of_the_json(flowctl) -> None:
    answer = flowctl("run", "pipeline.py", "-o", "json", "-b", "parallel")
    assert answer.code == 0
    assert answer.json["outputs"] == {"total": 6}


def test_a_failed_run_exits_with_1_and_names_the_node(flowctl) -> None:
    answer = flowctl("run", "pipeline.py", "-o", "json", "-p", "n=14")
    assert answer.code == 1
    assert answer.json["phase"] == "Failed"
    assert answer.json["error"]["node"] == "process"
    assert answer.json["error"]["type"] == "MapFailed"
    assert answer.json["error"]["class"] == "Error"
    assert "thirteen" in answer.json["error"]["message"]
    assert answer.json["nodes"]["total"]["phase"] == "Skipped"


def test_a_failed_run_shows_the_users_own_frames_and_what_to_do_next(flowctl) -> None:
    answer = flowctl("run", "pipeline.py", "-p", "n=14")
    assert answer.code == 1
    assert 'raise ValueError("thirteen")' in answer.out
    assert "/headwater/" not in answer.out
    assert "replay" in answer.out
    assert "resume" in answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "Missing argument"),
        (["run", "gone.py"], "there is no file 'gone.py'"),
        (["run", "gone:flow"], "there is no module 'gone'"),
        (
            ["operator", "run", "--database-url", "nowhere"],
            "--database-url: the database URL nowhere is not valid",
        ),
        (["operator", "run", "--database-url", "postgresql://h:x/d"], "--database-url: the database URL"),
        (["operator", "run", "--image", "two words"], "--image 'two words' names no image"),
        (["run", "pipeline.py:total"], "A task runs in a workflow: `with Workflow() as w: total()`"),
        (["run", "gone.yaml"], "there is no file"),
        (["run", "gone"], "is not a target"),
        (["run", "pipeline.py:reduec"], "Did you mean 'reduce'?"),
        (["run", "pipeline.py:gen_data"], "is not a workflow"),
        (["run", "pipeline.py", "-p", "n"], "there is no '='"),
        (["run", "pipeline.py", "-p", "m=3"], "unknown input 'm'"),
        (["run", "pipeline.py", "-p", "n=1", "-p", "n=2"], "given twice"),
        (["run", "pipeline.py", "--backend", "spark"], "Known backends: default, kubernetes, parallel"),
        (["run", "pipeline.py", "--config", "gone.yml"], "there is no config file 'gone.yml'"),
        (["run", "pipeline.py", "--output", "xml"], "xml"),
        (["frobnicate"], "No such command"),
        (["run", "pipeline"], "Did you mean pipeline.py?"),
        (["run", "pipelien.py"], "Did you mean 'pipeline.py'?"),
        (["run", "--bakend", "parallel", "pipeline.py"], "Did you mean --backend?"),
        (["run", "pipeline.py", "-b", "paralel"], "Did you mean 'parallel'?"),
        (["run", "pipeline.py", "--workers", "2"], "Add --backend parallel."),
        (["show", "nothing"], "no run is recorded"),
        (["compile", "pipeline.py", "-o", "xml"], "unknown output"),
        (["lint", "gone.yaml"], "there is no file"),
        (["stop", "last"], "no run"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(flowctl, arguments: list[str], words: str) -> None:
    answer = flowctl(*arguments)
    assert words in answer.err
    assert "Traceback" not in answer.err
    assert answer.code == 2
    assert answer.out == ""


def test_an_early_error_is_an_object_too(flowctl) -> None:
    answer = flowctl("run", "pipeline.py", "-o", "json", "-p", "m=1")
    assert answer.code == 2
    assert answer.json["phase"] == "Failed"
    assert "unknown input" in answer.json["error"]["message"]


def test_global_options_may_follow_the_command(flowctl) -> None:
    assert flowctl("run", "pipeline.py", "-b", "parallel", "-o", "json").json["phase"] == "Succeeded"
    assert flowctl("-b", "parallel", "run", "pipeline.py", "-o", "json").json["phase"] == "Succeeded"
    assert {each["backend"] for each in flowctl("list", "-o", "json").json} == {"parallel"}


def test_several_workflows_are_listed(flowctl, folder: Path) -> None:
    text = (folder / "pipeline.py").read_text()
    (folder / "pipeline.py").write_text(text + "\n\n@workflow\ndef other():\n    gen_data()\n")
    answer = flowctl("run", "pipeline.py")
    assert answer.code == 2
    assert "pipeline.py:reduce" in answer.err
    assert "pipeline.py:other" in answer.err
    assert flowctl("run", "pipeline.py:other", "-o", "json").json["outputs"] == {"xs": [0, 1, 2]}


def test_a_module_in_the_current_folder_is_found(flowctl) -> None:
    assert flowctl("run", "pipeline:reduce", "-o", "json").json["outputs"] == {"total": 6}


def test_a_file_with_the_name_of_a_library_module_runs_on_workers(flowctl, folder: Path) -> None:
    (folder / "random.py").write_text((folder / "pipeline.py").read_text())
    answer = flowctl("run", "random.py", "-b", "parallel", "-o", "json")
    assert answer.json["outputs"] == {"total": 6}


def test_text_for_an_input_of_type_str_stays_text(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(
        "from headwater import task, workflow\n\n"
        '@task\ndef show(a: str, b: object) -> {"kinds": list}:\n'
        "    return [type(a).__name__, type(b).__name__]\n\n"
        "@workflow\ndef flow():\n    show()\n"
    )
    answer = flowctl("run", "pipeline.py", "-p", "a=12", "-p", "b=12", "-o", "json")
    assert answer.json["outputs"] == {"kinds": ["str", "int"]}
    answer = flowctl("run", "pipeline.py", "-p", "a=x=y", "-p", "b={not json", "-o", "json")
    assert answer.json["outputs"] == {"kinds": ["str", "str"]}


def test_exit_pipeline_gives_its_code(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(
        "from headwater import exit_pipeline, task, workflow\n\n"
        '@task\ndef leave(code: int) -> {"x": int}:\n    exit_pipeline(code)\n\n'
        "@workflow\ndef flow():\n    leave()\n"
    )
    assert flowctl("run", "pipeline.py", "-p", "code=0").code == 0
    assert flowctl("run", "pipeline.py", "-p", "code=7").code == 7


def test_no_track_leaves_no_record(flowctl, folder: Path) -> None:
    answer = flowctl("run", "pipeline.py", "--no-track")
    assert answer.code == 0
    assert flowctl("list", "-o", "json").json == []


def test_dry_run_says_what_would_run(flowctl) -> None:
    answer = flowctl("run", "pipeline.py", "--dry-run")
    assert answer.code == 0
    assert "gen-data" in answer.out
    assert flowctl("list", "-o", "json").json == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "import not_there\n",
            "pipeline.py:1: ModuleNotFoundError: No module named 'not_there'\n  Install it",
        ),
        ("def f(:\n", "pipeline.py:1: invalid syntax\n  def f(:"),
        ("y = 1\ny + 'a'\n", "pipeline.py:2: TypeError: unsupported operand"),
        ("from headwater import task\n\n\n@task(cahce=True)\ndef a(): pass\n", "pipeline.py:4: In task 'a'"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_told_with_the_line(
    flowctl, folder: Path, text: str, said: str
) -> None:
    (folder / "pipeline.py").write_text(text)
    answer = flowctl("run", "pipeline.py")
    assert answer.code == 2
    assert answer.err.startswith(f"error: {said}")
    assert "Traceback" not in answer.err
    traced = flowctl("run", "pipeline.py", "--traceback").err
    assert "pipeline.py" in traced
    assert "typer" not in traced


def test_a_workflow_that_wants_something_from_outside_is_named(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(
        "from headwater import workflow\n\n\n@workflow\ndef flow(n):\n    pass\n"
    )
    assert "'flow' cannot run by itself: its function wants n" in flowctl("run", "pipeline.py").err


def test_backend_and_parameters_come_from_the_config(flowctl, folder: Path) -> None:
    (folder / "config.yml").write_text("backend: parallel\n")
    flowctl("run", "pipeline.py")
    assert flowctl("list", "-o", "json").json[0]["backend"] == "parallel"


def test_a_number_for_a_float_is_a_float_and_an_example_helps(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(
        "from headwater import task, workflow\n\n"
        '@task\ndef show(energy: float) -> {"kind": str}:\n    return type(energy).__name__\n\n'
        "@workflow\ndef flow():\n    show()\n"
    )
    assert flowctl("run", "pipeline.py", "-p", "energy=3", "-o", "json").json["outputs"] == {"kind": "float"}
    answer = flowctl("run", "pipeline.py", "-p", "energy=high")
    assert answer.code == 2
    assert "-p energy=high: must be float; got str" in answer.err
    assert "Such as -p energy=1.5" in answer.err


def test_a_misspelt_section_of_the_config_is_told_and_one_of_the_authors_own_is_not(
    flowctl, folder: Path
) -> None:
    (folder / "config.yml").write_text("bakend: parallel\narchive: {url: here}\n")
    answer = flowctl("run", "pipeline.py")
    assert answer.code == 0
    assert "the section 'bakend' means nothing here; did you mean 'backend'?" in answer.err
    assert "archive" not in answer.err


def test_lint_of_python_says_what_can_be_checked(flowctl) -> None:
    answer = flowctl("lint", "pipeline.py")
    assert answer.code == 2
    assert "compile pipeline.py | flowctl lint -" in answer.err
