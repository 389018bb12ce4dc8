"""What the tool tells a person: one line when something begins that takes a while, one with its time when it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class ClusterError(Exception):
    """Something that keeps the cluster from running; its text says what to do."""


def say(text: str) -> None:
    print(f"cluster: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(text: str, expect: str = "") -> Iterator[None]:
    """Report a step and the time it took.

    >>> with step("counting"):
    ...     pass
    """
    say(f"{text}{f' (about {expect})' if expect else ''} ...")
    start = time.monotonic()
    yield
    say(f"{text}: {time.monotonic() - start:.1f} s")
