"""Broken documents: each is refused with the path, what is wrong, and how to mend it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from headwater.document import Problem, dump_yaml, lint, load, problems_of, told, validate
from headwater.errors import DocumentError

from tests.document.broken import BROKEN, BROKEN_RESOURCES, GEN, GOOD, changed, cron, huge, resource


def test_the_good_document_is_good() -> None:
    assert lint(yaml.safe_dump(GOOD)) == []


def test_a_file_that_a_container_leaves_is_an_output_of_it() -> None:
    container = {"image": "debian", "command": ["true"]}
    leaves = {"name": "leaves", "container": container, "artifacts": {"model": {"path": "/out/model.bin"}}}
    takes = {"name": "takes", "container": container, "inputs": {"model": {"from": "leaves.model"}}}
    spec = {"entrypoint": "main", "blocks": [{"name": "main", "nodes": [leaves, takes]}]}
    assert lint(yaml.safe_dump({**GOOD, "spec": spec})) == []


@pytest.mark.parametrize(("where", "what", "path", "words"), BROKEN)
def test_a_broken_document_is_refused(where: str, what: Any, path: str, words: str) -> None:
    problems = lint(yaml.safe_dump(changed(where, what), sort_keys=False))
    found = [problem for problem in problems if problem.path == path]
    assert found, problems
    said = " | ".join(f"{each.message}. {each.fix}" for each in found)
    assert words in said
    assert all(problem.line is not None for problem in problems)


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) + len(BROKEN_RESOURCES) >= 170


@pytest.mark.parametrize(("document", "path", "words"), BROKEN_RESOURCES)
def test_a_broken_resource_of_any_kind_is_refused(document: dict[str, Any], path: str, words: str) -> None:
    for problems in (lint(dump_yaml(document)), problems_of(document)):
        said = " | ".join(f"{each.message}. {each.fix}" for each in problems if each.path == path)
        assert words in said, problems


@pytest.mark.parametrize(
    "document",
    [
        resource("WorkflowTemplate", **GOOD["spec"] | {"arguments": ...}),
        cron(timeZone="Europe/Berlin", concurrencyPolicy="Forbid", suspend=True, schedules=["@daily"]),
        resource(
            "SlurmCluster", transport="rest", endpoint="http://slurm", workdir="/w", secretRef={"name": "jwt"}
        ),
    ],
    ids=lambda each: each["kind"],
)
def test_the_other_kinds_can_be_linted(document: dict[str, Any]) -> None:
    document["spec"] = {key: value for key, value in document["spec"].items() if value is not ...}
    assert lint(dump_yaml(document)) == []
    assert problems_of(document) == []


def test_the_operator_refuses_what_lint_refuses() -> None:
    for where, what, path, words in BROKEN:
        if path.startswith("metadata"):
            continue  # the API server refuses it itself
        said = " | ".join(
            f"{each.message}. {each.fix}" for each in problems_of(changed(where, what)) if each.path == path
        )
        assert words in said, (where, what)


def test_what_the_operator_reads_holds_more_than_a_file() -> None:
    stored = {
        **GOOD,
        "metadata": {"name": "x", "managedFields": [{"manager": "kubectl"}], "uid": "1", "finalizers": []},
        "status": {"phase": "Running", "of a newer operator": 1},
    }
    assert problems_of(stored) == []


def test_an_argument_that_is_missing_is_told_before_a_run_on_a_cluster() -> None:
    document = changed("spec.blocks[0].inputs.multiplier", {"type": "int"})
    del document["spec"]["arguments"]
    assert lint(dump_yaml(document)) == []
    (problem,) = problems_of(document)
    assert problem.path == "spec.arguments"
    assert "input 'multiplier' of block 'main' is not given" in problem.message


def test_an_operator_can_allow_what_reaches_the_machine() -> None:
    host = {"spec": {"hostNetwork": True, "volumes": [{"name": "v", "hostPath": {"path": "/data"}}]}}
    document = changed(f"{GEN}.podTemplate", host)
    assert len(problems_of(document)) == 2
    assert problems_of(document, allow_host=True) == []


def test_the_operator_survives_any_depth() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    document = changed(f"{GEN}.inputs", {"x": {"value": deep}})
    assert problems_of(document) in (
        [],
        [Problem("spec", "is nested too deeply", "Hand over large data as artifacts.")],
    )


def test_huge_documents_are_refused_at_once() -> None:
    (problem,) = lint("# " + "x" * 10_000_000)
    assert "10.0 MB; Kubernetes stores at most 1.5 MB" in problem.message
    (problem,) = lint(dump_yaml(huge(1.6)))
    assert "stores at most 1.5 MB" in problem.message


def test_an_unquoted_off_is_understood_where_it_is_a_word_of_ours() -> None:
    text = dump_yaml(changed(f"{GEN}.cache", "off")).replace("'off'", "off")
    assert lint(text) == []
    assert problems_of(changed(f"{GEN}.cache", False)) == []


def test_names_that_became_booleans_are_explained() -> None:
    (problem,) = problems_of(changed("spec.arguments", {"true": 3}))
    assert "Quote it" in problem.fix


def test_the_first_of_several_problems_is_told_in_a_status() -> None:
    document = changed("spec.parallelism", 0)
    document["spec"]["timeout"] = "soon"
    assert told(problems_of(document)).endswith("(and 1 more: `flowctl lint` lists all)")


def test_all_problems_are_told_at_once() -> None:
    document = changed("spec.parallelism", 0)
    document["spec"]["timeout"] = "soon"
    assert {problem.path for problem in lint(yaml.safe_dump(document))} == {
        "spec.parallelism",
        "spec.timeout",
    }


def test_names_are_checked_although_a_field_is_wrong() -> None:
    document = changed("spec.paralelism", 3)
    document["spec"]["onExit"] = "nobody"
    document["spec"]["blocks"][0]["nodes"][0]["timeout"] = "soon"
    found = {problem.path for problem in lint(yaml.safe_dump(document))}
    assert found == {"spec.paralelism", "spec.onExit", f"{GEN}.timeout"}


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: 1\na: 2\n", "the key 'a' is given twice", 2),
        ("a: [1\nb: 2\n", "not valid YAML", 2),
        ("a:\n\t- 1\n", "not valid YAML", 2),
        ("a: b: c\n", "not valid YAML", 1),
        ("a: no\n", "unquoted no is a boolean to Kubernetes", 1),
        ("on: 1\n", "unquoted on is a boolean to Kubernetes", 1),
        ("1: 1\n", "the key '1' is not a string", 1),
        ("a: !!python/object:os.system x\n", "means nothing here", 1),
        ("a: &a [*a]\n", "contains itself", 1),
        ("", "not a Workflow document", 1),
        ("- 1\n", "not a Workflow document", 1),
        ("just text\n", "not a Workflow document", 1),
    ],
)
def test_text_that_is_no_document(text: str, words: str, line: int) -> None:
    problems = lint(text)
    assert any(words in problem.message and problem.line == line for problem in problems), problems


def test_the_line_of_a_problem_is_told() -> None:
    text = dump_yaml(changed("spec.onExit", "nobody"))
    (problem,) = lint(text)
    assert problem.line is not None
    assert "onExit" in text.splitlines()[problem.line - 1]


def test_quoted_booleans_are_names() -> None:
    document = changed(f"{GEN}.name", "on")
    document["spec"]["blocks"][0]["nodes"][1]["map"]["over"]["raw"]["from"] = "on.raw"
    assert lint(dump_yaml(document)) == []


def test_load_refuses_with_every_problem(tmp_path) -> None:
    file = tmp_path / "workflow.yaml"
    file.write_text(dump_yaml(changed("spec.timeout", "soon")))
    with pytest.raises(
        DocumentError, match=r"workflow.yaml: line \d+: spec.timeout: must be a duration"
    ) as refused:
        load(file)
    assert len(refused.value.problems) == 1


def test_load_of_a_missing_file() -> None:
    with pytest.raises(DocumentError, match=r"there is no file 'gone.yaml'"):
        load("gone.yaml")


def test_validate_gives_models() -> None:
    assert validate(GOOD).spec.blocks[1].name == "one"
    with pytest.raises(DocumentError, match="unknown field"):
        validate(changed("spec.x", 1))
