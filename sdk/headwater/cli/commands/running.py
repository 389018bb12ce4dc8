"""run, resume, retry, replay: what carries a workflow out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import typer

from headwater.backends import RunResult, run
from headwater.backends.signals import RunInterrupted
from headwater.blocks.compile import Compiled
from headwater.cli.failures import exit_code_of
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import as_json
from headwater.cli.targets import find_target, inputs_from
from headwater.configuration import config, setup_logging
from headwater.errors import HeadwaterError, UsageError

if TYPE_CHECKING:
    from headwater.cli.views.lines import LinesView
    from headwater.cli.views.tree import TreeView


def run_target(
    target: str,
    params: Sequence[str],
    *,
    name: str | None,
    workers: int | None,
    track: bool,
    json: bool,
    options: Mapping[str, str],
) -> None:
    """Run a target; ends the command with the run's exit code."""
    with one_object(json) as out:
        set_up()
        found = find_target(target)
        inputs = inputs_from(params, found.compiled)
        if GLOBALS.dry_run:
            from headwater.cli.commands.documents import show_plan

            show_plan(found.compiled, inputs, json=json, out=out)
            return
        given: dict[str, Any] = {"inputs": inputs, "name": name, "target": found.target, "track": track}
        carry_out(found.compiled, out, json=json, workers=workers, options=options, **given)


# ---------------------------------------------------------------------- what they share


def set_up() -> None:
    """Logging as the command line and the config say."""
    setup_logging(GLOBALS.log_level)


def carry_out(
    compiled: Compiled,
    out: IO[str],
    *,
    json: bool,
    workers: int | None,
    default_backend: str | None = None,
    recompute: bool = False,
    **options: Any,
) -> None:
    """Run a workflow with a view on it, say how it ended, and end the command with its exit code."""
    backend = GLOBALS.backend or default_backend or config.get("backend")
    if workers is not None and backend in (None, "default"):
        raise UsageError(
            "--workers is the number of worker processes, and the backend 'default' has none",
            fix="Add --backend parallel.",
        )
    view = view_of(json)
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

        kept = bool(options.get("track", True))
        print(summary(result, in_cluster=backend == "kubernetes", recorded=kept))
    raise typer.Exit(exit_code_of_run(result) if code is None else code)


def exit_code_of_run(result: RunResult) -> int:
    """What flowctl exits with after a run: 0 when it succeeded, the code of `exit_pipeline`, else 1."""
    return result.exit_code if result.exit_code is not None else int(result.phase != "Succeeded")


def view_of(json: bool) -> LinesView | TreeView:
    """What shows a run while it goes on: a tree on a terminal, else lines; with `json` beside the output."""
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
            if node.items.failures:
                written["items"]["errors"] = {
                    str(index): error.as_dict() for index, error in node.items.failures.items()
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
        except HeadwaterError as error:
            described = {
                "node": "",
                "type": type(error).__name__,
                "message": error.message,
                "class": _class_of(error),
            }
            failed = {"run": None, "phase": "Failed", "outputs": {}, "nodes": {}, "error": described}
            print_object(failed, out)
            raise typer.Exit(exit_code_of(error)) from error


def _class_of(error: Exception) -> str:
    """A cluster that is out of reach is no fault of what was to run."""
    own = isinstance(error, HeadwaterError) and error.code.startswith("HW05") and error.code <= "HW054"
    return "Infrastructure" if own else "InvalidSpec"


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
