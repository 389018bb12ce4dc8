"""Two runs side by side: what differs, and the first node at which they went apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headwater.configuration import database_url
from headwater.records import queries
from headwater.records.model import Node, Run


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same. `what` is code, parameter, input, output, phase or duration."""

    what: str
    where: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Diff:
    """All differences between two runs. `diverged` is the first node whose outcome is another."""

    a: Run
    b: Run
    differences: tuple[Difference, ...]
    diverged: str | None


def diff_runs(a: str, b: str) -> Diff:
    """Compare two recorded runs.

    Raises:
        UsageError: one of them is not in the run database.
    """
    url = database_url()
    runs = (queries.get_run(url, a), queries.get_run(url, b))
    found = [
        *_mappings("code", runs[0].code, runs[1].code),
        *_mappings("parameter", *(_flat(queries.configuration(url, run)) for run in runs)),
        *_mappings("input", runs[0].inputs, runs[1].inputs),
        *_mappings("output", runs[0].outputs, runs[1].outputs),
    ]
    nodes = (queries.nodes(url, runs[0].run_id), queries.nodes(url, runs[1].run_id))
    diverged = None
    # In order of time, so that the first one found is where the runs went apart.
    ordered = sorted({**nodes[1], **nodes[0]}.values(), key=lambda node: node.started_at or float("inf"))
    for node in ordered:
        changes = list(_of_node(node.path, nodes[0].get(node.path), nodes[1].get(node.path)))
        found += changes
        if diverged is None and any(change.what != "duration" for change in changes):
            diverged = node.path
    return Diff(runs[0], runs[1], tuple(found), diverged)


def _of_node(path: str, a: Node | None, b: Node | None) -> list[Difference]:
    if a is None or b is None:
        return [Difference("phase", path, a.phase if a else "(none)", b.phase if b else "(none)")]
    found = []
    if a.phase != b.phase and {a.phase, b.phase} != {"Cached", "Succeeded"}:
        found.append(Difference("phase", path, a.phase, b.phase))
    elif (a.outputs or {}) != (b.outputs or {}):
        found += _mappings(f"output of {path}", a.outputs or {}, b.outputs or {})
    times = [_seconds(node) for node in (a, b)]
    if max(times) > 0.05 and max(times) > 1.5 * min(times):
        found.append(Difference("duration", path, f"{times[0]:.2f} s", f"{times[1]:.2f} s"))
    return found


def _seconds(node: Node) -> float:
    return (
        (node.finished_at or 0.0) - (node.started_at or 0.0) if node.finished_at and node.started_at else 0.0
    )


def _mappings(what: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    return [
        Difference(what, key, _shown(a, key), _shown(b, key))
        for key in sorted({*a, *b})
        if a.get(key) != b.get(key)
    ]


def _shown(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        return "(none)"
    value = values[key]
    if isinstance(value, dict) and "json" in value:
        value = value["json"]
    elif isinstance(value, dict) and "ref" in value:
        return f"{value.get('format', 'value')} {str(value['ref'])[:19]}"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _flat(values: Mapping[str, Any] | None, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in (values or {}).items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
