"""Telling a run of another process what to do: a small file a message in the run's mailbox folder."""

from __future__ import annotations

import getpass
import json
import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from headwater.configuration import state_dir
from headwater.engine.events import Approved, Changed, Event, Stopped
from headwater.errors import UsageError

ACTIONS = ("stop", "cancel", "approve", "suspend", "unsuspend")


def mailbox_of(run_id: str) -> Path:
    """The folder that a run looks into."""
    return state_dir() / "control" / run_id


def send(
    run_id: str, action: str, *, node: str | None = None, by: str | None = None, granted: bool = True
) -> None:
    """Leave a message for a run that is going on.

    Raises:
        UsageError: the run has no mailbox (it has ended, or runs elsewhere), or the action is unknown.
    """
    if action not in ACTIONS:
        raise UsageError(f"unknown action {action!r}", fix=f"One of: {', '.join(ACTIONS)}.")
    folder = mailbox_of(run_id)
    if not folder.is_dir():
        raise UsageError(
            f"run {run_id} is not running on this machine", fix="`flowctl list` shows which runs go on."
        )
    message = {"action": action, "node": node, "by": by or getpass.getuser(), "granted": granted}
    name = f"{time.time_ns()}-{uuid.uuid4().hex[:6]}"
    hidden = folder / f".{name}"
    hidden.write_text(json.dumps(message), encoding="utf-8")
    hidden.rename(folder / f"{name}.json")


class Mailbox:
    """A run's own end of it."""

    def __init__(self, run_id: str) -> None:
        self._folder = mailbox_of(run_id)

    def open(self) -> bool:
        """Make the folder; False when it cannot be made (a read-only disk): then nobody can call."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Take the folder away."""
        try:
            for message in self._folder.iterdir():
                message.unlink()
            self._folder.rmdir()
        except OSError:
            return

    def says_cancel(self) -> bool:
        """Whether somebody has asked to end the run at once; the message stays."""
        try:
            names = [name for name in os.listdir(self._folder) if name.endswith(".json")]
            return any('"cancel"' in (self._folder / name).read_text(encoding="utf-8") for name in names)
        except OSError:
            return False

    def read(self) -> Sequence[Event]:
        """The messages that have come, as events for the engine."""
        try:
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(".json"))
        except OSError:
            return []
        events: list[Event] = []
        for name in names:
            message = json.loads((self._folder / name).read_text(encoding="utf-8"))
            (self._folder / name).unlink()
            events.append(_event_of(message, time.time()))
        return events


def _event_of(message: dict[str, object], at: float) -> Event:
    action = message["action"]
    by = str(message["by"])
    if action == "approve":
        return Approved(str(message["node"]), by, at, bool(message["granted"]))
    if action == "suspend":
        return Changed(at, suspend=True)
    if action == "unsuspend":
        return Changed(at, suspend=False)
    done = "stopped" if action == "stop" else "cancelled"
    return Stopped(at, kill=action == "cancel", reason=f"{done} by {by}")
