"""The log files of runs on this machine: one JSON object a line, `t` when, `p` and `i` where, `x` what."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.configuration import state_dir
from headwater.errors import UsageError


def log_file(run_id: str) -> Path:
    """Where the log of a run is; a run that printed nothing has none.

    Raises:
        UsageError: this is no id, but would lead elsewhere.

    >>> log_file("20261127-1030-k3").name
    '20261127-1030-k3.jsonl'
    """
    if not run_id or run_id.startswith(".") or Path(run_id).name != run_id:
        raise UsageError(f"{run_id!r} is not the id of a run", fix="`flowctl list` shows the runs.")
    return state_dir() / "logs" / f"{run_id}.jsonl"


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are asked for: those of a node or an item, and of all that is below it; None for all."""

    path: str | None = None
    index: int | None = None

    @classmethod
    def of(cls, node: str | None, nodes: Collection[str]) -> LogFilter:
        """The filter for what a person calls a node: `gen_data`, `process[17]`.

        Raises:
            UsageError: the run has no such node.

        >>> LogFilter.of("process[17]", ["gen-data", "process"])
        LogFilter(path='process', index=17)
        """
        if node is None:
            return cls()
        known = {path.replace("_", "-") for path in nodes}
        path = node.replace("_", "-").removeprefix("main/")
        index = None
        match = re.fullmatch(r"(.*)\[(\d+)\]", path)
        if path not in known and match is not None:
            path, index = match[1], int(match[2])
        if path not in known and path.partition("[")[0] not in known:
            raise UsageError(
                f"there is no node {node!r} in the run", fix=f"Nodes: {', '.join(list(nodes)[:20])}."
            )
        return cls(path, index)

    def has(self, entry: Mapping[str, Any]) -> bool:
        """Whether a line is asked for."""
        if self.path is None:
            return True
        path = str(entry.get("p", "")).replace("_", "-")
        if self.index is not None:
            item = f"{self.path}[{self.index}]"
            own = path == self.path and entry.get("i") == self.index
            return own or path == item or path.startswith((item + "/", item + "["))
        return path == self.path or path.startswith((self.path + "/", self.path + "["))
