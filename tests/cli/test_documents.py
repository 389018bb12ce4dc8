"""flowctl compile, lint, plan: documents, and what a run would do."""

from __future__ import annotations

from pathlib import Path

from headwater.document import load


def test_compile_writes_a_document_that_lint_accepts_and_run_runs(flowctl, folder: Path) -> None:
    compiled = flowctl("compile", "pipeline.py")
    assert compiled.code == 0
    assert compiled.out == flowctl("compile", "pipeline.py").out
    (folder / "workflow.yaml").write_text(compiled.out)
    assert flowctl("lint", "workflow.yaml").out == "workflow.yaml: no problems\n"
    assert flowctl("lint", "workflow.yaml", "-o", "json").json == []
    assert flowctl("run", "workflow.yaml", "-o", "json", "-p", "n=4").json["outputs"] == {"total": 12}
    as_json = flowctl("compile", "pipeline.py", "--output", "json").json
    assert as_json == load(folder / "workflow.yaml")


def test_lint_names_line_path_and_fix(flowctl, folder: Path) -> None:
    text = flowctl("compile", "pipeline.py").out.replace("entrypoint: main", "entrypoint: mian")
    (folder / "w.yaml").write_text(text)
    answer = flowctl("lint", "w.yaml")
    assert answer.code == 1
    assert "w.yaml:6: spec.entrypoint: there is no block 'mian'" in answer.out
    assert "Did you mean 'main'?" in answer.out
    (found,) = flowctl("lint", "w.yaml", "-o", "json").json
    assert set(found) == {"path", "message", "fix", "line"}
    assert (found["path"], found["line"]) == ("spec.entrypoint", 6)


def test_a_wrong_document_is_not_run(flowctl, folder: Path) -> None:
    (folder / "w.yaml").write_text("apiVersion: headwater.dev/v1alpha1\nkind: Workflow\nspec: {}\n")
    answer = flowctl("run", "w.yaml")
    assert answer.code == 2
    assert "give `blocks` or `template`" in answer.err


HAND_WRITTEN = """\
apiVersion: headwater.dev/v1alpha1
kind: Workflow
metadata: {name: by-hand}
spec:
  entrypoint: main
  arguments: {n: 5}
  blocks:
  - name: main
    inputs: {n: {type: int}}
    nodes:
    - {name: gen, task: "pipeline:gen_data"}
    - name: each
      map: {task: "pipeline:compute", over: {x: {from: gen.xs}}, tolerate: all}
    - name: check
      condition: {input: {from: gen.xs}, operator: exists}
    - {name: sum, task: "pipeline:total", inputs: {y: {from: each.y}}, branch: {of: check, when: true}}
"""


def test_a_document_by_hand_matches_inputs_by_name(flowctl, folder: Path) -> None:
    (folder / "w.yaml").write_text(HAND_WRITTEN)
    assert flowctl("lint", "w.yaml").code == 0
    answer = flowctl("run", "w.yaml", "-o", "json")
    assert answer.json["outputs"] == {"total": 20}
    assert answer.json["nodes"]["each"]["items"]["succeeded"] == 5


def test_a_document_whose_task_lacks_an_input_is_refused(flowctl, folder: Path) -> None:
    text = HAND_WRITTEN.replace("inputs: {y: {from: each.y}}", "inputs: {}")
    (folder / "w.yaml").write_text(text)
    answer = flowctl("run", "w.yaml")
    assert answer.code == 2
    assert "spec.blocks[0].nodes[3]: input 'y' of task 'total' is fed by nothing" in answer.err


CACHED = """
from headwater import task, workflow


@task(cache=True)
def first(x: int) -> {"y": int}:
    return x + 1


@task(cache=True)
def second(y: int) -> {"z": int}:
    return y + 1


@workflow
def flow():
    first() | second()
"""


def test_plan_says_what_is_cached_and_why_not(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(CACHED)
    rows = flowctl("plan", "pipeline.py", "-p", "x=1", "-o", "json").json
    assert [(row["node"], row["action"]) for row in rows] == [("first", "run"), ("second", "wait")]
    assert "nothing is cached" in rows[0]["why"]
    flowctl("run", "pipeline.py", "-p", "x=1")
    rows = flowctl("plan", "pipeline.py", "-p", "x=1", "-o", "json").json
    assert [row["action"] for row in rows] == ["cached", "cached"]
    (folder / "pipeline.py").write_text(CACHED.replace("return y + 1", "return y + 2"))
    rows = flowctl("plan", "pipeline.py", "-p", "x=1", "-o", "json").json
    assert [row["action"] for row in rows] == ["cached", "run"]
    assert "code" in rows[1]["why"]
    assert "changed" in rows[1]["why"]


def test_plan_looks_behind_what_is_not_cached(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(CACHED.replace("@task(cache=True)\ndef first", "@task\ndef first"))
    rows = flowctl("plan", "pipeline.py", "-p", "x=1", "-o", "json").json
    assert [row["action"] for row in rows] == ["run", "wait"]
    run = flowctl("run", "pipeline.py", "-p", "x=1", "-o", "json").json["run"]
    rows = flowctl("plan", "pipeline.py", "-p", "x=1", "-o", "json").json
    assert [row["action"] for row in rows] == ["run", "cached"]
    assert run in rows[1]["why"]
    explained = flowctl("cache", "explain", "last", "second").out
    assert "its outputs are in the cache" in explained


def test_cache_ls_explain_clear(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(CACHED)
    assert "nothing is cached" in flowctl("cache", "ls").out
    run = flowctl("run", "pipeline.py", "-p", "x=1", "-o", "json").json["run"]
    entries = flowctl("cache", "ls", "-o", "json").json
    assert {(each["node"], each["run"]) for each in entries} == {("first", run), ("second", run)}
    assert "input x changed" in flowctl("cache", "explain", "pipeline.py", "first", "-p", "x=2").out
    answer = flowctl("cache", "explain", "pipeline.py", "third", "-p", "x=2")
    assert answer.code == 2
    assert "first, second" in answer.err
    refused = flowctl("cache", "clear")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert flowctl("cache", "clear", "first", "--yes", "-o", "json").json == {"removed": 1}
    assert [each["node"] for each in flowctl("cache", "ls", "-o", "json").json] == ["second"]


def test_overwrite_cache_computes_anew(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(CACHED)
    flowctl("run", "pipeline.py", "-p", "x=1")
    phases = flowctl("run", "pipeline.py", "-p", "x=1", "-o", "json").json["nodes"]
    assert phases["first"]["phase"] == "Cached"
    phases = flowctl("run", "pipeline.py", "-p", "x=1", "-o", "json", "--overwrite-cache").json["nodes"]
    assert phases["first"]["phase"] == "Succeeded"


def test_a_run_says_how_many_items_of_a_map_came_from_the_cache(flowctl, folder: Path) -> None:
    (folder / "pipeline.py").write_text(
        "from headwater import MapWorkflow, task, workflow\n\n"
        '@task\ndef numbers() -> {"xs": list[int]}:\n    return [1, 2, 3]\n\n'
        '@task\ndef double(x: int) -> {"y": int}:\n    return 2 * x\n\n'
        "@workflow\ndef flow():\n"
        '    numbers() | MapWorkflow(double(), map_on={"xs": "x"}, name="doubles", cache=True)\n'
    )
    assert "from the cache" not in flowctl("run", "pipeline.py").out
    assert "doubles: 3 of 3 items came from the cache" in flowctl("run", "pipeline.py").out
