"""Read, check and write documents."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from headwater.document.base import Model
from headwater.document.models import TemplateSpec, Workflow, WorkflowSpec
from headwater.document.names import resource_problem
from headwater.document.pods import pod_problems
from headwater.document.problems import Found, Problem, line_of, path_text
from headwater.document.problems import Path as FieldPath
from headwater.document.resources import KINDS, CronWorkflow, WorkflowTemplate
from headwater.document.semantics import semantic_problems
from headwater.document.structure import structure_problems
from headwater.document.yaml_text import Parsed, parse
from headwater.errors import DocumentError

STORED_LIMIT = 1_500_000
"""Bytes of JSON that Kubernetes stores of one resource."""

_READ_LIMIT = 8_000_000
_RUNS = ("Workflow",)


def lint(text: str) -> list[Problem]:
    """Everything that is wrong with the text of a document of any kind; an empty list when a cluster can run it.

    >>> lint("apiVersion: headwater.dev/v1alpha1\\nkind: Workflow\\nspec: {blocks: []}")[0].path
    'spec.blocks'
    """
    if len(text) > _READ_LIMIT:
        return [_too_large(len(text))]
    parsed = parse(text)
    model, problems = _checked(parsed, tuple(KINDS))
    if model is not None:
        found = [*_name_problems(parsed.data), *_cluster_problems(model, allow_host=False)]
        problems += _problems(found, parsed.lines)
    if len(text) > STORED_LIMIT and not problems:
        size = len(_json(parsed.data))
        problems += [_too_large(size)] if size > STORED_LIMIT else []
    return problems


def problems_of(resource: Mapping[str, Any], *, allow_host: bool = False) -> list[Problem]:
    """Everything that is wrong with a resource of any kind as the API server gives it.

    `allow_host`: whether pods may reach their machine. Never raises, whatever the resource holds.

    >>> spec = {"blocks": [{"name": "main", "nodes": [{"name": "a", "task": "m:a", "timeout": "soon"}]}]}
    >>> found = problems_of({"apiVersion": "headwater.dev/v1alpha1", "kind": "Workflow", "spec": spec})
    >>> found[0].path
    'spec.blocks[0].nodes[0].timeout'
    """
    data = {key: value for key, value in resource.items() if key not in ("status", "metadata")}
    try:
        model, problems = _checked(Parsed(data), tuple(KINDS))
        if model is not None:
            found = [*_cluster_problems(model, allow_host=allow_host), *_arguments_missing(model)]
            problems += _problems(found, {})
    except RecursionError:
        return [Problem("spec", "is nested too deeply", "Hand over large data as artifacts.")]
    return problems


def load(source: str | Path) -> dict[str, Any]:
    """The checked content of a Workflow document, from a path or from its text.

    Raises:
        DocumentError: it cannot be read or is not valid; `problems` has every finding with its line.
    """
    text, name = _read(source)
    parsed = parse(text)
    problems = _checked(parsed, _RUNS)[1]
    if problems:
        raise _refusal(problems, name)
    data: dict[str, Any] = parsed.data
    return data


def validate(document: Mapping[str, Any]) -> Workflow:
    """The models of a Workflow document that was read already.

    Raises:
        DocumentError: it is not valid.
    """
    model, problems = _checked(Parsed(document if isinstance(document, dict) else dict(document)), _RUNS)
    if not isinstance(model, Workflow) or problems:
        raise _refusal(problems, "")
    return model


def json_schema(kind: str = "Workflow") -> dict[str, Any]:
    """The JSON schema of a document, for editors.

    >>> json_schema()["title"]
    'Workflow'
    """
    return KINDS[kind].model_json_schema(by_alias=True)


def to_document(workflow: Workflow) -> dict[str, Any]:
    """The models back as plain data: what was given, nothing more."""
    found: dict[str, Any] = workflow.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return found


def _checked(parsed: Parsed, kinds: Collection[str]) -> tuple[Model | None, list[Problem]]:
    problems = [Problem(path_text(path), said, fix, line) for path, said, fix, line in parsed.issues]
    if parsed.data is None and problems:
        return None, problems
    model, found = structure_problems(parsed.data, parsed.lines, kinds)
    if model is not None:
        for spec, root in _specs(model):
            found += _problems(semantic_problems(spec, root), parsed.lines)
    return model, problems + found


def _specs(model: Model) -> Iterator[tuple[TemplateSpec, FieldPath]]:
    """The specs in a resource that can run, and where each stands."""
    if isinstance(model, Workflow | WorkflowTemplate):
        yield model.spec, ("spec",)
    elif isinstance(model, CronWorkflow):
        yield model.spec.workflow.spec, ("spec", "workflow", "spec")


def _cluster_problems(model: Model, *, allow_host: bool) -> Iterator[Found]:
    for spec, root in _specs(model):
        yield from pod_problems(spec, root, allow_host=allow_host)


def _arguments_missing(model: Model) -> Iterator[Found]:
    for spec, root in _specs(model):
        if not isinstance(spec, WorkflowSpec) or not spec.blocks:
            continue
        entry = spec.entrypoint or spec.blocks[0].name
        block = next((each for each in spec.blocks if each.name == entry), None)
        for name in block.needed() if block is not None else ():
            if name not in (spec.arguments or {}):
                yield (
                    (*root, "arguments"),
                    f"input {name!r} of block {entry!r} is not given",
                    f"Add `arguments: {{{name}: …}}`, or give the input a default.",
                )


def _name_problems(data: Mapping[str, Any]) -> Iterator[Found]:
    name = (data.get("metadata") or {}).get("name")
    if name is not None and (found := resource_problem(name)):
        yield ("metadata", "name"), found, ""


def _problems(found: Iterator[Found] | list[Found], lines: Mapping[FieldPath, int]) -> list[Problem]:
    return [Problem(path_text(path), said, fix, line_of(path, lines)) for path, said, fix in found]


def _too_large(size: int) -> Problem:
    said = f"the document has {size / 1e6:.1f} MB; Kubernetes stores at most {STORED_LIMIT / 1e6:.1f} MB"
    return Problem("", said, "Use maps for many like nodes, templates for parts, artifacts for data.", 1)


def _json(data: Any) -> str:
    import json

    return json.dumps(data, separators=(",", ":"))


def _read(source: str | Path) -> tuple[str, str]:
    if isinstance(source, str) and "\n" in source:
        return source, ""
    path = Path(source)
    try:
        return path.read_text(encoding="utf-8"), str(source)
    except FileNotFoundError:
        raise DocumentError(f"there is no file {str(source)!r}", fix="Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{source} cannot be read: {error}", fix="Save it as UTF-8 text.") from error


def _refusal(problems: list[Problem], name: str) -> DocumentError:
    where = f"{name}: " if name else ""
    if len(problems) == 1:
        return DocumentError(f"{where}{problems[0]}", problems=tuple(problems))
    listed = "\n".join(f"  {problem}" for problem in problems)
    return DocumentError(f"{where}{len(problems)} problems\n{listed}", problems=tuple(problems))
