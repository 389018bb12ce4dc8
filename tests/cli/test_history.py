"""flowctl list, show, logs, resume, retry, diff, replay: what is known of runs that ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_list_has_the_promised_fields(flowctl) -> None:
    flowctl("run", "pipeline.py", "--name", "mine")
    (found,) = flowctl("list", "--output", "json").json
    assert {"run", "name", "phase", "backend", "started_at", "finished_at"} <= set(found)
    assert (found["name"], found["phase"], found["backend"]) == ("mine", "Succeeded", "default")
    assert "mine" in flowctl("list").out
    assert flowctl("list", "--phase", "Failed", "-o", "json").json == []


def test_list_without_runs(flowctl) -> None:
    answer = flowctl("list")
    assert answer.code == 0
    assert "no runs" in answer.out


def test_show_tells_nodes_errors_and_the_traceback(flowctl) -> None:
    flowctl("run", "pipeline.py", "-p", "n=14")
    shown = flowctl("show", "last")
    assert "Failed" in shown.out
    assert "13/14 items" in shown.out
    assert "ValueError: thirteen" in shown.out
    found = flowctl("show", "last", "-o", "json").json
    assert found["inputs"] == {"n": 14}
    assert found["nodes"]["process"]["items"] == {"total": 14, "succeeded": 13, "failed": 1, "cached": 0}
    (exception,) = [each for each in found["exceptions"] if each["item"] == 13]
    assert exception["type"] == "ValueError"
    assert "thirteen" in exception["traceback"]


def test_a_run_is_found_by_the_beginning_of_its_id(flowctl) -> None:
    run = flowctl("run", "pipeline.py", "-o", "json").json["run"]
    assert flowctl("show", run[:-2], "-o", "json").json["run"] == run


def test_logs_by_node_and_by_item(flowctl) -> None:
    flowctl("run", "pipeline.py")
    assert "generating 3" in flowctl("logs", "last").out
    assert "computing" not in flowctl("logs", "last", "gen_data").out
    texts = [each["text"] for each in flowctl("logs", "last", "process[1]", "-o", "json").json]
    assert texts == ["computing 1"]
    answer = flowctl("logs", "last", "nothing")
    assert answer.code == 2
    assert "gen-data" in answer.err


def test_logs_of_workers_are_kept_too(flowctl) -> None:
    flowctl("run", "pipeline.py", "-b", "parallel")
    texts = {each["text"] for each in flowctl("logs", "last", "process", "-o", "json").json}
    assert texts == {"computing 0", "computing 1", "computing 2"}


def test_resume_runs_only_what_is_missing(flowctl, folder: Path) -> None:
    flowctl("run", "pipeline.py", "-p", "n=14")
    text = (folder / "pipeline.py").read_text()
    (folder / "pipeline.py").write_text(text.replace("x == 13", "x == 99"))
    answer = flowctl("resume", "last")
    assert answer.code == 0
    assert "1 of 14 items; 13 are reused" in answer.out
    assert answer.out.count("computing") == 1
    assert "total: 182" in answer.out
    found = flowctl("list", "-o", "json").json
    assert found[0]["resumed_from"] == found[1]["run"]


def test_resume_from_some_items(flowctl) -> None:
    flowctl("run", "pipeline.py", "-p", "n=6")
    answer = flowctl("resume", "last", "--from", "process[1,3-4]")
    assert answer.code == 0
    assert answer.out.count("computing") == 3
    assert "total: 30" in answer.out


def test_resume_with_code_runs_what_was_edited(flowctl, folder: Path) -> None:
    flowctl("run", "pipeline.py")
    refused = flowctl("resume", "last")
    assert refused.code == 2
    assert "nothing to resume" in refused.err
    text = (folder / "pipeline.py").read_text()
    (folder / "pipeline.py").write_text(text.replace("return sum(y)", "return sum(y) + 100"))
    answer = flowctl("resume", "last", "--with-code")
    assert answer.code == 0
    assert "the code of total changed" in answer.out
    assert "generating" not in answer.out
    assert "total: 106" in answer.out


def test_retry_keeps_what_was_upstream(flowctl) -> None:
    flowctl("run", "pipeline.py")
    answer = flowctl("retry", "last", "--from", "process")
    assert answer.code == 0
    assert "generating" not in answer.out
    assert answer.out.count("computing") == 3
    wrong = flowctl("retry", "last", "--from", "nothing")
    assert wrong.code == 2
    assert "gen-data" in wrong.err


def test_resume_dry_run_only_says(flowctl) -> None:
    flowctl("run", "pipeline.py", "-p", "n=14")
    answer = flowctl("resume", "last", "--dry-run")
    assert answer.code == 0
    assert "reuse" in answer.out
    assert len(flowctl("list", "-o", "json").json) == 1


def test_diff_names_what_changed_and_where_runs_went_apart(flowctl, folder: Path) -> None:
    first = flowctl("run", "pipeline.py", "-o", "json").json["run"]
    text = (folder / "pipeline.py").read_text()
    (folder / "pipeline.py").write_text(text.replace("factor: int = 2", "factor: int = 3"))
    second = flowctl("run", "pipeline.py", "-o", "json").json["run"]
    found = flowctl("diff", first, second, "-o", "json").json
    assert found["diverged"] == "process"
    kinds = {(each["what"], each["where"]) for each in found["differences"]}
    assert ("output", "total") in kinds
    assert any(what == "code" for what, _ in kinds)
    assert "do not differ" in flowctl("diff", first, first).out


def test_replay_calls_one_item_again(flowctl, folder: Path) -> None:
    flowctl("run", "pipeline.py", "-p", "n=14")
    answer = flowctl("replay", "last", "process[3]")
    assert answer.code == 0
    assert "y: 6" in answer.out
    failed = flowctl("replay", "last", "process[13]")
    assert failed.code == 1
    assert "ValueError: thirteen" in failed.err
    wrong = flowctl("replay", "last", "process")
    assert wrong.code == 2
    assert "process[0]" in wrong.err
    assert flowctl("replay", "last", "gen_data", "-o", "json").json["outputs"] == {"xs": list(range(14))}


def test_control_of_a_run_that_has_ended(flowctl) -> None:
    flowctl("run", "pipeline.py")
    for command in (["stop", "last"], ["cancel", "last"], ["approve", "last", "x"]):
        answer = flowctl(*command)
        assert answer.code == 2
        assert "has ended: Succeeded" in answer.err


def test_list_refuses_a_phase_that_there_is_not_and_says_what_it_looked_for(flowctl) -> None:
    flowctl("run", "pipeline.py")
    wrong = flowctl("list", "--phase", "Faild")
    assert wrong.code == 2
    assert "there is no phase 'Faild'" in wrong.err
    assert "Did you mean 'Failed'?" in wrong.err
    assert flowctl("list", "--phase", "failed").out == "no run that is recorded here is Failed\n"
    assert "has the name 'other'" in flowctl("list", "--name", "other").out


def test_logs_of_an_item_that_there_is_not_and_of_a_silent_node_say_so(flowctl) -> None:
    flowctl("run", "pipeline.py")
    missing = flowctl("logs", "last", "process", "--item", "99")
    assert missing.code == 2
    assert "'process' has no item 99" in missing.err
    assert "It has 3" in missing.err
    assert "it is no map" in flowctl("logs", "last", "total[0]").err
    silent = flowctl("logs", "last", "total")
    assert (silent.code, silent.err) == (0, "nothing was printed in total\n")


LOGGING = """
import logging
from headwater import task, workflow

@task(retries=2)
def fails() -> {"x": int}:
    logging.getLogger(__name__).warning("careful")
    try:
        {}["gone"]
    except KeyError as error:
        raise OSError("\\x1b[31mnot here\\x1b[0m " + "a" * 200) from error

@workflow
def flow():
    fails()
"""


def test_what_is_logged_is_in_the_log_once_with_its_level(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(LOGGING)
    answer = flowctl("run", "pipeline.py")
    assert answer.err.count("careful") == 3
    found = flowctl("logs", "last", "-o", "json").json
    assert [(each["text"], each["level"], each["attempt"]) for each in found] == [
        ("careful", "WARNING", 1), ("careful", "WARNING", 2), ("careful", "WARNING", 3),
    ]  # fmt: skip
    assert flowctl("logs", "last").out.splitlines()[0].endswith("fails: WARNING careful")


def test_attempts_and_causes_are_told_and_texts_are_cut_in_words_that_show_it(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(LOGGING)
    answer = flowctl("run", "pipeline.py")
    assert "fails: started, attempt 2" in answer.out
    assert "fails: OSError, after 3 attempts" in answer.out
    assert "because of KeyError: 'gone'" in answer.out
    shown = flowctl("show", "last").out
    assert shown.count("fails, attempts 1 to 3: OSError: not here") == 1
    assert "was the direct cause of" in shown
    (line,) = [line for line in flowctl("list").out.splitlines() if "Failed" in line]
    assert line.endswith("aaa…")
    assert "\x1b" not in answer.out + shown + line


def test_a_run_whose_process_ends_at_once_is_lost(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(
        "import os\nfrom headwater import task, workflow\n\n"
        '@task\ndef dies() -> {"x": int}:\n    os._exit(9)\n\n@workflow\ndef flow():\n    dies()\n'
    )
    words = ["-c", "from headwater.cli.main import main; main()", "run", "pipeline.py"]
    assert subprocess.run([sys.executable, *words], cwd=folder, check=False).returncode == 9
    (found,) = flowctl("list", "-o", "json").json
    assert found["phase"] == "Lost"
    assert "ended without a word" in flowctl("show", "last").out
    assert "Lost in" not in flowctl("show", "last").out


TOLERANT = """
from headwater import MapWorkflow, task, workflow

@task
def numbers(bad: int = 2) -> {"xs": list[int]}:
    return [0, 1, bad, 3]

@task
def work(x: int) -> {"y": int}:
    if x == 2:
        raise ValueError("two is bad")
    return x

@task
def total(y: list[int]) -> {"total": int}:
    return sum(y)

@workflow
def flow():
    numbers() | MapWorkflow(work(), map_on={"xs": "x"}) | total()
"""


def test_items_that_were_let_fail_are_shown_first_and_run_again_when_asked_for(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(TOLERANT)
    answer = flowctl("run", "pipeline.py")
    item, failed = (
        answer.out.index(words) for words in ("[2]: ValueError: two is bad", "total: TargetError")
    )
    assert item < failed
    assert 'raise ValueError("two is bad")' in answer.out
    assert "--from 'map-workflow[2]'" in answer.out
    assert "replay" not in answer.out  # no line of a task failed
    errors = flowctl("run", "pipeline.py", "-o", "json").json["nodes"]["map-workflow"]["items"]["errors"]
    assert (errors["2"]["type"], errors["2"]["message"]) == ("ValueError", "two is bad")
    assert "1 of its items failed" in flowctl("resume", "last", "--dry-run").out
    (folder / "pipeline.py").write_text(TOLERANT.replace("if x == 2", "if x == 9"))
    again = flowctl("resume", "last", "--from", "map-workflow[2]", "-o", "json")
    assert again.json["outputs"] == {"total": 6}


def test_a_run_that_is_not_recorded_is_not_said_to_be_found_again(flowctl) -> None:
    assert "look further" not in flowctl("run", "pipeline.py", "--no-track").out


def test_a_run_that_a_task_has_ended_says_so(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(
        "from headwater import exit_pipeline, task, workflow\n\n"
        '@task\ndef leave() -> {"x": int}:\n    exit_pipeline(3)\n\n@workflow\ndef flow():\n    leave()\n'
    )
    assert "exit_pipeline(3)" in flowctl("run", "pipeline.py").out
