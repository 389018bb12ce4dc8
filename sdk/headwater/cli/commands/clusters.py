"""list, show, get, logs and doctor for runs in a cluster."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from headwater.backends.kubernetes import outcome
from headwater.backends.kubernetes.api import Json
from headwater.backends.kubernetes.control import list_runs
from headwater.backends.kubernetes.doctor import Finding, examine
from headwater.backends.kubernetes.logs import Follower, Line, Wanted, lines_of
from headwater.backends.kubernetes.manifest import WORKFLOW_LABEL
from headwater.backends.result import NodeRecord, RunError
from headwater.cli.commands.looking import (
    asked_for,
    log_line,
    log_object,
    node_line,
    node_object,
    plain_value,
    print_failure,
    print_runs,
)
from headwater.cli.commands.looking import run_object as local_run_object
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import (
    clipped,
    clock,
    glyph,
    phase_style,
    print_json,
    program,
    recorded,
    seconds,
    styled,
)
from headwater.cli.runs import Place, Remote, cluster_at, remote
from headwater.configuration import setup_logging
from headwater.records.model import Error, Node, Run

# ---------------------------------------------------------------------- in the shape of the records


def run_of(workflow: Json) -> Run:
    """A Workflow as a record, so that it is shown as any other run."""
    metadata, status = workflow["metadata"], workflow.get("status") or {}
    nodes = outcome.nodes_of(workflow)
    failed = sum(node.items.failed for node in nodes.values() if node.items is not None)
    annotations = metadata.get("annotations") or {}
    return Run(
        metadata["name"],
        (metadata.get("labels") or {}).get(WORKFLOW_LABEL) or metadata["name"],
        outcome.phase_of(workflow),
        "kubernetes",
        "",
        outcome.started_at(workflow),
        outcome.epoch(status.get("finishedAt")),
        _message(status),
        _error(outcome.run_error_of(workflow, nodes)),
        outcome.exit_code_of(workflow),
        failed,
        annotations.get("headwater.dev/resumes"),
        inputs={name: {"json": value} for name, value in (workflow["spec"].get("arguments") or {}).items()},
        outputs=outcome.outputs_of(workflow),
        namespace=metadata["namespace"],
    )


def _message(status: Mapping[str, Any]) -> str:
    progress = status.get("progress") or ""
    return ", ".join(filter(None, (progress, status.get("message") or status.get("reason") or "")))


def _error(error: RunError | None) -> Error | None:
    return None if error is None else Error(error.type, error.message, error.error_class, error.node)


def node_of(path: str, record: NodeRecord) -> Node:
    """A node of a status as a record."""
    items = record.items
    return Node(
        path,
        record.phase,
        attempt=record.attempts,
        message=record.message,
        started_at=record.started_at,
        finished_at=record.finished_at,
        total=items.total if items else None,
        succeeded=items.succeeded if items else None,
        failed=items.failed if items else None,
        cached=items.cached if items else None,
        error=_error(record.error),
    )


def run_object(workflow: Json) -> dict[str, Any]:
    """A Workflow as `list -o json` shows a run."""
    return {**local_run_object(run_of(workflow)), "namespace": workflow["metadata"]["namespace"]}


# ---------------------------------------------------------------------- list, show, get


def list_remote(limit: int, phase: str | None, name: str | None, place: Place, *, json: bool) -> None:
    """Print the runs of a namespace, newest first."""
    cluster = cluster_at(place)
    found = [
        workflow
        for workflow in list_runs(cluster)
        if phase in (None, outcome.phase_of(workflow)) and name in (None, run_of(workflow).name)
    ][:limit]
    if json:
        print_json([run_object(workflow) for workflow in found])
    elif found:
        print_runs([run_of(workflow) for workflow in found])
    elif phase is not None or name is not None:
        print(f"no run in namespace {cluster.namespace} {asked_for(phase, name)}")
    else:
        print(f"no runs in namespace {cluster.namespace}; `flowctl submit TARGET` makes one")


def show_remote(run: Remote, *, json: bool) -> None:
    """Print one run of a cluster."""
    workflow = run.workflow()
    if json:
        print_json(shown_object(workflow))
    else:
        print_run(workflow)


def shown_object(workflow: Json) -> dict[str, Any]:
    """A Workflow as `show -o json` shows a run."""
    run, nodes = run_of(workflow), outcome.nodes_of(workflow)
    exceptions = [
        {"node": path, "item": index, "attempt": 1, "type": error.type, "message": error.message,
         "class": error.error_class, "traceback": error.traceback}
        for path, record in nodes.items()
        for index, error in _failures(record)
    ]  # fmt: skip
    return {
        **run_object(workflow),
        "inputs": {name: plain_value(value) for name, value in run.inputs.items()},
        "outputs": {name: plain_value(value) for name, value in run.outputs.items()},
        "nodes": {path: node_object(node_of(path, record)) for path, record in nodes.items()},
        "exceptions": exceptions,
    }


def _failures(record: NodeRecord) -> list[tuple[int | None, RunError]]:
    own: list[tuple[int | None, RunError]] = [(None, record.error)] if record.error is not None else []
    return own + (list(record.items.failures.items()) if record.items is not None else [])


def get_runs(runs: Sequence[str], *, place: Place, output: str) -> None:
    """Print runs of a cluster: as trees, or as the objects that they are."""
    setup_logging()
    found = [remote(run, place).workflow() for run in runs]
    if output == "text":
        for number, workflow in enumerate(found):
            print("\n" * bool(number), end="")
            print_run(workflow)
        return
    shown = [_without_noise(workflow) for workflow in found]
    whole: Any = shown[0] if len(shown) == 1 else {"apiVersion": "v1", "kind": "List", "items": shown}
    print_object_as(whole, output)


def print_object_as(value: Any, output: str) -> None:
    """One object on standard output, as JSON or YAML."""
    if output == "yaml":
        from headwater.document import dump_yaml

        print(dump_yaml(value), end="")
    else:
        print_json(value)


def _without_noise(workflow: Json) -> Json:
    metadata = {key: part for key, part in workflow["metadata"].items() if key != "managedFields"}
    found = {**workflow, "metadata": metadata}
    if "engine" in (found.get("status") or {}):
        found["status"] = {key: part for key, part in found["status"].items() if key != "engine"}
    return found


def print_run(workflow: Json) -> None:
    """A run as a tree, with what waits and what failed."""
    run, nodes = run_of(workflow), outcome.nodes_of(workflow)
    took = f" in {seconds(run.finished_at - run.started_at)}" if run.finished_at else ""
    print(f"{glyph(run.phase)} {styled(run.phase, phase_style(run.phase))}{took}  {run.name}  {run.run_id}")
    print(f"  namespace {run.namespace}, started {clock(run.started_at)}")
    if run.message:
        print(f"  {clipped(run.message, 400)}")
    asked = workflow["spec"].get("terminate")
    if asked and not run.ended:
        print(f"  was told to {asked.lower()}; what runs is ended")
    if not (workflow.get("status") or {}).get("phase"):
        print(f"  no operator has seen it yet: `{program()} doctor{GLOBALS.place}` says whether one runs")
    if run.resumed_from:
        print(f"  goes on from {run.resumed_from}")
    for title, values in (("inputs", run.inputs), ("outputs", run.outputs)):
        if values:
            print(f"\n{styled(title, '1')}")
            for name, value in values.items():
                print(f"  {name}: {recorded(value, 100)}")
    if nodes:
        print(f"\n{styled('nodes', '1')}")
        for path, record in nodes.items():
            print(node_line(path, node_of(path, record)))
    for path, record in nodes.items():
        for index, error in _failures(record)[:5]:
            if error.type != "MapFailed" and error.traceback:
                where = path if index is None else f"{path}[{index}]"
                print_failure(where, error.type, error.message, error.traceback)


# ---------------------------------------------------------------------- logs


def show_remote_logs(run: Remote, node: str | None, item: int | None, *, follow: bool, json: bool) -> None:
    """Print what the pods of a run printed."""
    workflow = run.workflow()
    wanted = Wanted.of(workflow, node, item)
    if json and not follow:
        print_json([log_object(line.as_entry()) for line in lines_of(run.cluster, workflow, wanted)])
        return
    lines = Follower(run.cluster, run.name, wanted) if follow else lines_of(run.cluster, workflow, wanted)
    for line in lines:
        print(_text(line, json), flush=follow)


def _text(line: Line, json: bool) -> str:
    entry = line.as_entry()
    return json_module.dumps(log_object(entry)) if json else log_line(entry)


# ---------------------------------------------------------------------- doctor


def examine_cluster(*, place: Place, json: bool) -> None:
    """Print what is well and what is not; exit code 1 when something is not."""
    setup_logging()
    found: list[Finding] = []
    for finding in examine(cluster_at(place)):
        found.append(finding)
        if not json:
            sign = {True: styled("✔", "32"), False: styled("✘", "31"), None: "·"}[finding.ok]
            print(f"{sign} {finding.name}: {finding.said}", flush=True)
            if finding.fix and finding.ok is not True:
                print(f"    {finding.fix}")
    if json:
        print_json([{"check": f.name, "ok": f.ok, "message": f.said, "fix": f.fix} for f in found])
    if any(finding.ok is False for finding in found):
        raise typer.Exit(1)
