"""Asking the person at the terminal whether a node may go on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from headwater.errors import HeadwaterError


def ask_on_terminal(
    run_id: str,
    path: str,
    message: str,
    before: Callable[[], None] | None = None,
    after: Callable[[], None] | None = None,
) -> None:
    """Ask in the background, when there is a terminal to ask on; the answer goes to the run's mailbox."""
    if not (
        sys.stdin is not None
        and sys.stdin.isatty()
        and sys.__stderr__ is not None
        and sys.__stderr__.isatty()
    ):
        return
    stream = sys.__stderr__

    def ask() -> None:
        from headwater.backends.control import send

        if before is not None:
            before()
        try:
            stream.write(f"{path}: {message or 'go on'}? [y/N] ")
            stream.flush()
            answer = sys.stdin.readline()
            if answer:
                send(run_id, "approve", node=path, granted=answer.strip().lower() in ("y", "yes"))
        except HeadwaterError as error:  # the run has ended meanwhile
            stream.write(f"{error}\n")
        finally:
            if after is not None:
                after()

    threading.Thread(target=ask, daemon=True, name="approval").start()
