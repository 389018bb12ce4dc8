"""stop, cancel, suspend, approve, delete: what tells a run of another process, or of a cluster, what to do."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import typer

from headwater.backends.control import send
from headwater.cli.printing import print_json
from headwater.cli.runs import Place, Remote, each, locate, remote
from headwater.configuration import database_url, setup_logging
from headwater.errors import UsageError
from headwater.records import queries
from headwater.records.model import Run

RECORDS_LAG_SECONDS = 2.0  # records are written in batches: a node may wait a moment before they say so
_SAID = {"stop": "told to stop", "cancel": "told to end at once", "suspend": "suspended"}


def tell(runs: Sequence[str], action: str, *, place: Place, json: bool) -> None:
    """Leave a message for runs that go on."""
    setup_logging()

    def one(run: str) -> dict[str, Any]:
        found = locate(run, place)
        name = _tell_remote(found, action) if isinstance(found, Remote) else _tell_local(found, action)
        if not json:
            print(f"{name}: {_SAID[action]}")
        return {"run": name, "action": action, "node": None, "granted": True}

    _print(each(runs, one), json)


def _print(told: list[object], json: bool) -> None:
    if json:
        print_json(told[0] if len(told) == 1 else told)


def _tell_remote(run: Remote, action: str) -> str:
    from headwater.backends.kubernetes.control import change

    change(run.cluster, run.name, action)
    return run.name


def _tell_local(run: Run, action: str) -> str:
    _refuse_ended(run)
    if action == "suspend":
        raise UsageError(
            f"{run.run_id} is a run of this machine: only runs of a cluster can be suspended",
            fix=f"End it with flowctl stop {run.run_id}, and go on later with flowctl resume.",
        )
    send(run.run_id, action)
    return run.run_id


def _refuse_ended(run: Run) -> None:
    if run.ended:
        raise UsageError(f"run {run.run_id} has ended: {run.phase}", fix="There is nothing to do.")


def answer(run: str, node: str, *, granted: bool, place: Place, json: bool) -> None:
    """Answer for a node that waits for a person."""
    setup_logging()
    found = locate(run, place)
    if isinstance(found, Remote):
        from headwater.backends.kubernetes.control import approve

        told = approve(found.cluster, found.name, node, granted=granted)
        name, path = found.name, told["node"]
        shown = {"run": name, "action": "approve", "node": path, "granted": granted, "by": told["by"]}
    else:
        _refuse_ended(found)
        name, path = found.run_id, _waiting_node(database_url(), found.run_id, node)
        send(name, "approve", node=path, granted=granted)
        shown = {"run": name, "action": "approve", "node": path, "granted": granted}
    if json:
        print_json(shown)
    else:
        print(f"{name}: {path} {'approved' if granted else 'rejected'}")


def _waiting_node(url: str, run_id: str, node: str) -> str:
    wanted = node.replace("_", "-").removeprefix("main/")
    until = time.monotonic() + RECORDS_LAG_SECONDS
    while True:
        waiting = [path for path, found in queries.nodes(url, run_id).items() if found.phase == "Suspended"]
        for path in waiting:
            if path.replace("_", "-") == wanted:
                return path
        if waiting or time.monotonic() > until:
            listed = ", ".join(waiting) or "none"
            raise UsageError(f"{node!r} does not wait for approval", fix=f"Waiting: {listed}.")
        time.sleep(0.1)


def delete_runs(runs: Sequence[str], *, yes: bool, place: Place, json: bool) -> None:
    """Delete runs of a cluster, after asking."""
    from headwater.backends.kubernetes.control import delete

    setup_logging()
    found = [remote(run, place) for run in runs]
    for run in found:
        run.workflow()  # all of them are there, before any is deleted
    names = ", ".join(run.name for run in found)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"delete {names}? There is no terminal to ask on", fix="Give --yes.")
        typer.confirm(
            f"delete {names} in namespace {found[0].cluster.namespace!r}, with pods and logs?", abort=True
        )
    for run in found:
        delete(run.cluster, run.name)
        if not json:
            print(f"{run.name}: deleted")
    _print([{"run": run.name, "action": "delete"} for run in found], json)
