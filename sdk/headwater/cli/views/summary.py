"""How a run ended, and how to look further."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from headwater.backends.result import NodeRecord, RunError, RunResult
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import clipped, glyph, phase_style, plain, program, seconds, short, styled
from headwater.engine import IntervalSet

MOST_ITEMS = 3
_TASK_OR_ITEM = re.compile(r"[^\[]+(\[\d+\])?")


def summary(result: RunResult, *, in_cluster: bool = False, recorded: bool = True) -> str:
    """The lines that follow a run; what it says to look further at only when it is `recorded`."""
    took = seconds((result.finished_at or 0.0) - result.started_at)
    head = f"{glyph(result.phase)} {styled(result.phase, phase_style(result.phase))} in {took}"
    lines = ["", head + (f"   run {result.run_id}" if result.run_id else "")]
    for name, value in result.outputs.items():
        lines.append(f"  {styled(name, '1')}: {short(value, 100)}")
    for path, node in result.nodes.items():
        if node.items is not None and node.items.cached:
            lines.append(f"  {path}: {node.items.cached} of {node.items.total} items came from the cache")
        if node.items is not None and node.items.failed:
            lines += _failed_items(path, node, result.error)
    error = result.error
    if error is not None:
        lines += ["", *_told(error, result.nodes.get(error.node))]
        if in_cluster and error.type == "ModuleNotFoundError":
            lines.append("    The image lacks it: add it there, or name one that has it with --image.")
        behind = sum(node.phase in ("Skipped", "Cancelled") for node in result.nodes.values())
        if behind:
            lines += ["", f"  {behind} node{'s' if behind > 1 else ''} did not run because of it"]
    elif result.exit_code:
        lines.append(f"  a task ended the run: exit_pipeline({result.exit_code})")
    if result.run_id and recorded:
        lines += ["", *(_further_in_cluster(result) if in_cluster else _further(result))]
    return "\n".join(lines)


def _told(error: RunError, node: NodeRecord | None) -> Iterator[str]:
    """What failed the run."""
    tries = f", after {node.attempts} attempts" if node is not None and node.attempts > 1 else ""
    yield styled(f"  {error.node or 'the run'}: {error.type}{tries}", "1;31")
    yield from (f"    {line}" for line in plain(error.message).splitlines())
    yield from (styled(f"    {line}", "2") for line in _place(error))
    if error.cause() and not GLOBALS.traceback:
        yield f"    because of {clipped(error.cause(), 200)}"


def _place(error: RunError) -> list[str]:
    return error.traceback.splitlines() if GLOBALS.traceback else error.place()


def _failed_items(path: str, node: NodeRecord, error: RunError | None) -> Iterator[str]:
    """How many items of a map failed, and why the first of them did; what failed the run itself is told there."""
    items = node.items
    assert items is not None
    yield styled(f"  {path}: failed items: {items.failed} of {items.total}", "31")
    shown = list(items.failures.items())[:MOST_ITEMS]
    if error is not None and error.node == path:
        shown = shown[1:]  # the map's own failure tells of the first
    for index, failure in shown:
        yield f"    {path}[{index}]: {failure.type}: {clipped(failure.message, 200)}"
        if error is None or failure.place() != error.place():
            yield from (styled(f"      {line}", "2") for line in failure.place())
    more = len(items.failures) - MOST_ITEMS
    if more > 0:
        yield f"    … and {more} more"


def _replayable(result: RunResult, error: RunError) -> str:
    """The task that failed, or of a map the first item that did; nothing where no code of a task raised."""
    record = result.nodes.get(error.node)
    node = error.node
    if record is not None and record.items is not None and record.items.failures:
        index, error = next(iter(record.items.failures.items()))
        node = f"{node}[{index}]"
    has_code = bool(error.traceback) or error.error_class == "Timeout"
    return node if has_code and _TASK_OR_ITEM.fullmatch(node) else ""


def _again(result: RunResult) -> str:
    """What has to run again though it succeeded: items that were let fail, and then something failed."""
    for path, node in result.nodes.items():
        if node.phase == "Succeeded" and node.items is not None and node.items.failures:
            failed = IntervalSet((index, index + 1) for index in node.items.failures)
            return f" --from {shlex.quote(f'{path}[{failed}]')}"
    return ""


def _further(result: RunResult) -> list[str]:
    run = result.run_id
    if result.error is None:
        commands = [f"{program()} show {run}", f"{program()} logs {run}"]
        commands += [f"{program()} resume {run}"] if result.phase == "Cancelled" else []
        return _listed(commands)
    node = result.error.node
    commands = [f"{program()} logs {run} {shlex.quote(node) if node else ''}".rstrip()]
    replayed = _replayable(result, result.error)
    if replayed:
        commands.append(f"{program()} replay {run} {shlex.quote(replayed)} --pdb")
    commands.append(f"{program()} resume {run}{_again(result)}")
    return _listed(commands)


def _further_in_cluster(result: RunResult) -> list[str]:
    run, place = result.run_id, GLOBALS.place
    if result.error is None:
        return _listed([f"{program()} get {run}{place}", f"{program()} logs {run}{place}"])
    logs = f"{program()} logs {run} {shlex.quote(result.error.node) if result.error.node else ''}".rstrip()
    commands = [f"{logs}{place}", f"{program()} get {run}{place}"]
    if result.error.error_class != "InvalidSpec":
        commands.append(f"{program()} retry {run}{_again(result)}{place}")
    return _listed(commands)


def _listed(commands: list[str]) -> list[str]:
    return [f"  {'look further:' if not at else ' ' * 13} {command}" for at, command in enumerate(commands)]
