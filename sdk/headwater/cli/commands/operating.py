"""operator run: the operator in this process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import typer

from headwater.errors import RecordsError, UsageError


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
    if not re.fullmatch(r"[\w./:@-]+", options.get("image", "image")):
        raise UsageError(f"--image {options['image']!r} names no image", fix="Write it as REGISTRY/NAME:TAG.")
    if "database_url" in options:
        _refuse_wrong_url(options["database_url"])
    raise typer.Exit(run(OperatorOptions(**options)))


def _refuse_wrong_url(url: str) -> None:
    """A slip is told at once, not when this operator's turn comes."""
    from headwater.records.alchemy import engine_of

    try:
        engine_of(url)
    except RecordsError as error:
        raise UsageError(f"--database-url: {error.message}", fix=error.fix) from error
