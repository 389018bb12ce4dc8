"""Tell runs what to do, in the way flowctl does: stop, cancel, suspend, resume, retry, approve."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from threading import Lock, Thread
from typing import Literal

from fastapi import APIRouter, Request
from headwater.backends.control import send
from headwater.configuration import database_url, state_dir
from headwater.errors import UsageError
from headwater.records import queries
from headwater.records.model import Run
from pydantic import BaseModel, Field

from headwater_dashboard import clusters, models
from headwater_dashboard.access import Access
from headwater_dashboard.problems import RequestError
from headwater_dashboard.routes import PROBLEMS, AppOptions, AppStore, RunId, person_of
from headwater_dashboard.store import Store

router = APIRouter(responses=PROBLEMS)

ACTIONS = ("stop", "cancel", "suspend", "resume", "retry", "approve")
_SAID = {"stop": "told to stop", "cancel": "told to end at once", "suspend": "suspended", "resume": "goes on"}
_FLOWCTL = "import sys; from headwater.cli.main import main; sys.argv[0] = 'flowctl'; main()"


class Wish(BaseModel):
    """What shall be done; `node` names what to approve, or where to retry from."""

    action: Literal["stop", "cancel", "suspend", "resume", "retry", "approve"]
    node: str | None = Field(default=None, max_length=2000)


@router.post("/runs/{run_id}/actions")
def act(request: Request, store: AppStore, options: AppOptions, run_id: RunId, wish: Wish) -> models.Told:
    """Do something to a run. The header X-Headwater-CSRF has the `csrf` of /me."""
    if options.read_only:
        raise RequestError(403, "this dashboard is for looking only", fix="Start it without --read-only.")
    if wish.node is not None and "\x00" in wish.node:
        raise RequestError(422, "a node's path has no NUL", fix="Give the path as the run shows it.")
    run = store.run(run_id)
    access: Access | None = request.app.state.access
    if access is not None:
        verb = "create" if wish.action == "retry" or (wish.action == "resume" and run.ended) else "patch"
        access.require(person_of(request), verb, run.namespace)
    if wish.action == "approve" and not wish.node:
        raise RequestError(422, "`approve` needs a node", fix="Give the node that waits.")
    does: Callable[[Store, Run, Wish, str], str] = _in_cluster if clusters.is_remote(run) else _here
    return models.Told(message=does(store, run, wish, str(request.scope["headwater.user"])))


# ---------------------------------------------------------------- runs of this machine


def _here(store: Store, run: Run, wish: Wish, user: str) -> str:
    if wish.action in ("resume", "retry"):
        return _again(store, run, wish)
    if run.ended:
        raise UsageError(f"run {run.run_id} has ended: {run.phase}", fix="There is nothing to do.")
    if wish.action == "suspend":
        raise UsageError(
            f"{run.run_id} is not a run of a cluster: only those can be suspended",
            fix="Stop it, and go on later with `resume`.",
        )
    if wish.action == "approve":
        node = _waiting(store, run, wish.node or "")
        send(run.run_id, "approve", node=node, by=user)
        return f"{node} approved"
    send(run.run_id, wish.action, by=user)
    return f"{run.run_id}: {_SAID[wish.action]}"


def _waiting(store: Store, run: Run, node: str) -> str:
    waiting = [
        path for path, found in queries.nodes(store.pool, run.run_id).items() if found.phase == "Suspended"
    ]
    wanted = node.replace("_", "-").removeprefix("main/")
    for path in waiting:
        if path.replace("_", "-") == wanted:
            return path
    listed = ", ".join(waiting) or "none"
    raise UsageError(f"{node!r} does not wait for approval", fix=f"Waiting: {listed}.")


def _again(store: Store, run: Run, wish: Wish) -> str:
    """`flowctl resume` or `retry` in a process of its own, that outlives this one."""
    if store.url != database_url():
        raise UsageError(
            f"{run.run_id} is recorded in another database than the one runs of this machine go to",
            fix=f"Where it ran: flowctl {wish.action} {run.run_id}.",
        )
    if not run.ended:
        raise UsageError(
            f"run {run.run_id} is still {run.phase.lower()}", fix="Wait for it, or cancel it first."
        )
    if run.phase == "Succeeded" and not wish.node:
        raise UsageError(
            f"run {run.run_id} succeeded: there is nothing to repeat", fix="Choose a node of it."
        )
    if wish.node:
        _check_node(store, run, wish.node)
    words = [wish.action, *([f"--from={wish.node}"] if wish.node else []), "--", run.run_id]
    return _start(run, wish, words)


def _check_node(store: Store, run: Run, node: str) -> None:
    """What is wrong with the node is said now: the process that repeats it can tell nobody."""
    paths = {*queries.paths(store.pool, run.run_id)}
    paths |= {path for edge in queries.edges(store.pool, run.run_id) for path in edge}
    wanted = node.replace("_", "-").removeprefix("main/").strip("/")
    known = {path.replace("_", "-") for path in paths}
    if wanted not in known and wanted.partition("[")[0] not in known:
        listed = ", ".join(sorted(paths)[:20]) or "none"
        raise UsageError(f"there is no node {node!r} in {run.run_id}", fix=f"Nodes: {listed}.")


_STARTED: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}
_STARTING = Lock()


def _start(run: Run, wish: Wish, words: Sequence[str]) -> str:
    """Start flowctl, unless what was wished the same way before still goes on: a page may ask twice."""
    folder = state_dir() / "detached"
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"{wish.action}-of-{run.run_id}.txt"
    with _STARTING:
        before = _STARTED.get(tuple(words))
        if before is not None and before.poll() is None:
            raise UsageError(
                f"a new run goes on from {run.run_id} already", fix=f"Wait for it. What it says: {output}."
            )
        with output.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", _FLOWCTL, *words], stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        _STARTED[tuple(words)] = process
    Thread(target=_wait, args=(tuple(words), process), daemon=True).start()
    return f"a new run goes on from {run.run_id}; what it says: {output}"


def _wait(words: tuple[str, ...], process: subprocess.Popen[bytes]) -> None:
    """Somebody must look at how it ended."""
    process.wait()
    with _STARTING:
        if _STARTED.get(words) is process:
            del _STARTED[words]


# ---------------------------------------------------------------- runs of a cluster


def _in_cluster(_store: Store, run: Run, wish: Wish, user: str) -> str:
    from headwater.backends.kubernetes import control
    from headwater.backends.kubernetes.outcome import has_ended

    cluster, workflow = clusters.workflow_of(run)
    name = workflow["metadata"]["name"]
    if wish.action == "approve":
        return f"{control.approve(cluster, name, wish.node or '', by=user)['node']} approved"
    goes_on = wish.action == "resume" and not has_ended(workflow)
    if wish.action == "retry" or (wish.action == "resume" and not goes_on):
        created = control.retry(cluster, name, wish.node)["metadata"]["name"]
        return f"{created} goes on from {name}"
    control.change(cluster, name, wish.action)
    return f"{name}: {_SAID[wish.action]}"
