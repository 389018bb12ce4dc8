"""run, resume, retry, replay: what carries a workflow out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

import typer

from headwater.backends import RunResult, compiled_document, run
from headwater.backends.replay import Replay, find_replay
from headwater.backends.resume import ResumePlan, plan_resume
from headwater.backends.session import code_digests
from headwater.backends.signals import RunInterrupted
from headwater.blocks.compile import Compiled
from headwater.cli.failures import exit_code_of
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import as_json, short, table
from headwater.cli.targets import find_target, inputs_from
from headwater.configuration import database_url, setup_logging
from headwater.errors import HeadwaterError, RecordsError, UsageError
from headwater.records import queries
from headwater.records.model import Run
from headwater.runtime.code import Code
from headwater.runtime.inline import failure_of


def run_target(
    target: str,
    params: Sequence[str],
    *,
    name: str | None,
    workers: int | None,
    track: bool,
    json: bool,
) -> None:
    """Run a target; ends the command with the run's exit code."""
    with one_object(json) as out:
        _set_up()
        found = find_target(target)
        inputs = inputs_from(params, found.compiled)
        if GLOBALS.dry_run:
            from headwater.cli.commands.documents import show_plan

            show_plan(found.compiled, inputs, json=json, out=out)
            return
        given: dict[str, Any] = {"inputs": inputs, "name": name, "target": found.target, "track": track}
        _carry_out(found.compiled, out, json=json, workers=workers, **given)


def resume_run(run_id: str, from_: str | None, *, with_code: bool, workers: int | None, json: bool) -> None:
    """Go on with an earlier run; says first what runs again."""
    with one_object(json) as out:
        _set_up()
        earlier = queries.get_run(database_url(), run_id)
        compiled = compiled_of(earlier)
        plan = resume_plan(compiled, earlier, from_, with_code=with_code)
        stream = sys.stderr if json else sys.stdout
        rows = [(row.path, row.action, row.why) for row in plan.rows]
        print(f"going on with {earlier.run_id} ({earlier.name}, {earlier.phase})", file=stream)
        print(table(rows, ("node", "", "why")), file=stream, flush=True)
        if GLOBALS.dry_run:
            return
        _carry_out(
            compiled,
            out,
            json=json,
            workers=workers,
            default_backend=earlier.backend,
            inputs=plan.inputs,
            name=earlier.name,
            target=earlier.target or None,
            known=plan.known,
            known_items=plan.known_items,
            recompute=from_ is not None,
            resumed_from=earlier.run_id,
        )


def resume_plan(compiled: Compiled, earlier: Run, from_: str | None, *, with_code: bool) -> ResumePlan:
    """What of an earlier run is kept.

    Raises:
        UsageError: it still runs, or has nothing left to do.
    """
    if not earlier.ended:
        raise UsageError(
            f"run {earlier.run_id} is still {earlier.phase.lower()}",
            fix=f"Wait for it, or end it: flowctl cancel {earlier.run_id}.",
        )
    changed: dict[str, str] = {}
    if with_code:
        code = Code(compiled.objects, {})
        digests = code_digests(code)
        changed = {
            ref: f"the code of {ref.rpartition(':')[2]} changed"
            for ref, digest in digests.items()
            if earlier.code.get(ref) != digest
        }
    if earlier.phase == "Succeeded" and from_ is None and not changed:
        raise UsageError(
            f"run {earlier.run_id} succeeded: there is nothing to resume",
            fix="Run a node of it again with --from NODE.",
        )
    return plan_resume(compiled, earlier, from_=from_, changed=changed)


def replay_task(run_id: str, node: str, *, pdb: bool, json: bool) -> None:
    """Call one task of an earlier run again."""
    with one_object(json) as out:
        _set_up()
        earlier = queries.get_run(database_url(), run_id)
        found = find_replay(compiled_of(earlier), earlier, node)
        print(f"{found.path} of {earlier.run_id}, with", file=sys.stderr)
        for name, value in found.inputs.items():
            print(f"  {name} = {short(value, 100)}", file=sys.stderr)
        outputs = _called(found, pdb)
        if json:
            print_object({"run": earlier.run_id, "node": found.path, "outputs": as_json(outputs)}, out)
        elif isinstance(outputs, Mapping):
            for name, value in outputs.items():
                print(f"{name}: {short(value, 200)}")
        else:
            print(short(outputs, 200))


def _called(replay: Replay, pdb: bool) -> object:
    """What the task returns; what it raises is shown, or handed to the debugger, and ends the command."""
    import pdb as debugger

    try:
        return debugger.runcall(replay) if pdb else replay()
    except Exception as error:
        print(failure_of(error, replay.path).traceback, end="", file=sys.stderr)
        if pdb:
            debugger.post_mortem(error.__traceback__)
        raise typer.Exit(1) from None


# ---------------------------------------------------------------------- what they share


def _set_up() -> None:
    setup_logging(GLOBALS.log_level)


def compiled_of(earlier: Run) -> Compiled:
    """The workflow of an earlier run, from its source where that can be found, else as it was recorded."""
    if earlier.target:
        try:
            return find_target(earlier.target).compiled
        except UsageError as error:
            print(f"the source is used as it was recorded: {error}", file=sys.stderr)
    document = queries.document(database_url(), earlier)
    if not document or not document.get("spec"):
        raise RecordsError(
            f"the document of run {earlier.run_id} was not kept",
            fix="Run it from a file or module to resume it.",
        )
    return compiled_document(document)


def _carry_out(
    compiled: Compiled,
    out: IO[str],
    *,
    json: bool,
    workers: int | None,
    default_backend: str | None = None,
    recompute: bool = False,
    **options: Any,
) -> None:
    backend = GLOBALS.backend or default_backend
    view = _view(json)
    code: int | None = None
    try:
        result = run(
            compiled,
            backend=backend,
            check=False,
            observers=[view],
            workers=workers,
            overwrite_cache=GLOBALS.overwrite_cache or recompute,
            **options,
        )
    except RunInterrupted as interrupted:
        if interrupted.result is None:  # it came before the run had begun
            raise
        result, code = interrupted.result, 128 + interrupted.signum
    if json:
        print_object(result_object(result), out)
    else:
        from headwater.cli.views.summary import summary

        print(summary(result))
    if code is None:
        code = result.exit_code if result.exit_code is not None else int(result.phase != "Succeeded")
    raise typer.Exit(code)


def _view(json: bool) -> object:
    if json:
        from headwater.cli.views.lines import LinesView

        return LinesView(sys.stderr)
    if sys.stdout.isatty():
        from headwater.cli.views.tree import TreeView

        return TreeView()
    from headwater.cli.views.lines import LinesView

    return LinesView()


def result_object(result: RunResult) -> dict[str, Any]:
    """What `run --output json` prints."""
    nodes: dict[str, Any] = {}
    for path, node in result.nodes.items():
        written: dict[str, Any] = {"phase": node.phase, "attempts": node.attempts}
        if node.items is not None:
            written["items"] = {
                "total": node.items.total,
                "succeeded": node.items.succeeded,
                "failed": node.items.failed,
                "cached": node.items.cached,
            }
        if node.error is not None:
            written["error"] = node.error.as_dict()
        nodes[path] = written
    return {
        "run": result.run_id or None,
        "phase": result.phase,
        "outputs": as_json(result.outputs),
        "nodes": nodes,
        "error": result.error.as_dict() if result.error is not None else None,
    }


def print_object(value: object, out: IO[str]) -> None:
    """One JSON object on the stream that was standard output."""
    import json

    out.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
    out.flush()


@contextmanager
def one_object(json: bool) -> Iterator[IO[str]]:
    """With `json`, everything that is printed goes to the error stream, and an early error becomes the object."""
    if not json:
        yield sys.stdout
        return
    with _stdout_kept() as out:
        try:
            yield out
        except (HeadwaterError, ImportError, SyntaxError) as error:
            said = error.message if isinstance(error, HeadwaterError) else str(error)
            described = {"node": "", "type": type(error).__name__, "message": said, "class": "InvalidSpec"}
            failed = {"run": None, "phase": "Failed", "outputs": {}, "nodes": {}, "error": described}
            print_object(failed, out)
            raise typer.Exit(exit_code_of(error)) from error


@contextmanager
def _stdout_kept() -> Iterator[IO[str]]:
    """Whatever is printed, here or by a child process, goes to the error stream; yields the real stdout."""
    real = sys.stdout
    real.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        if _is_descriptor_1(real):
            with open(kept, "w", encoding="utf-8", closefd=False) as out:
                yield out
        else:
            sys.stdout = sys.stderr
            yield real
    finally:
        sys.stdout.flush()
        sys.stdout = real
        os.dup2(kept, 1)
        os.close(kept)


def _is_descriptor_1(stream: IO[str]) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError):  # it has been replaced by something that is no file
        return False
