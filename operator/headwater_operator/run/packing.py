"""The engine's snapshot, and what the operator remembers beside it, as one short text for `status.engine`."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from headwater.engine import Engine, Graph
from headwater.engine.snapshot import restore, snapshot
from headwater.engine.state import Known

_FORMAT = "1:"
_BLANK: dict[str, Any] = {
    "stage": "", "waiting": 0, "attempt": 0, "charged": 0, "free_retries": 0, "outputs": None, "inputs": None,
    "answer": None, "passes": 0, "slots": 0, "looked_up": False, "asked_when": False, "message": "",
    "started_at": None, "ended_at": None, "phase": "Pending", "failure": None, "items": None, "children": [],
}  # fmt: skip
"""What a node's part of a snapshot is when nothing has happened: left out of the text."""

LONGEST_TRACEBACK = 1500
TRACEBACKS = 5


def pack(engine: Engine, beside: Mapping[str, Any]) -> str:
    """The text of an engine and of what stands beside it.

    >>> from headwater.engine.graph import Block, Node, Task
    >>> graph = Graph({"main": Block("main", (Node("a", Task("m:a")),))}, "main")
    >>> engine = Engine(graph, {}); _ = engine.start(at=0.0)
    >>> again, beside = unpack(pack(engine, {"timers": {}}), graph)
    >>> again.states["a"].stage, beside
    ('run', {'timers': {}})
    """
    whole = snapshot(engine)
    _Shortener().frame(whole["root"])
    _Shortener().frame(whole["exit"])
    text = json.dumps([whole, beside], separators=(",", ":"), ensure_ascii=False)
    return _FORMAT + base64.b64encode(zlib.compress(text.encode(), 3)).decode()


def unpack(
    text: str, graph: Graph, known: Mapping[str, Known] | None = None
) -> tuple[Engine, dict[str, Any]]:
    """The engine again, and what stood beside it.

    Raises:
        ValueError: the text is not what `pack` writes.
    """
    whole, beside = _read(text)
    _lengthen(whole["root"])
    _lengthen(whole["exit"])
    return restore(graph, whole, known=known), beside


def beside_of(text: str) -> dict[str, Any]:
    """Only what stands beside the engine."""
    found: dict[str, Any] = _read(text)[1]
    return found


def _read(text: str) -> Any:
    if not text.startswith(_FORMAT):
        raise ValueError(f"status.engine is of another format: {text[:8]!r}")
    return json.loads(zlib.decompress(base64.b64decode(text[len(_FORMAT) :])))


class _Shortener:
    """Leaves out what is blank, and tracebacks beyond the first few."""

    def __init__(self) -> None:
        self.tracebacks = 0

    def frame(self, frame: dict[str, Any] | None) -> None:
        if frame is None:
            return
        for node in frame["nodes"]:
            for child in node["children"]:
                self.frame(child)
            if node["ended_at"] is not None:
                # Nobody asks any more; when it ran stands in `status.nodes`.
                node["started_at"] = None
            for time in ("started_at", "ended_at"):
                if node[time] is not None:
                    node[time] = round(node[time], 1)
            self._failures(node)
            for name in [name for name, blank in _BLANK.items() if node[name] == blank]:
                del node[name]

    def _failures(self, node: dict[str, Any]) -> None:
        if node["failure"] is not None:
            self._cut(node["failure"])
        if node["items"] is not None:
            for failure in node["items"]["failed"].values():
                self._cut(failure)

    def _cut(self, failure: dict[str, Any]) -> None:
        self.tracebacks += 1
        kept = LONGEST_TRACEBACK if self.tracebacks <= TRACEBACKS else 0
        failure["traceback"] = failure["traceback"][-kept:] if kept else ""


def _lengthen(frame: dict[str, Any] | None) -> None:
    if frame is None:
        return
    for i, node in enumerate(frame["nodes"]):
        frame["nodes"][i] = node = {**_BLANK, "children": [], **node}
        for child in node["children"]:
            _lengthen(child)
