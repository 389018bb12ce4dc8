"""Broken documents: each is refused with the path, what is wrong, and how to mend it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from headwater.document import dump_yaml, lint, load, validate
from headwater.errors import DocumentError

GOOD: dict[str, Any] = {
    "apiVersion": "headwater.dev/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "reduce"},
    "spec": {
        "entrypoint": "main",
        "arguments": {"multiplier": 3},
        "blocks": [
            {
                "name": "main",
                "inputs": {"multiplier": {"type": "int", "default": 1}},
                "nodes": [
                    {"name": "gen", "task": "tuto.tasks:GenData", "outputs": {"raw": {"type": "list"}}},
                    {
                        "name": "process",
                        "map": {"call": {"block": "one"}, "over": {"raw": {"from": "gen.raw"}}},
                        "inputs": {"multiplier": {"from": "inputs.multiplier"}},
                    },
                    {
                        "name": "show",
                        "container": {"image": "debian", "command": ["echo", "$(INPUT_X)"]},
                        "inputs": {"x": {"from": "process.y"}},
                        "outputs": {"shown": {"type": "str"}},
                    },
                    {"name": "big", "condition": {"input": {"from": "show.shown"}, "operator": "exists"}},
                    {"name": "left", "task": "m:f", "branch": {"of": "big", "when": True}, "inputs": {}},
                    {"name": "right", "task": "m:f", "branch": {"of": "big", "when": False}, "inputs": {}},
                    {"name": "both", "merge": {}, "dependsOn": ["left", "right"]},
                ],
            },
            {
                "name": "one",
                "inputs": {"raw": {}, "multiplier": {"type": "int"}},
                "outputs": {"y": {"from": "compute.y"}},
                "nodes": [{"name": "compute", "task": "tuto.tasks:Compute"}],
            },
        ],
    },
}

MAIN = "spec.blocks[0]"
GEN, PROCESS, SHOW = (f"{MAIN}.nodes[{index}]" for index in range(3))


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good document with one thing put, or taken away (`...`)."""
    document = copy.deepcopy(GOOD)
    at: Any = document
    parts = [
        int(part) if part.isdigit() else part for part in path.replace("]", "").replace("[", ".").split(".")
    ]
    for part in parts[:-1]:
        at = at[part] if isinstance(part, int) else at.setdefault(part, {})
    if value is ...:
        del at[parts[-1]]
    elif isinstance(parts[-1], int) and parts[-1] == len(at):
        at.append(value)
    else:
        at[parts[-1]] = value
    return document


BROKEN: list[tuple[str, Any, str, str]] = [
    # where, what, path of the problem, words of it
    ("apiVersion", "v1", "apiVersion", "must be 'headwater.dev/v1alpha1'"),
    ("apiVersion", ..., "apiVersion", "is missing"),
    ("kind", "Wrokflow", "kind", "must be 'Workflow'"),
    ("spec", ..., "spec", "is missing"),
    ("spec", [], "spec", "must be an object"),
    ("spec.bloks", [], "spec.bloks", "unknown field 'bloks'. Did you mean 'blocks'?"),
    ("spec.blocks", [], "spec.blocks", "is empty"),
    ("spec.blocks", ..., "spec", "give `blocks` or `template`"),
    ("spec.template", {"name": "t"}, "spec", "give `blocks` or `template`"),
    ("spec.entrypoint", "mian", "spec.entrypoint", "no block 'mian'. Did you mean 'main'?"),
    ("spec.entrypoint", ..., "spec.entrypoint", "several blocks. Name one: 'main', 'one'"),
    ("spec.arguments", {"multiplyer": 3}, "spec.arguments.multiplyer", "Did you mean 'multiplier'?"),
    ("spec.arguments", {"multiplier": "x"}, "spec.arguments.multiplier", "must be int; got str"),
    ("spec.arguments", {"multiplier": True}, "spec.arguments.multiplier", "must be int; got bool"),
    ("spec.parallelism", 0, "spec.parallelism", "at least 1; got 0"),
    ("spec.parallelism", "many", "spec.parallelism", "must be a number; got a string 'many'"),
    ("spec.parallelism", 1.5, "spec.parallelism", "number"),
    ("spec.failFast", "true", "spec.failFast", "must be true or false; got a string"),
    ("spec.timeout", "2 hours", "spec.timeout", "duration such as"),
    ("spec.timeout", 90, "spec.timeout", "duration such as"),
    ("spec.onExit", "notify", "spec.onExit", "there is no block 'notify'"),
    ("spec.terminate", "Kill", "spec.terminate", "'Stop'"),
    ("spec.synchronization", {}, "spec.synchronization", "`mutex` or `semaphore`"),
    (
        "spec.synchronization",
        {"semaphore": {"name": "gpu", "limit": 0}},
        "spec.synchronization.semaphore.limit",
        "1",
    ),
    ("spec.parameters", {"compute": 3}, "spec.parameters.compute", "must be an object"),
    ("spec.defaults", {"retries": 3}, "spec.defaults.retries", "unknown field 'retries'"),
    ("spec.blocks[1].name", "main", "spec.blocks[1].name", "'main' is taken by spec.blocks[0]"),
    (f"{MAIN}.nodes", [], f"{MAIN}.nodes", "is empty"),
    (f"{MAIN}.nodez", [], f"{MAIN}.nodez", "Did you mean 'nodes'?"),
    (f"{MAIN}.placement", "pod", f"{MAIN}.placement", "'unit'"),
    (f"{MAIN}.inputs.multiplier.default", "x", f"{MAIN}.inputs.multiplier.default", "must be int; got str"),
    (f"{MAIN}.outputs", {"r": {"from": "nobody.x"}}, f"{MAIN}.outputs.r.from", "no node 'nobody'"),
    (f"{GEN}.name", "gen data", f"{GEN}.name", "is not a name"),
    (f"{GEN}.name", True, f"{GEN}.name", "must be a name"),
    (f"{GEN}.name", "x" * 64, f"{GEN}.name", "at most 63"),
    (f"{GEN}.name", "show", f"{SHOW}.name", "'show' is taken by"),
    (f"{GEN}.task", ..., GEN, "'gen' has no kind"),
    (f"{GEN}.merge", {}, GEN, "has `task` and `merge`"),
    (f"{GEN}.task", "tasks.py", f"{GEN}.task", '"module:name"'),
    (f"{GEN}.taks", "m:f", f"{GEN}.taks", "Did you mean 'task'?"),
    (f"{GEN}.timeout", "soon", f"{GEN}.timeout", "duration"),
    (f"{GEN}.cache", "on", f"{GEN}.cache", "'off'"),
    (f"{GEN}.executor", "lsf", f"{GEN}.executor", "'slurm'"),
    (f"{GEN}.retry", {"limit": -1}, f"{GEN}.retry.limit", "at least 0"),
    (f"{GEN}.retry", {"classes": ["OOM"]}, f"{GEN}.retry.classes[0]", "'Oom'"),
    (f"{GEN}.retry", {"backoff": {"factor": 0.5}}, f"{GEN}.retry.backoff.factor", "at least 1"),
    (f"{GEN}.retry", {"backoff": {"inital": "1s"}}, f"{GEN}.retry.backoff.inital", "Did you mean 'initial'?"),
    (f"{GEN}.inputs", {"x": 3}, f"{GEN}.inputs.x", "must be an object"),
    (f"{GEN}.inputs", {"x": {}}, f"{GEN}.inputs.x", "give one of `from`, `value`"),
    (f"{GEN}.inputs", {"x": {"from": "a.b", "value": 1}}, f"{GEN}.inputs.x", "give one of `from`, `value`"),
    (f"{GEN}.inputs", {"x": {"from": "show"}}, f"{GEN}.inputs.x.from", "NODE.OUTPUT"),
    (f"{GEN}.inputs", {"x": {"from": "shwo.y"}}, f"{GEN}.inputs.x.from", "Did you mean 'show'?"),
    (
        f"{GEN}.inputs",
        {"x": {"from": "inputs.multiplyer"}},
        f"{GEN}.inputs.x.from",
        "Did you mean 'multiplier'?",
    ),
    (f"{GEN}.inputs", {"x": {"from": "run.state"}}, f"{GEN}.inputs.x.from", "a run has no 'state'"),
    (f"{GEN}.inputs", {"x": {"from": "gen.raw"}}, f"{GEN}.inputs.x.from", "reads its own output"),
    (f"{GEN}.inputs", {"x": {"from": "show.shwn"}}, f"{GEN}.inputs.x.from", "declares no output 'shwn'"),
    (f"{GEN}.inputs", {"x": {"from": "process.z"}}, f"{GEN}.inputs.x.from", "no output 'z'"),
    (f"{GEN}.inputs", {"x": {"from": "process.y"}}, GEN, "wait for each other: gen -> process -> gen"),
    (f"{GEN}.dependsOn", ["nobody"], f"{GEN}.dependsOn[0]", "no node 'nobody'"),
    (f"{GEN}.dependsOn", [{"node": "show", "outcome": "ok"}], f"{GEN}.dependsOn[0].outcome", "'failed'"),
    (f"{GEN}.dependsOn", "show", f"{GEN}.dependsOn", "must be a list"),
    (f"{GEN}.branch", {"of": "show", "when": True}, f"{GEN}.branch.of", "not a condition"),
    (f"{GEN}.branch", {"of": "big", "when": "yes"}, f"{GEN}.branch.when", "must be true or false"),
    (f"{GEN}.artifacts", {"a": {"path": "/x"}}, GEN, "`artifacts` are for container nodes"),
    (f"{PROCESS}.map.over", {}, f"{PROCESS}.map.over", "is empty"),
    (f"{PROCESS}.map.over.raw", {"value": 7}, f"{PROCESS}.map.over.raw.value", "must be a list"),
    (f"{PROCESS}.map.over.raw", {"range": -1}, f"{PROCESS}.map.over.raw.range", "at least 0"),
    (f"{PROCESS}.map.tolerate", "101%", f"{PROCESS}.map.tolerate", "at most 100%"),
    (f"{PROCESS}.map.tolerate", -1, f"{PROCESS}.map.tolerate", "how many items may fail"),
    (f"{PROCESS}.map.tolerate", "some", f"{PROCESS}.map.tolerate", "how many items may fail"),
    (f"{PROCESS}.map.collect", "list", f"{PROCESS}.map.collect", "'flat'"),
    (f"{PROCESS}.map.call", {"block": "on"}, f"{PROCESS}.map.call.block", "Did you mean 'one'?"),
    (f"{PROCESS}.map.call", {}, f"{PROCESS}.map.call", "`block` or `template`"),
    (f"{PROCESS}.map.call", ..., f"{PROCESS}.map", "give one of `task`, `container` or `call`"),
    (f"{PROCESS}.map.itemsPerPod", 0, f"{PROCESS}.map.itemsPerPod", "at least 1"),
    (f"{PROCESS}.inputs", {}, f"{PROCESS}.map.call", "input 'multiplier' of block 'one' is not given"),
    (f"{PROCESS}.inputs.colour", {"value": 1}, f"{PROCESS}.map.call", "has no input 'colour'"),
    (f"{PROCESS}.inputs.raw", {"value": 1}, f"{PROCESS}.inputs.raw", "mapped over too"),
    (f"{SHOW}.container.image", ..., f"{SHOW}.container.image", "is missing"),
    (f"{SHOW}.container.command", "echo", f"{SHOW}.container.command", "must be a list"),
    (f"{SHOW}.when", {"input": {"from": "gone.x"}}, f"{SHOW}.when.input.from", "no node 'gone'"),
    (f"{MAIN}.nodes[6].dependsOn", ..., f"{MAIN}.nodes[6]", "merge 'both' needs `dependsOn`"),
    (f"{MAIN}.nodes[7]", {"name": "l", "loop": {"block": "one"}}, f"{MAIN}.nodes[7].loop", "one of the two"),
    (
        f"{MAIN}.nodes[7]",
        {"name": "l", "loop": {"block": "none", "iterations": 1}},
        f"{MAIN}.nodes[7].loop.block",
        "none",
    ),
    (
        f"{MAIN}.nodes[7]",
        {"name": "l", "iterate": {"block": "one"}},
        f"{MAIN}.nodes[7].iterate.maxIterations",
        "missing",
    ),
    (
        f"{MAIN}.nodes[7]",
        {"name": "r", "race": {"blocks": ["one"]}},
        f"{MAIN}.nodes[7].race.blocks",
        "at least 2",
    ),
    (f"{MAIN}.nodes[7]", {"name": "s", "suspend": {}}, f"{MAIN}.nodes[7].suspend", "one of the two"),
    (f"{MAIN}.nodes[7]", {"name": "c", "condition": {}}, f"{MAIN}.nodes[7].condition", "give `task`"),
    (
        f"{MAIN}.nodes[7]",
        {"name": "z", "map": {"task": "m:f", "over": {"a": {"value": [1]}, "b": {"value": [1, 2]}}}},
        f"{MAIN}.nodes[7].map",
        "one length: 'a' has 1, 'b' has 2",
    ),
    (
        f"{MAIN}.nodes[7]",
        {"name": "z", "map": {"container": {"image": "i"}, "over": {"a": {"range": 3}}, "itemsPerPod": 2}},
        f"{MAIN}.nodes[7].map",
        "not a container",
    ),
    (
        "spec.blocks[1].nodes[1]",
        {"name": "again", "call": {"block": "main"}},
        "spec.blocks[0]",
        "run each other without end: main -> one -> main",
    ),
]


def test_the_good_document_is_good() -> None:
    assert lint(yaml.safe_dump(GOOD)) == []


@pytest.mark.parametrize(("where", "what", "path", "words"), BROKEN)
def test_a_broken_document_is_refused(where: str, what: Any, path: str, words: str) -> None:
    problems = lint(yaml.safe_dump(changed(where, what), sort_keys=False))
    found = [problem for problem in problems if problem.path == path]
    assert found, problems
    said = " | ".join(f"{each.message}. {each.fix}" for each in found)
    assert words in said
    assert all(problem.line is not None for problem in problems)


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 60


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
