"""flows list, show, register, run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headwater.cli.commands.running import one_object, print_object
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import as_json, clock, print_json, short, table
from headwater.cli.targets import DOCUMENTS, find_target, inputs_of, make_importable
from headwater.configuration import setup_logging
from headwater.flows import Flow, FlowOfFlows
from headwater.flows.registry import list_templates, register_template
from headwater.flows.templates import template_document


def list_flows(project: str | None, *, json: bool) -> None:
    """Print the registered flows."""
    setup_logging()
    found = list_templates(project)
    if json:
        print_json(
            [
                {
                    "project": each.project,
                    "name": each.name,
                    "version": each.version,
                    "created_at": each.created_at,
                }
                for each in found
            ]
        )
    elif found:
        rows = [(each.project, each.name, str(each.version), clock(each.created_at)) for each in found]
        print(table(rows, ("project", "name", "version", "registered")))
    else:
        print("no flows are registered; `flowctl flows register TARGET` does it")


def show_flow(name: str, project: str, version: int | None, *, json: bool) -> None:
    """Print what a flow takes and does."""
    setup_logging()
    project, name = _in_project(project, name)
    flow = Flow(name=name, project_name=project, version=version).load_flow()
    versions = [each.version for each in list_templates(project) if each.name == name]
    if json:
        shown = {"id": flow.flow_id, "parameters": flow.parameters, "tasks": flow.tasks, "versions": versions}
        print_json({**shown, "template": flow.template})
        return
    print(f"{flow.flow_id}  (versions: {', '.join(map(str, versions))})")
    for title, lines in (
        ("parameters", [f"{each}: {_described(spec)}" for each, spec in flow.parameters.items()]),
        ("tasks", [f"{each} -> {', '.join(outputs) or 'nothing'}" for each, outputs in flow.tasks.items()]),
    ):
        print(f"\n{title}")
        for line in lines:
            print(f"  {line}")


def _in_project(project: str, name: str) -> tuple[str, str]:
    """The project and the name of a flow, which may be written as `register` prints it: PROJECT/NAME."""
    given, slash, own = name.rpartition("/")
    return (given, own) if slash else (project, name)


def _described(spec: dict[str, Any]) -> str:
    kind = str(spec.get("type", "any"))
    return f"{kind} = {spec['default']!r}" if "default" in spec else kind


def register_flow(target: str, project: str, name: str | None, *, json: bool) -> None:
    """Register a workflow or a composition."""
    setup_logging()
    if _is_composition(target):
        composition = FlowOfFlows.from_yaml(Path(target))
        flow_id = composition.compose_and_register()
    else:
        compiled = find_target(target).compiled
        called = name or compiled.name
        flow_id = register_template(project, called, template_document(compiled, project, called)).flow_id
    if json:
        print_json({"id": flow_id})
    else:
        print(f"registered {flow_id}")


def _is_composition(target: str) -> bool:
    return Path(target).suffix in DOCUMENTS and "composing_flows" in Path(target).read_text(encoding="utf-8")


def run_flow(
    name: str, params: Sequence[str], project: str, version: int | None, task: str | None, *, json: bool
) -> None:
    """Run a flow and print what its tasks returned."""
    with one_object(json) as out:
        setup_logging(GLOBALS.log_level)
        make_importable(Path.cwd())
        flow: Flow
        if Path(name).suffix in DOCUMENTS and Path(name).is_file():
            flow = FlowOfFlows.from_yaml(Path(name))
        else:
            project, name = _in_project(project, name)
            flow = Flow(name=name, project_name=project, version=version).load_flow()
        inputs = inputs_of(params, flow.parameters)
        found = flow.run_and_return(inputs, task, **({"backend": GLOBALS.backend} if GLOBALS.backend else {}))
        if json:
            print_object(as_json(found), out)
        elif task is not None:
            print(short(found, 200))
        else:
            for each, value in found.items():
                flow_name, _, plain = each.rpartition("/")
                if flow_name and plain in found:
                    continue  # it has its own name to itself, and is shown by that
                print(f"{each}: {short(value, 100)}")
