"""cache ls, clear, explain."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

import typer

from headwater.backends.planning import PlanRow, outcomes_to_suppose, plan_run
from headwater.backends.resume import plan_resume
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import clock, print_json, table
from headwater.cli.targets import find_target, inputs_from
from headwater.configuration import cache_dir, database_url, setup_logging
from headwater.errors import UsageError
from headwater.records import queries
from headwater.values.cache import Cache


def list_entries(node: str, *, json: bool) -> None:
    """Print the cache's entries, newest first."""
    setup_logging()
    entries = sorted(Cache(cache_dir()).ls(node), key=lambda e: -e.created)
    if json:
        print_json(
            [
                {"key": e.digest, "node": e.node, "created_at": e.created, "run": e.run, "bytes": e.size}
                for e in entries
            ]
        )
        return
    if not entries:
        print(f"nothing is cached{f' of {node}' if node else ''} in {cache_dir()}")
        return
    rows = [(e.node, e.digest[:12], clock(e.created), f"{e.size:,}", e.run) for e in entries]
    print(table(rows, ("node", "key", "created", "bytes", "run")))
    print(f"\n{len(entries)} entries, {sum(e.size for e in entries):,} bytes in {cache_dir()}")


def clear_entries(node: str, *, yes: bool, json: bool) -> None:
    """Remove entries; asks first."""
    setup_logging()
    cache = Cache(cache_dir())
    entries = cache.ls(node)
    if entries and not yes:
        if not sys.stdin.isatty():
            raise UsageError("removing cached results needs a yes", fix="Add --yes.")
        what = f"of {node!r}" if node else f"in {cache_dir()}"
        if not typer.confirm(f"Remove {len(entries)} cached results {what}?"):
            raise typer.Exit(1)
    removed = 0 if GLOBALS.dry_run else cache.clear(node)
    if json:
        print_json({"removed": removed})
    else:
        print(f"removed {removed} cached result{'' if removed == 1 else 's'}")


def explain_nodes(target: str, node: str | None, params: Sequence[str], *, json: bool) -> None:
    """Say why nodes hit or miss."""
    setup_logging()
    rows = [row for row in _planned(target, params) if row.is_cached_node]
    if node is not None:
        wanted = node.replace("_", "-")
        every = rows
        rows = [row for row in rows if row.path.replace("_", "-") == wanted]
        if not rows:
            listed = ", ".join(row.path for row in every) or "none"
            raise UsageError(f"no cached node {node!r}", fix=f"Nodes that are cached: {listed}.")
    if json:
        print_json([{"node": row.path, "status": row.action, "why": row.why} for row in rows])
        return
    if not rows:
        print("no node of this workflow is cached; write @task(cache=True)")
    for row in rows:
        print(f"{row.path}: {row.why}")


def _planned(target: str, params: Sequence[str]) -> list[PlanRow]:
    """The plan of a target; of a recorded run, with the inputs and outcomes that it had."""
    if not _names_a_run(target):
        found = find_target(target)
        inputs = inputs_from(params, found.compiled)
        supposing, known = outcomes_to_suppose(found.compiled, inputs)
        return plan_run(found.compiled, inputs, known, supposing=supposing)
    from headwater.cli.commands.resuming import compiled_of

    run = queries.get_run(database_url(), target)
    compiled = compiled_of(run)
    plan = plan_resume(compiled, run)
    return plan_run(compiled, {**plan.inputs, **inputs_from(params, compiled)}, plan.known)


def _names_a_run(target: str) -> bool:
    return target == "last" or re.match(r"\d{8}-", target) is not None
