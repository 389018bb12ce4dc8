"""Read, check and write documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headwater.document.models import Workflow
from headwater.document.problems import Problem
from headwater.document.semantics import semantic_problems
from headwater.document.structure import structure_problems
from headwater.document.yaml_text import Parsed, parse
from headwater.errors import DocumentError


def lint(text: str) -> list[Problem]:
    """Everything that is wrong with the text of a document; an empty list when it can run.

    >>> lint("apiVersion: headwater.dev/v1alpha1\\nkind: Workflow\\nspec: {blocks: []}")[0].path
    'spec.blocks'
    """
    return _checked(parse(text))[1]


def load(source: str | Path) -> dict[str, Any]:
    """The checked content of a document, from a path or from its text.

    Raises:
        DocumentError: it cannot be read or is not valid; `problems` has every finding with its line.
    """
    text, name = _read(source)
    parsed = parse(text)
    problems = _checked(parsed)[1]
    if problems:
        raise _refusal(problems, name)
    data: dict[str, Any] = parsed.data
    return data


def validate(document: Mapping[str, Any]) -> Workflow:
    """The models of a document that was read already.

    Raises:
        DocumentError: it is not valid.
    """
    model, problems = _checked(Parsed(document if isinstance(document, dict) else dict(document)))
    if model is None or problems:
        raise _refusal(problems, "")
    return model


def json_schema() -> dict[str, Any]:
    """The JSON schema of a Workflow document, for editors.

    >>> json_schema()["title"]
    'Workflow'
    """
    return Workflow.model_json_schema(by_alias=True)


def to_document(workflow: Workflow) -> dict[str, Any]:
    """The models back as plain data: what was given, nothing more."""
    found: dict[str, Any] = workflow.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return found


def _checked(parsed: Parsed) -> tuple[Workflow | None, list[Problem]]:
    from headwater.document.problems import path_text

    problems = [Problem(path_text(path), said, fix, line) for path, said, fix, line in parsed.issues]
    if parsed.data is None and problems:
        return None, problems
    model, found = structure_problems(parsed.data, parsed.lines)
    if model is not None:
        found += semantic_problems(model, parsed.lines)
    return model, problems + found


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
