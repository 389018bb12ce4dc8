"""cache ls, clear, explain."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from headwater.backends.planning import plan_run
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import clock, print_json, table
from headwater.cli.targets import find_target, inputs_from
from headwater.configuration import cache_dir, setup_logging
from headwater.errors import UsageError
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
    found = find_target(target)
    rows = [
        row for row in plan_run(found.compiled, inputs_from(params, found.compiled)) if row.is_cached_node
    ]
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
