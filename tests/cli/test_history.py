"""flowctl list, show, logs, resume, retry, diff, replay: what is known of runs that ended."""

from __future__ import annotations

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
