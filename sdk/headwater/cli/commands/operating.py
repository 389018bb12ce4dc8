"""operator run: the operator in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from headwater.errors import UsageError


def run_operator(given: Mapping[str, Any]) -> None:
    """Start the operator with what was given on the command line; the rest is as its options say.

    Raises:
        UsageError: the options do not go together.
    """
    from headwater_operator.main import run_operator as run
    from headwater_operator.options import OperatorOptions

    options = {name: value for name, value in given.items() if value is not None}
    if options["shards"] > 1 and not options["leader_election"]:
        raise UsageError("--shards needs leader election", fix="Leave out --no-leader-election.")
    if options["log_format"] not in ("text", "json"):
        raise UsageError(f"unknown log format {options['log_format']!r}", fix="One of: text, json.")
    raise typer.Exit(run(OperatorOptions(**options)))
