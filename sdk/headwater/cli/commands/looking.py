"""list, show, logs, diff: what looks at recorded runs."""

from __future__ import annotations

import json as json_module
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from headwater.cli.printing import (
    clipped,
    clock,
    glyph,
    phase_style,
    plain,
    print_json,
    program,
    recorded,
    seconds,
    styled,
    table,
    terminal_width,
)
from headwater.cli.runs import Place, Remote, lists_cluster, locate
from headwater.configuration import database_url, setup_logging
from headwater.document.problems import nearest
from headwater.errors import UsageError
from headwater.records import queries
from headwater.records.log_files import LogFilter, log_file
from headwater.records.model import Error, ExceptionRecord, Node, Run

FOLLOW_SECONDS = 0.2
PHASES = ("Pending", "Running", "Suspended", "Succeeded", "Failed", "Cancelled", "Lost")
MOST_LINES = 40
NARROW = 110


def list_runs(limit: int, phase: str | None, name: str | None, *, place: Place, json: bool) -> None:
    """Print runs, newest first: this machine's, or the cluster's."""
    setup_logging()
    phase = _phase_named(phase) if phase is not None else None
    if lists_cluster(place):
        from headwater.cli.commands.clusters import list_remote

        list_remote(limit, phase, name, place, json=json)
        return
    runs = queries.list_runs(database_url(), limit=limit, phase=phase, name=name)
    if json:
        print_json([run_object(run) for run in runs])
        return
    if runs:
        print_runs(runs)
    elif phase is not None or name is not None:
        print(f"no run that is recorded here {asked_for(phase, name)}")
    else:
        print(
            "no runs are recorded here; `flowctl run TARGET` makes one "
            "(those of a cluster: `flowctl list --namespace NAMESPACE`)"
        )


def _phase_named(text: str) -> str:
    for phase in PHASES:
        if phase.lower() == text.lower():
            return phase
    raise UsageError(f"there is no phase {text!r}", fix=nearest(text.capitalize(), PHASES))


def asked_for(phase: str | None, name: str | None) -> str:
    """What runs were looked for, in words.

    >>> asked_for("Failed", None), asked_for("Failed", "reduce")
    ('is Failed', "has the name 'reduce' and is Failed")
    """
    words = [f"has the name {name!r}"] if name is not None else []
    return " and ".join([*words, f"is {phase}"] if phase is not None else words)


def print_runs(runs: Sequence[Run]) -> None:
    """A table of runs."""
    narrow = terminal_width() < NARROW
    rows: list[Sequence[str]] = [
        (
            f"{glyph(run.phase)} {run.phase}",
            run.run_id,
            run.name,
            run.backend,
            clock(run.started_at)[5:-3] if narrow else clock(run.started_at),
            _took(run),
            _remark(run),
        )
        for run in runs
    ]
    header: Sequence[str] = ("  phase", "run", "name", "backend", "started", "took", "")
    if narrow and len({run.backend for run in runs}) == 1:
        rows, header = [(*row[:3], *row[4:]) for row in rows], (*header[:3], *header[4:])
    print(table(rows, header))


def _took(run: Run) -> str:
    if not run.finished_at or run.phase == "Lost":  # nobody has seen when a lost one ended
        return ""
    return seconds(run.finished_at - run.started_at)


def _remark(run: Run) -> str:
    if run.error is not None:
        where = f"{run.error.node}: " if run.error.node else ""
        return clipped(f"{where}{run.error.type}: {run.error.message}")
    return f"failed items: {run.failed_items}" if run.failed_items else clipped(run.message)


def run_object(run: Run) -> dict[str, Any]:
    """A run as JSON."""
    return {
        "run": run.run_id,
        "name": run.name,
        "phase": run.phase,
        "backend": run.backend,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "target": run.target,
        "failed_items": run.failed_items,
        "resumed_from": run.resumed_from,
        "error": _error_object(run.error),
    }


def _error_object(error: Error | None) -> dict[str, str] | None:
    if error is None:
        return None
    return {"node": error.node, "type": error.type, "message": error.message, "class": error.error_class}


def show_run(run_id: str, *, place: Place, json: bool) -> None:
    """Print one run."""
    setup_logging()
    run = locate(run_id, place)
    if isinstance(run, Remote) and run.local is None:
        from headwater.cli.commands.clusters import show_remote

        show_remote(run, json=json)
        return
    if isinstance(run, Remote):
        assert run.local is not None
        run = run.local
    url = database_url()
    nodes = queries.nodes(url, run.run_id)
    exceptions = queries.exceptions(url, run.run_id)
    if json:
        found = run_object(run)
        found["inputs"] = {name: plain_value(value) for name, value in run.inputs.items()}
        found["outputs"] = {name: plain_value(value) for name, value in run.outputs.items()}
        found["nodes"] = {path: node_object(node) for path, node in nodes.items()}
        found["exceptions"] = [
            {"node": each.path, "item": each.index, "attempt": each.attempt, "type": each.type,
             "message": each.message, "class": each.error_class, "traceback": each.traceback}
            for each in exceptions
        ]  # fmt: skip
        print_json(found)
        return
    took = f" in {_took(run)}" if _took(run) else ""
    print(f"{glyph(run.phase)} {styled(run.phase, phase_style(run.phase))}{took}  {run.name}  {run.run_id}")
    if run.message and run.error is None:
        print(f"  {plain(run.message)}")
    print(f"  {run.backend}, started {clock(run.started_at)} by {run.user} on {run.host}")
    if run.target:
        print(f"  target: {run.target}")
    if run.resumed_from:
        print(f"  resumed from {run.resumed_from}")
    for title, values in (("inputs", run.inputs), ("outputs", run.outputs)):
        if values:
            print(f"\n{styled(title, '1')}")
            for name, value in values.items():
                print(f"  {name}: {recorded(value, 100)}")
    print(f"\n{styled('nodes', '1')}")
    for path, node in nodes.items():
        print(node_line(path, node))
    own = _told_once([each for each in exceptions if each.type != "MapFailed"] or exceptions)
    for each, tries in own[:5]:
        index = f"[{each.index}]" if each.index is not None else ""
        print_failure(f"{each.path}{index}", each.type, each.message, each.traceback, tries)
    if len(own) > 5:
        print(f"\n… and {len(own) - 5} more exceptions: {program()} show {run.run_id} --output json")


def _told_once(exceptions: Sequence[ExceptionRecord]) -> list[tuple[ExceptionRecord, str]]:
    """Exceptions with the attempts that raised them, those of attempts that failed in the same way as one."""
    found: list[list[ExceptionRecord]] = []
    for each in exceptions:
        before = found[-1][-1] if found else None
        if before is not None and replace(before, attempt=0, raised_at=None) == replace(
            each, attempt=0, raised_at=None
        ):
            found[-1].append(each)
        else:
            found.append([each])
    tried = {(each.path, each.index) for each in exceptions if each.attempt > 1}
    return [(same[-1], _tries(same) if (same[0].path, same[0].index) in tried else "") for same in found]


def _tries(same: Sequence[ExceptionRecord]) -> str:
    first, last = same[0].attempt, same[-1].attempt
    return f"attempt {last}" if first == last else f"attempts {first} to {last}"


def print_failure(where: str, type_: str, message: str, trace: str, tries: str = "") -> None:
    """What was raised at a place, and its traceback without the end that would say it once more."""
    heading = f"{where}{f', {tries}' if tries else ''}: {type_}"
    print(f"\n{styled(heading, '1;31')}: {plain(message)}")
    text = trace.rstrip()
    if message and text.endswith(message.rstrip()):
        text = text.removesuffix(message.rstrip()).rpartition("\n")[0]
    lines = plain(text).splitlines()
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES // 2], "  …", *lines[-MOST_LINES // 2 :]]
    for line in lines:
        print(f"    {line}".rstrip())


def plain_value(encoded: Mapping[str, Any]) -> Any:
    """An encoded value as JSON: itself, or what it is in words."""
    return encoded["json"] if "json" in encoded else recorded(encoded)


def node_object(node: Node) -> dict[str, Any]:
    """A node as JSON."""
    found: dict[str, Any] = {
        "phase": node.phase,
        "attempts": node.attempt,
        "started_at": node.started_at,
        "finished_at": node.finished_at,
        "error": _error_object(node.error),
        "message": node.message,
    }
    if node.outputs is not None:
        found["outputs"] = {name: plain_value(value) for name, value in node.outputs.items()}
    if node.total is not None:
        found["items"] = {
            "total": node.total,
            "succeeded": node.succeeded or 0,
            "failed": node.failed or 0,
            "cached": node.cached or 0,
        }
    return found


def node_line(path: str, node: Node) -> str:
    """A node in one line, under the node that it belongs to."""
    depth = path.count("/")
    label = "  " * depth + path.rpartition("/")[2]
    parts = [f"  {glyph(node.phase)} {label.ljust(28)} {node.phase.ljust(9)}"]
    if node.started_at and node.finished_at:
        parts.append(seconds(node.finished_at - node.started_at).rjust(7))
    if node.total is not None:
        parts.append(f"{node.succeeded or 0}/{node.total} items")
        parts += [f"{node.failed} failed"] if node.failed else []
        parts += [f"{node.cached} cached"] if node.cached else []
    if node.attempt > 1:
        parts.append(f"attempt {node.attempt}")
    if node.error is not None:
        parts.append(styled(clipped(f"{node.error.type}: {node.error.message}"), "31"))
    elif node.message:
        parts.append(styled(clipped(node.message, 200), "2"))
    return "  ".join(parts)


# ---------------------------------------------------------------------- logs


def show_logs(
    run_id: str, node: str | None, item: int | None, *, place: Place, follow: bool, json: bool
) -> None:
    """Print what the tasks of a run printed and logged."""
    setup_logging()
    run = locate(run_id, place)
    if isinstance(run, Remote):
        from headwater.cli.commands.clusters import show_remote_logs

        show_remote_logs(run, node, item, follow=follow, json=json)
        return
    if item is not None and node is None:
        raise UsageError(
            "--item needs a node: the map that it is an item of", fix="flowctl logs RUN NODE --item N"
        )
    url = database_url()
    nodes = queries.nodes(url, run.run_id) if node is not None else {}
    wanted = LogFilter.of(f"{node}[{item}]" if item is not None else node, nodes)
    _refuse_missing_item(wanted, nodes)
    file = log_file(run.run_id)
    if json and not follow:
        print_json([log_object(entry) for entry in _entries(file) if wanted.has(entry)])
        return
    position = 0
    silent = True
    while True:
        ended = not follow or queries.get_run(url, run.run_id).ended
        for entry, end in _entries_from(file, position):
            position = end
            if wanted.has(entry):
                silent = False
                print(json_module.dumps(log_object(entry)) if json else log_line(entry), flush=follow)
        if ended:
            if silent:
                what = f"{node}[{item}]" if item is not None else node
                print(f"nothing was printed{f' in {what}' if what else ''}", file=sys.stderr)
            return
        time.sleep(FOLLOW_SECONDS)


def _refuse_missing_item(wanted: LogFilter, nodes: Mapping[str, Node]) -> None:
    """Refuse the index of an item that the map does not have."""
    found = next((node for path, node in nodes.items() if path.replace("_", "-") == wanted.path), None)
    if wanted.index is None or found is None:
        return
    if found.total is None:
        raise UsageError(f"{wanted.path!r} has no items: it is no map", fix=f"flowctl logs RUN {wanted.path}")
    if wanted.index >= found.total:
        raise UsageError(
            f"{wanted.path!r} has no item {wanted.index}", fix=f"It has {found.total}, counted from 0."
        )


def _entries_from(file: Path, position: int) -> Iterator[tuple[dict[str, Any], int]]:
    if not file.exists():
        return
    with file.open(encoding="utf-8", errors="replace") as lines:
        lines.seek(position)
        while line := lines.readline():
            if not line.endswith("\n"):
                return  # it is being written
            try:
                entry = json_module.loads(line)
            except ValueError:
                entry = {"t": 0, "p": "", "a": 0, "s": "log", "x": line.rstrip()}
            yield entry, lines.tell()


def _entries(file: Path) -> Iterator[dict[str, Any]]:
    for entry, _ in _entries_from(file, 0):
        yield entry


def log_object(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A line as JSON."""
    return {
        "at": entry["t"],
        "node": entry["p"],
        "attempt": entry["a"],
        "item": entry.get("i"),
        "stream": entry["s"],
        "level": entry.get("l"),
        "text": entry["x"],
    }


def log_line(entry: Mapping[str, Any]) -> str:
    """A line for people."""
    index = f"[{entry['i']}]" if "i" in entry else ""
    stamp = time.strftime("%H:%M:%S", time.localtime(entry["t"]))
    where = f"{entry['p']}{index}"
    level = f"{entry['l']} " if entry.get("l") else ""
    return f"{styled(f'{stamp} {where}:' if where else f'{stamp}:', '2')} {level}{plain(entry['x'])}"


# ---------------------------------------------------------------------- diff


def show_diff(a: str, b: str, *, json: bool) -> None:
    """Print how two runs differ."""
    from headwater.backends.diff import diff_runs

    setup_logging()
    found = diff_runs(a, b)
    if json:
        print_json(
            {
                "a": found.a.run_id,
                "b": found.b.run_id,
                "diverged": found.diverged,
                "differences": [
                    {"what": each.what, "where": each.where, "a": each.a, "b": each.b}
                    for each in found.differences
                ],
            }
        )
        return
    if not found.differences:
        print(f"{found.a.run_id} and {found.b.run_id} do not differ")
        return
    rows = [(each.what, each.where, each.a, each.b) for each in found.differences]
    print(table(rows, ("what", "where", found.a.run_id, found.b.run_id)))
    if found.diverged:
        print(f"\nthe first node that went another way: {styled(found.diverged, '1')}")
