"""Back into a failed task of a past run."""

from __future__ import annotations

import pdb
import sys

from headwater.backends.documents import compiled_document
from headwater.backends.replay import find_replay
from headwater.blocks.signals import exit_pipeline
from headwater.configuration import context, database_url
from headwater.errors import RecordsError, UsageError
from headwater.pipeline.arguments import ARGUMENTS, decoded_arguments
from headwater.records import queries
from headwater.records.model import Run
from headwater.runtime.failures import failure_of


def debug_run(run_id: str, node: str | None) -> None:
    """Call the failed task again with its inputs: under the debugger on a terminal, else it shows what it raises.

    Raises:
        UsageError: nothing failed in that run, or there is no such node.
    """
    url = database_url()
    run = queries.get_run(url, run_id)
    document = queries.document(url, run)
    if not document or not document.get("spec"):
        raise RecordsError(f"the document of run {run.run_id} was not kept", fix="Run it again first.")
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    context.args = decoded_arguments(annotations.get(ARGUMENTS))
    context.db_untracked = False
    replay = find_replay(compiled_document(document), run, node or _first_failed(url, run))
    print(f"{replay.path} of run {run.run_id} ({run.name}), with")
    for name, value in replay.inputs.items():
        print(f"  {name} = {value!r}"[:200])
    try:
        outputs = replay()
    except Exception as error:
        print(failure_of(error, replay.path).traceback, end="", file=sys.stderr)
        if sys.stdin.isatty():
            pdb.post_mortem(error.__traceback__)
        exit_pipeline(1)
    print(f"it succeeds now: {outputs!r}"[:400])


def _first_failed(url: str, run: Run) -> str:
    failed = queries.exceptions(url, run.run_id)
    if not failed:
        raise UsageError(f"nothing failed in run {run.run_id} ({run.phase})", fix="Name a node to enter it.")
    nodes = queries.nodes(url, run.run_id)
    for each in failed:
        if each.index is not None:
            return f"{each.path}[{each.index}]"
        if nodes.get(each.path) is not None and nodes[each.path].kind == "task":
            return each.path
    return failed[0].path
