"""From the status of a Workflow to what a run gives back. Pure functions, no requests."""

from __future__ import annotations

import base64
import json
import pickle
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from headwater.backends.kubernetes.notes import Notes, notes_of
from headwater.backends.kubernetes.order import in_order
from headwater.backends.result import ItemCounts, NodeRecord, Nodes, RunError
from headwater.document.unit import is_encoded
from headwater.engine.intervals import IntervalSet
from headwater.errors import TaskFailed

Json = Mapping[str, Any]

ENDED = frozenset({"Succeeded", "Failed", "Cancelled"})
ENCODED = "headwater.dev/value"


def phase_of(workflow: Json) -> str:
    """The phase of a run; `Pending` before an operator has seen it."""
    return str((workflow.get("status") or {}).get("phase") or "Pending")


def has_ended(workflow: Json) -> bool:
    """Whether nothing more will happen in it."""
    return phase_of(workflow) in ENDED


def epoch(text: str | None) -> float | None:
    """A time of Kubernetes in seconds since the epoch.

    >>> epoch("2026-01-02T03:04:05Z"), epoch("2026-01-02T03:04:05.5Z"), epoch(None)
    (1767323045.0, 1767323045.5, None)
    """
    return datetime.fromisoformat(text).timestamp() if text else None


def started_at(workflow: Json) -> float:
    """When the run began, or was created."""
    status = workflow.get("status") or {}
    at = epoch(status.get("startedAt")) or epoch(workflow["metadata"].get("creationTimestamp"))
    return at if at is not None else time.time()


def nodes_of(workflow: Json) -> Nodes:
    """The records of all nodes by path, in the order of the document.

    >>> status = {"nodes": {"gen": {"phase": "Succeeded", "attempts": 1, "at": [10.0, 0.5, 2.0]}}}
    >>> nodes_of({"spec": {}, "status": status})["gen"].finished_at
    12.5
    """
    written = (workflow.get("status") or {}).get("nodes") or {}
    notes = notes_of(workflow)
    ordered = in_order(written, workflow["spec"])
    return Nodes({path: node_record(path, written[path], notes) for path in ordered})


def node_record(path: str, node: Json, notes: Notes | None = None) -> NodeRecord:
    """One node of a status; `notes` know more of its items."""
    created, queued, ran = [*node.get("at", ()), None, None, None][:3]
    started = None if created is None or queued is None else created + queued
    return NodeRecord(
        node.get("phase") or "Pending",
        node.get("attempts") or 0,
        _items(path, node.get("items"), notes or Notes()),
        error_of(node.get("error"), path),
        node.get("waiting") or node.get("message") or "",
        started,
        None if started is None or ran is None else started + ran,
    )


def _items(path: str, items: Json | None, notes: Notes) -> ItemCounts | None:
    if not items:
        return None
    told = notes.items.get(path) or {}
    errors = {
        index: found
        for index in sorted(told)
        if (found := error_of(told[index], f"{path}[{index}]")) is not None
    }
    counted = [_count(items.get(name)) for name in ("succeeded", "failed", "running")]
    succeeded, failed, running = notes.counts.get(path) or counted
    return ItemCounts(items.get("total") or 0, succeeded, failed, running, items.get("cached") or 0, errors)


def _count(items: Any) -> int:
    """How many items: a number, or their indices; of very many sets of indices the end is left out.

    >>> _count(3), _count("0-41,43"), _count("0-9,…"), _count(None)
    (3, 43, 10, 0)
    """
    if isinstance(items, str):
        return len(IntervalSet.parse(items.removesuffix("…")))
    return int(items or 0)


def error_of(error: Json | None, path: str = "") -> RunError | None:
    """An error of a status, with the exception itself where it came along."""
    if not error:
        return None
    kind, message = error.get("type") or "Error", error.get("message") or ""
    return RunError(
        error.get("node") or path,
        kind,
        message,
        error.get("class") or "Error",
        error.get("traceback") or "",
        _exception(error.get("pickle")) or TaskFailed(f"{kind}: {message}"),
    )


def _exception(data: str | None) -> object:
    """What a task raised; None where it did not come along, or is of a class that is not known here."""
    if not data:
        return None
    try:
        return pickle.loads(base64.b64decode(data))
    except Exception:  # unpickling raises anything; the error's text is there all the same
        return None


def run_error_of(workflow: Json, nodes: Nodes) -> RunError | None:
    """Why a run failed: as its status says, else what its first failed node says."""
    status = workflow.get("status") or {}
    phase = status.get("phase")
    if phase == "Succeeded" or phase not in ENDED:
        return None
    told = error_of(status.get("error") or notes_of(workflow).error)
    if told is not None:
        return told
    failed = [(path, node.error) for path, node in nodes.items() if node.phase == "Failed" and node.error]
    if failed:
        # An outer node repeats what one inside of it says.
        return max(failed, key=lambda each: each[0].count("/"))[1]
    if exit_code_of(workflow) is not None or phase == "Cancelled":
        return None  # it was told to end
    return RunError("", status.get("reason") or str(phase), status.get("message") or "", _class_of(status))


def _class_of(status: Json) -> str:
    return "InvalidSpec" if status.get("reason") == "InvalidSpec" else "Error"


def outputs_of(workflow: Json) -> dict[str, Any]:
    """The outputs of a run, encoded.

    >>> outputs_of({"status": {"outputs": {"x": 3, "y": {"headwater.dev/value": {"pickle": "gAROLg=="}}}}})
    {'x': {'json': 3}, 'y': {'pickle': 'gAROLg=='}}
    """
    exact = notes_of(workflow).outputs  # Kubernetes makes 1.0 of a status an integer
    if exact is not None:
        return {name: value if is_encoded(value) else {"json": value} for name, value in exact.items()}
    written = (workflow.get("status") or {}).get("outputs") or {}
    return {name: _encoded(value) for name, value in written.items()}


def exit_code_of(workflow: Json) -> int | None:
    """The code that a task ended the run with, by `exit_pipeline`."""
    told = (workflow.get("status") or {}).get("exitCode")
    return int(told) if told is not None else notes_of(workflow).exit_code


def _encoded(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {ENCODED}:
        encoded = value[ENCODED]
        # As text where Kubernetes would change what is in it.
        return json.loads(encoded) if isinstance(encoded, str) else encoded
    return {"json": value}
