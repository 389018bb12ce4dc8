"""Runs, changes and failures to mirror."""

from __future__ import annotations

from headwater.engine.events import Failure
from headwater_operator.mirror import ExceptionRow, ItemRow, Limits, NodeRow, RunChange, RunMeta

DOCUMENT = {
    "apiVersion": "headwater.dev/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "reduce"},
    "spec": {},
}

QUICK = Limits(interval=0.0, delay=0.01, longest_delay=0.05, patience=2.0, ask_again=0.05)
"""Limits of a mirror that a test does not want to wait for."""


def meta(run_id: str = "u1", name: str = "reduce", **more: object) -> RunMeta:
    return RunMeta(run_id, name, "lab", 10.0, **{"document": DOCUMENT, **more})  # type: ignore[arg-type]


def failure(message: str = "no such key") -> Failure:
    return Failure("KeyError", message, traceback="Traceback ...")


def change(version: int, run: RunMeta | str = "u1", phase: str = "Running", **more: object) -> RunChange:
    given = meta(run) if isinstance(run, str) else run
    finished = 100.0 if phase in ("Succeeded", "Failed") else None
    return RunChange(
        given,
        version,
        phase,
        **{"started_at": 11.0, "finished_at": finished, **more},  # type: ignore[arg-type]
    )


def node(path: str, phase: str = "Running", **more: object) -> NodeRow:
    return NodeRow(path, "task", "m:f", phase, **{"attempt": 1, "started_at": 12.0, **more})  # type: ignore[arg-type]


def failed_items(count: int, path: str = "process", attempt: int = 1) -> dict[str, object]:
    """The rows of items that failed, each with its exception."""
    why = failure()
    return {
        "items": tuple(ItemRow(path, i, "Failed", attempt, why, 13.0) for i in range(count)),
        "exceptions": tuple(ExceptionRow(path, i, attempt, why, 13.0) for i in range(count)),
    }
