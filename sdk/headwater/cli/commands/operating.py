"""operator run: the operator in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from headwater.errors import UsageError


def run_operator(given: Mapping[str, Any]) -> None:
    """Start the operator with what was given on the command line; the rest is as its options say.

    Raises:
        UsageError: the shard cannot be read.
    """
    from headwater_operator.main import run_operator as run
    from headwater_operator.options import OperatorOptions

    options = {name: value for name, value in given.items() if value is not None}
    options["shards"] = shard_of(options["shards"])
    if options["log_format"] not in ("text", "json"):
        raise UsageError(f"unknown log format {options['log_format']!r}", fix="One of: text, json.")
    raise typer.Exit(run(OperatorOptions(**options)))


def shard_of(text: str) -> tuple[int, int]:
    """Read I/N.

    >>> shard_of("1/4")
    (1, 4)
    """
    own, slash, count = text.partition("/")
    if not (slash and own.isdigit() and count.isdigit() and int(own) < int(count)):
        raise UsageError(f"{text!r} is not a shard", fix="Write I/N, such as 0/2 and 1/2 for two operators.")
    return int(own), int(count)
