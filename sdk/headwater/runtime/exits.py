"""How processes end, in words."""

from __future__ import annotations

import signal


def describe_exit(code: int | None) -> str:
    """How a process ended, from its return code.

    >>> describe_exit(-9), describe_exit(3)
    ('was killed by signal 9 (SIGKILL)', 'exited with code 3')
    """
    if code is None:
        return "closed its connection"
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    return f"was killed by signal {-code}{name}"
