"""Asking the person at the terminal whether a node may go on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from headwater.errors import HeadwaterError

Send = Callable[[str, str, bool], object]
"""Takes the answer to where it counts: run, path, whether it is granted."""


def send_to_mailbox(run_id: str, path: str, granted: bool) -> None:
    """Answer a run of this machine."""
    from headwater.backends.control import send

    send(run_id, "approve", node=path, granted=granted)


def ask_on_terminal(
    send: Send,
    run_id: str,
    path: str,
    message: str,
    before: Callable[[], None] | None = None,
    after: Callable[[], None] | None = None,
) -> None:
    """Ask in the background, when there is a terminal to ask on; `send` takes the answer along."""
    if not (
        sys.stdin is not None
        and sys.stdin.isatty()
        and sys.__stderr__ is not None
        and sys.__stderr__.isatty()
    ):
        return
    stream = sys.__stderr__

    def ask() -> None:
        if before is not None:
            before()
        try:
            stream.write(f"{path}: {message or 'go on'}? [y/N] ")
            stream.flush()
            answer = sys.stdin.readline()
            if answer:
                send(run_id, path, answer.strip().lower() in ("y", "yes"))
        except HeadwaterError as error:  # the run has ended meanwhile
            stream.write(f"{error}\n")
        finally:
            if after is not None:
                after()

    threading.Thread(target=ask, daemon=True, name="approval").start()
