"""How a run ended, and how to look further."""

from __future__ import annotations

from headwater.backends.result import RunResult
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import glyph, phase_style, program, seconds, short, styled


def summary(result: RunResult, *, in_cluster: bool = False) -> str:
    """The lines that follow a run."""
    took = seconds((result.finished_at or 0.0) - result.started_at)
    head = f"{glyph(result.phase)} {styled(result.phase, phase_style(result.phase))} in {took}"
    lines = ["", head + (f"   run {result.run_id}" if result.run_id else "")]
    for name, value in result.outputs.items():
        lines.append(f"  {styled(name, '1')}: {short(value, 100)}")
    for path, node in result.nodes.items():
        if node.items is not None and node.items.failed:
            lines.append(styled(f"  {path}: failed items: {node.items.failed} of {node.items.total}", "31"))
    error = result.error
    if error is not None:
        lines += ["", styled(f"  {error.node or 'the run'}: {error.type}", "1;31")]
        lines += [f"    {line}" for line in error.message.splitlines()]
        shown = error.traceback.splitlines() if GLOBALS.traceback else error.place()
        lines += [styled(f"    {line}", "2") for line in shown]
        behind = sum(node.phase in ("Skipped", "Cancelled") for node in result.nodes.values())
        if behind:
            lines += ["", f"  {behind} node{'s' if behind > 1 else ''} did not run because of it"]
    if result.run_id:
        lines += ["", *(_further_in_cluster(result) if in_cluster else _further(result))]
    return "\n".join(lines)


def _replayable(result: RunResult, node: str) -> str:
    """The node, or of a map the first item that failed."""
    record = result.nodes.get(node)
    if record is not None and record.items is not None and record.items.failures:
        return f"{node}[{next(iter(record.items.failures))}]"
    return node


def _further(result: RunResult) -> list[str]:
    run = result.run_id
    if result.error is None:
        commands = [f"{program()} show {run}", f"{program()} logs {run}"]
        return _listed(commands)
    node = result.error.node
    commands = [f"{program()} logs {run} {node}".rstrip()]
    if node:
        commands.append(f"{program()} replay {run} '{_replayable(result, node)}' --pdb")
    commands.append(f"{program()} resume {run}")
    return _listed(commands)


def _further_in_cluster(result: RunResult) -> list[str]:
    run, place = result.run_id, GLOBALS.place
    if result.error is None:
        return _listed([f"{program()} get {run}{place}", f"{program()} logs {run}{place}"])
    logs = f"{program()} logs {run} {result.error.node}".rstrip()
    return _listed([f"{logs}{place}", f"{program()} get {run}{place}", f"{program()} retry {run}{place}"])


def _listed(commands: list[str]) -> list[str]:
    return [f"  {'look further:' if not at else ' ' * 13} {command}" for at, command in enumerate(commands)]
