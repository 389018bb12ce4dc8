"""What the operator notes of a run in `status.engine`: values, errors and items exactly as they were."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from headwater.engine.intervals import IntervalSet

FORMAT = "1:"


@dataclass(frozen=True, slots=True)
class Notes:
    """The exact part of a status.

    `items` are the errors of failed items by the path of their map and index; `counts` how many items of a map
    ended well, failed, and run.
    """

    outputs: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    exit_code: int | None = None
    items: Mapping[str, Mapping[int, Mapping[str, Any]]] = field(default_factory=dict)
    counts: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)


def notes_of(workflow: Mapping[str, Any]) -> Notes:
    """The notes of a run; empty where there are none, or of an operator that writes them in another way.

    >>> notes_of({"status": {"engine": "9:…"}}).outputs is None
    True
    """
    text = (workflow.get("status") or {}).get("engine") or ""
    if not text.startswith(FORMAT):
        return Notes()
    try:
        engine, beside = json.loads(zlib.decompress(base64.b64decode(text[len(FORMAT) :])))
        spec = {**(beside.get("template") or {}), **workflow["spec"]}
        names = {
            block["name"]: [node["name"] for node in block["nodes"]] for block in spec.get("blocks") or ()
        }
        pickles = beside.get("pickles") or {}
        maps = dict(_maps(engine, names))
        items = {path: _failures(path, node, pickles.get(path) or {}) for path, node in maps.items()}
        return Notes(
            engine["outputs"] or None,
            engine["error"],
            (engine["stopping"] or {}).get("code"),
            {path: found for path, found in items.items() if found},
            {path: _counts(node["items"]) for path, node in maps.items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error):
        return Notes()


def _counts(items: Mapping[str, Any]) -> tuple[int, int, int]:
    done, running = (len(IntervalSet.parse(items[name])) for name in ("done", "running"))
    return done, len(items["failed"]), running


def _failures(path: str, node: Mapping[str, Any], pickles: Mapping[str, str]) -> dict[int, Mapping[str, Any]]:
    found: dict[int, Mapping[str, Any]] = {}
    for index, failure in node["items"]["failed"].items():
        pickled = {"pickle": pickles[index]} if index in pickles else {}
        told = {name: part for name, part in failure.items() if part}
        found[int(index)] = {"node": f"{path}[{index}]", **told, **pickled}
    return found


def _maps(
    engine: Mapping[str, Any], names: Mapping[str, list[str]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The nodes that are maps, by path: a frame's nodes stand in the order of its block."""
    pending = [engine[key] for key in ("root", "exit") if engine[key]]
    for frame in pending:
        for place, node in enumerate(frame["nodes"]):
            pending += node.get("children") or []
            if node.get("items") and frame["block"] in names:
                yield f"{frame['prefix']}{names[frame['block']][place]}", node
