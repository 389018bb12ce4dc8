"""Write the pages under docs/reference from the code; `--check` exits 1 when one of them is stale."""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import headwater
import typer
from headwater.cli.main import app
from headwater.document import models, nodes, resources, status
from headwater.document.crd import custom_resource_definitions
from headwater.errors import HeadwaterError
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py: change the code, then run `python docs/generate.py`. -->\n"


# ---------------------------------------------------------------------- Markdown


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    return f"`{cell(str(text))}`"


def anchor(heading: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def markdown_of(docstring: str | None) -> str:
    """A docstring as Markdown: its examples and `Raises:` sections set as such."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    out: list[str] = []
    inside = False
    for line in lines:
        if line.startswith(">>>") and not inside:
            out += ["```pycon"]
            inside = True
        elif inside and not line.strip():
            out += ["```"]
            inside = False
        if not inside and re.fullmatch(r"(Raises|Returns|Args):", line):
            line = f"**{line[:-1]}**\n"
        elif not inside and re.match(r" {4}\S.*: ", line):
            name, _, said = line.strip().partition(": ")
            line = f"- `{name}`: {said}"
        out.append(re.sub(r"\s*# doctest:.*", "", line) if inside else line)
    if inside:
        out += ["```"]
    return "\n".join(out).strip() + "\n"


# ---------------------------------------------------------------------- flowctl


def cli_page() -> str:
    root: Any = typer.main.get_command(app)
    parts = [
        NOTE,
        "# flowctl\n",
        markdown_of(_help_of(root)),
        "## Global options\n\nThey may stand before or after the command.\n",
        _options(root),
    ]
    for path, command in _commands(root, "flowctl"):
        parts.append(f"## {path}\n\n{_usage(path, command)}\n{markdown_of(_help_of(command))}")
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        if arguments:
            rows = [(code(_metavar(each)), _default(each), cell(each.help or "")) for each in arguments]
            parts.append(table(("argument", "default", "meaning"), rows))
        if any(each.param_type_name == "option" for each in command.params):
            parts.append(_options(command))
    return "\n".join(parts)


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _help_of(command: Any) -> str:
    """The help text, with its examples as blocks."""
    text = inspect.cleandoc(command.help or "")
    text = re.sub(r"^Example: (.*)$", r"```sh\n\1\n```", text, flags=re.M)
    head, several, examples = text.partition("Examples:\n")
    if not several:
        return text
    lines = [line.strip() for line in examples.splitlines()]
    shown = "\n".join(line for line in lines if line.startswith("flowctl"))
    rest = "\n".join(line for line in lines if not line.startswith("flowctl")).strip()
    return f"{head}```sh\n{shown}\n```\n\n{rest}".rstrip()


def _usage(path: str, command: Any) -> str:
    words = [path]
    if any(each.param_type_name == "option" for each in command.params):
        words.append("[OPTIONS]")
    for each in command.params:
        if each.param_type_name == "argument":
            words.append(_metavar(each) if each.required else f"[{_metavar(each)}]")
    return f"```text\n{' '.join(words)}\n```\n"


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _default(param: Any) -> str:
    value = param.default
    if param.required:
        return "required"
    if value in (None, "", False, ()) or (param.param_type_name == "option" and param.is_flag):
        return ""
    return code(getattr(value, "value", value))


def _options(command: Any) -> str:
    rows = []
    for each in command.params:
        if each.param_type_name != "option":
            continue
        names = ", ".join(code(name) for name in [*each.opts, *each.secondary_opts])
        if not each.is_flag:
            names += f" {code(_metavar(each))}"
        rows.append((names, _default(each), cell(each.help or "")))
    return table(("option", "default", "meaning"), rows)


# ---------------------------------------------------------------------- the document

SMALL_TYPES = {
    "Name": 'Letters, digits, `-` and `_`, at most 63, beginning and ending with a letter or digit: `"gen-data"`.',
    "PositiveDuration": "A [Duration](#duration) above zero.",
    "CacheMode": '`"off"`, `inputs` or `code`; an unquoted `off` (false to Kubernetes) means `"off"`.',
    "Duration": 'A number with its unit, quoted: `"200ms"`, `"90s"`, `"15m"`, `"2h"`, `"1d"`, `"1h30m"`.',
    "TaskRef": 'A Python function or task: `"module:name"`.',
    "References": '`"NODE.OUTPUT"`, `"inputs.NAME"`, `"run.name"`; or a list of them, of which the live one counts.',
    "Tolerance": 'A number of items, a share such as `"10%"`, or `"all"`.',
    "ResourceName": "Small letters, digits, `-` and `.`, at most 253, beginning and ending with a letter or digit.",
    "Moment": 'A time with its zone, quoted: `"2026-01-31T00:00:00Z"`.',
    "CronText": 'Minute, hour, day, month and weekday: `"*/5 * * * *"`; or `@hourly`, `@daily`, `@weekly`, `@monthly`.',
    "TimeZone": "A zone of the IANA database, such as `Europe/Berlin`.",
    "DependsOn": "The name of a node, or a [Dependency](#dependency).",
    "Json": "Any JSON value.",
    "Initial": "Any JSON value, or a [Source](#source).",
    "ErrorClassName": "`Error`, `Oom`, `Preempted`, `Timeout` or `Infrastructure`.",
}
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def document_page() -> str:
    named = models_of(models, nodes)
    order = ["Workflow", "Metadata", "WorkflowSpec", "TemplateSpec", "Block", "Node", "Policy"]
    order += [name for name in named if name not in order]
    parts = [
        NOTE,
        "# The Workflow document\n",
        "One YAML or JSON file says what runs. `flowctl compile` writes it, `flowctl run` takes it, `flowctl lint`\n"
        "checks it. How to write one is in [Write documents by hand](../how-to/write-documents-by-hand.md).\n"
        "Names are in camelCase; a field that is not listed here is an error.\n",
    ]
    named |= {each.__name__: each for each in (status.WorkflowStatus, status.StatusCondition)}
    order += [name for name in named if name not in order]
    parts += [_model(name, named[name], named) for name in order]
    parts.append("## Small types\n")
    parts += [f"### {name}\n\n{said}\n" for name, said in SMALL_TYPES.items()]
    return "\n".join(parts)


def resources_page() -> str:
    named = models_of(resources)
    named |= {each.__name__: each for each in models_of(status).values() if each.__name__ != "Status"}
    for name in ("WorkflowStatus", "StatusCondition"):
        named.pop(name, None)
    known = named | models_of(models, nodes) | {"StatusCondition": status.StatusCondition}
    parts = [
        NOTE,
        "# Kubernetes resources\n",
        RESOURCES,
        table(("kind", "plural", "short", "what it is"), list(_kinds())),
        "\n## What can change\n\nOf a Workflow `suspend`, `terminate` and `parallelism`; of a WorkflowTemplate nothing;"
        " of the others everything.\n",
        "## What is refused, and by whom\n\n" + REFUSALS,
    ]
    text = "\n".join([*parts, *(_model(name, model, known) for name, model in named.items())])
    elsewhere = [name for name in known if name not in named] + list(SMALL_TYPES)
    for name in elsewhere:
        text = text.replace(f"](#{anchor(name)})", f"](document.md#{anchor(name)})")
    return text


RESOURCES = """\
The definitions lie in `crds/` and are made from the same models as these pages; `kubectl explain workflow.spec` says
the same in a terminal. All kinds are of `headwater.dev/v1alpha1` and live in namespaces; `kubectl get headwater` lists
all. The fields of a Workflow are on [their own page](document.md).
"""
REFUSALS = """\
The API server refuses values of wrong types, names twice, numbers out of bounds, a node of two kinds, an entrypoint
that is no block, a change of what cannot change. Everything else is refused by the operator: the run ends at once as
`Failed` with the reason `InvalidSpec`, a message that names the field and the fix, and without any pod. `flowctl lint`
says all of it offline.

An unknown field is kept by the API server, for the operator to refuse: without that, clients that do not ask for strict
validation (most libraries, many GitOps tools) would have it dropped without a word, and a misspelt `retry` would run
without retries. A document may have 1.5 MB; above 256 KB use `kubectl apply --server-side`.
"""


def _kinds() -> Iterator[tuple[str, ...]]:
    for definition in custom_resource_definitions():
        names = definition["spec"]["names"]
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        yield names["kind"], code(names["plural"]), code(names["shortNames"][0]), cell(schema["description"])


def models_of(*modules: ModuleType) -> dict[str, type[BaseModel]]:
    """By name: the models that modules define."""
    return {
        name: found
        for module in modules
        for name, found in vars(module).items()
        if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == module.__name__
    }


def _model(name: str, model: type[BaseModel], named: dict[str, type[BaseModel]]) -> str:
    text = f"## {name}\n\n{markdown_of(model.__doc__)}\n"
    own = inspect.get_annotations(model)
    rows = [
        _field(field_name, str(own[field_name]), field, named)
        for field_name, field in model.model_fields.items()
        if field_name in own
    ]
    parent = model.__mro__[1].__name__
    if rows:
        text += table(("field", "type", "default", "description"), rows)
    elif parent not in named or parent == "Model":
        text += "It has no fields: `{}`.\n"
    if parent in named and parent != "Model":
        text += f"\nAnd every field of [{parent}](#{anchor(parent)}).\n"
    return text


def _field(
    name: str, annotation: str, field: FieldInfo, named: dict[str, type[BaseModel]]
) -> tuple[str, ...]:
    shown = field.alias or to_camel(name)
    if name == "generateName":
        shown = name
    kind = annotation.removesuffix(" | None")
    linked = {word for word in re.findall(r"[A-Za-z]+", kind) if word in named or word in SMALL_TYPES}
    said = field.description or ""
    if not said and kind in named:
        said = (named[kind].__doc__ or "").splitlines()[0]
    return (code(shown), _type(kind, linked) + _bounds(field), _default_of(field), cell(said))


def _type(kind: str, linked: set[str]) -> str:
    if kind in linked:
        return f"[{kind}](#{anchor(kind)})"
    literal = re.fullmatch(r"Literal\[(.*)\]", kind)
    if literal:
        values = [value.strip().strip("'\"") for value in literal[1].split(",")]
        return " or ".join(code(value or '""') for value in values)
    text = cell(kind)
    if not linked:
        return code(kind)
    text = text.replace("[", "\\[").replace("]", "\\]")
    for word in sorted(linked, key=len, reverse=True):
        text = re.sub(rf"\b{word}\b", f"[{word}](#{anchor(word)})", text)
    return text


def _bounds(field: FieldInfo) -> str:
    said = []
    for rule in field.metadata:
        said += [f"{word} {getattr(rule, key)}" for key, word in BOUNDS.items() if hasattr(rule, key)]
        least, most = getattr(rule, "min_length", None), getattr(rule, "max_length", None)
        said += [f"{least} or more"] if least else []
        said += [f"at most {most:,}"] if most else []
    return f", {', '.join(said)}" if said else ""


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None or field.default is None:
        return ""
    value = field.default
    return code(str(value).lower() if isinstance(value, bool) else f'"{value}"' if value == "" else value)


# ---------------------------------------------------------------------- Python

FROM_ELSEWHERE = dict.fromkeys(("NodeRecord", "ItemCounts", "RunError"), "headwater.backends.result")
SECTIONS = {
    "Tasks and targets": ("task", "as_task", "Task", "Target", "Parameter", "Skipped"),
    "Workflows": (
        "workflow",
        "as_workflow",
        "Workflow",
        "MapWorkflow",
        "LoopWorkflow",
        "IterativeWorkflow",
        "IfThenElse",
        "MergeTask",
        "exit_pipeline",
    ),
    "Ready-made tasks": ("IdentityTask", "PopenTask", "ExecuteShellScripts", "IPythonTask"),
    "Results and errors": ("RunResult", *FROM_ELSEWHERE, "HeadwaterError", "RunFailed"),
    "Configuration": ("config", "settings", "context", "logger"),
    "Pipelines and commands": ("Pipeline", "RootCommand", "Command", "argument", "PipelineArgs", "Model"),
}
MORE_METHODS = {"Workflow": {"run": "_run_here"}}
INTERNAL = {
    "adopt", "break_func", "call", "check_definition", "configure", "forget_compiled", "has_hook", "scanned",
    "as_failure", "build", "full_name", "get_parent_directory_posix_path", "parser_add_mutually_exclusive_group",
}  # fmt: skip


def api_page() -> str:
    parts = [
        NOTE,
        "# Python API\n",
        "Everything here is imported from `headwater` itself unless another module is named. `import headwater` loads\n"
        "nothing heavy: a name loads what it needs when it is first used.\n",
    ]
    placed = {name for names in SECTIONS.values() for name in names}
    rest = tuple(name for name in headwater.__all__ if name not in placed and not name.startswith("_"))
    for title, names in {**SECTIONS, **({"More": rest} if rest else {})}.items():
        parts.append(f"## {title}\n")
        parts += [_public(name, _found(name)) for name in names if _is_there(name)]
    return "\n".join(parts)


def _is_there(name: str) -> bool:
    return name in FROM_ELSEWHERE or name in headwater.__all__


def _found(name: str) -> Any:
    home = importlib.import_module(FROM_ELSEWHERE.get(name, "headwater"))
    return getattr(home, name)


def _public(name: str, found: Any) -> str:
    if not (isinstance(found, type) or inspect.isroutine(found)):
        kind = type(found)
        return f"### {name}\n\n{markdown_of(kind.__doc__)}\n" + "".join(_methods(kind, name))
    original = {"as_task": "task", "as_workflow": "workflow"}.get(name)
    if original:
        return f"### {name}\n\nThe same as [{original}](#{anchor(original)}), under its older name.\n"
    home = f"\nFrom `{FROM_ELSEWHERE[name]}`.\n" if name in FROM_ELSEWHERE else ""
    text = f"### {name}\n\n```text\n{name}{_signature(found)}\n```\n\n{markdown_of(found.__doc__)}{home}\n"
    return text + "".join(_methods(found, name)) if isinstance(found, type) else text


def _signature(found: Any, *, skip_first: bool = False) -> str:
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return "(...)"
    parameters = list(signature.parameters.values())[1 if skip_first else 0 :]
    text = re.sub(r"'([^']*)'", _unquoted, str(signature.replace(parameters=parameters)))
    text = text.replace("typing.Any", "Any").replace(" = MISSING", " = ...")
    return text.removesuffix(" -> None") if isinstance(found, type) else text


def _unquoted(found: re.Match[str]) -> str:
    """Annotations come quoted (they are not evaluated); default values keep their quotes."""
    before = found.string[: found.start()]
    return found[1] if before.endswith((": ", "-> ")) else found[0]


def _methods(cls: type, name: str) -> Iterator[str]:
    more = MORE_METHODS.get(name, {})
    for attribute in [*vars(cls), *(each for each in more if each not in vars(cls))]:
        found = vars(cls).get(more.get(attribute, attribute))
        repeats = attribute == "setup_targets" and name != "Task"
        if attribute.startswith("_") or attribute in INTERNAL or repeats:
            continue
        if isinstance(found, property) and found.__doc__:
            yield f"#### {name}.{attribute}\n\n{markdown_of(found.__doc__)}\n"
            continue
        is_class = isinstance(found, classmethod)
        function = found.__func__ if isinstance(found, classmethod | staticmethod) else found
        if not inspect.isfunction(function) or not function.__doc__:
            continue
        skip = is_class or not isinstance(found, staticmethod)
        shown = f"{name}.{attribute}{_signature(function, skip_first=skip)}"
        yield f"#### {name}.{attribute}\n\n```text\n{shown}\n```\n\n{markdown_of(function.__doc__)}\n"


# ---------------------------------------------------------------------- errors


def errors_page() -> str:
    for module in pkgutil.walk_packages(headwater.__path__, "headwater."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
    public = {each for each in _subclasses(HeadwaterError) if ".runtime." not in each.__module__}
    found = sorted(public, key=lambda each: (each.code, each.__name__))
    parts = [
        NOTE,
        "# Errors\n",
        "Every error that Headwater raises on purpose is a `headwater.HeadwaterError`. Its `code` never changes, its\n"
        "`message` says what is wrong and where, its `fix` what to do. What a task raises stays what it is.\n"
        "Classes come from `headwater.errors` unless another module is named.\n",
        table(
            ("code", "class", "meaning"),
            [
                (code(each.code), f"[{each.__name__}](#{anchor(each.__name__)})", _first_line(each))
                for each in found
            ],
        ),
    ]
    for each in found:
        base = each.__mro__[1].__name__
        home = "" if each.__module__ == "headwater.errors" else f" From `{each.__module__}`."
        kind = f"A kind of `{base}`.{home}" if each is not HeadwaterError else ""
        parts.append(
            f"## {each.__name__}\n\n`{each.code}` {kind}".rstrip() + f"\n\n{markdown_of(each.__doc__)}"
        )
    return "\n".join(parts)


def _first_line(cls: type) -> str:
    return cell(inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0])


def _subclasses(cls: type[HeadwaterError]) -> set[type[HeadwaterError]]:
    return {cls}.union(*(_subclasses(each) for each in cls.__subclasses__()))


# ---------------------------------------------------------------------- all of it

PAGES = {
    "cli.md": cli_page,
    "document.md": document_page,
    "crds.md": resources_page,
    "python-api.md": api_page,
    "errors.md": errors_page,
}


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path = REFERENCE / name
        text = re.sub(r"\n{3,}", "\n\n", page()).strip() + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            REFERENCE.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{'stale' if check else 'written'}: {', '.join(stale)}")
    if stale and check:
        print("Run `python docs/generate.py`.")
    return int(bool(stale) and check)


if __name__ == "__main__":
    sys.exit(main())
