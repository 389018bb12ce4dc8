"""What has ended inside a unit, with its outputs, in the store: an attempt that follows goes on from there.

One file for each node that has ended, and for batches of items; a file is there whole or not at all, in any kind
of store.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from headwater.document.unit import Encoded, TaskRecord, UnitReport, unit_folder
from headwater.engine import Known, NodeState, Phase
from headwater.errors import StoreError
from headwater.runtime.carry import Stored
from headwater.runtime.pod.outputs import encode_all
from headwater.runtime.pod.values import Values, in_parallel

_NODE, _ITEMS, _TASKS = "node-", "items-", "tasks.json"

logger = logging.getLogger("headwater")


class Journal:
    """The journal of one unit; without a store it keeps nothing."""

    def __init__(self, values: Values, run: str, path: str) -> None:
        self.known: dict[str, Known] = {}
        self.known_items: dict[str, dict[int, Mapping[str, object]]] = {}
        self.records: dict[str, TaskRecord] = {}
        self.is_open = bool(values.url)
        self._values = values
        self._folder = unit_folder(run, path)
        if values.may_have(self._folder):
            self._read()

    def node_ended(self, state: NodeState, record: TaskRecord) -> None:
        """Write down how a node has ended."""
        entry = {
            "path": state.path,
            "phase": str(state.phase),
            "answer": state.answer,
            "record": UnitReport(tasks=(record,)).to_json()["tasks"][0],
        }
        self._write(_NODE, state.path, entry, {"outputs": state.outputs or {}})

    def items_ended(self, path: str, results: Mapping[int, Mapping[str, object] | None]) -> None:
        """Write down the outputs of items of a map."""
        first = min(results, default=0)
        self._write(
            f"{_ITEMS}{first}-", path, {"path": path}, {str(index): found for index, found in results.items()}
        )

    def close(self, records: Sequence[TaskRecord]) -> None:
        """Keep the records of all tasks beside the journal."""
        if self.is_open:
            tasks = UnitReport(tasks=tuple(records)).to_json().get("tasks", [])
            self._put(_TASKS, {"tasks": tasks})

    # ------------------------------------------------------------ writing

    def _write(
        self, kind: str, path: str, entry: dict[str, Any], outputs: Mapping[str, Mapping[str, object] | None]
    ) -> None:
        if not self.is_open:
            return
        try:
            encoded = {
                name: None if found is None else encode_all(found, self._values)
                for name, found in outputs.items()
            }
        except StoreError as error:
            # Inside a unit a value need not be able to travel; then what made it runs again.
            logger.warning("%s would be run again after an interruption: %s", path, error.message)
            return
        from hashlib import sha256

        entry.update(encoded if kind == _NODE else {"items": encoded})
        self._put(f"{kind}{sha256(path.encode()).hexdigest()[:16]}.json", entry)

    def _put(self, name: str, entry: Mapping[str, Any]) -> None:
        try:
            content = json.dumps(entry, separators=(",", ":")).encode()
            self._values.store.write_file(f"{self._folder}/{name}", [content])
        except StoreError as error:
            self.is_open = False
            logger.warning("after an interruption this unit would begin anew: %s", error)

    # ------------------------------------------------------------ reading

    def _read(self) -> None:
        store = self._values.store
        names = [name for name in store.files_in(self._folder) if name.startswith((_NODE, _ITEMS))]
        contents = in_parallel(
            lambda name: store.read_file(f"{self._folder}/{name}"), names, len(names), store.url
        )
        for name, content in zip(names, contents, strict=True):
            entry = json.loads(content or b"{}")
            if not entry:
                continue
            if name.startswith(_ITEMS):
                self._adopt_items(entry)
            else:
                self._adopt_node(entry)

    def _adopt_node(self, entry: Mapping[str, Any]) -> None:
        path = entry["path"]
        self.known[path] = Known(Phase(entry["phase"]), self._outputs(entry["outputs"]), entry.get("answer"))
        (self.records[path],) = UnitReport.from_json({"tasks": [entry["record"]]}).tasks

    def _adopt_items(self, entry: Mapping[str, Any]) -> None:
        known = self.known_items.setdefault(entry["path"], {})
        for index, outputs in entry["items"].items():
            if outputs is not None:  # a skipped item costs nothing to run again
                known[int(index)] = self._outputs(outputs)

    def _outputs(self, encoded: Mapping[str, Encoded]) -> dict[str, object]:
        """The outputs; what lies in the store is read when a task asks for it."""
        url = self._values.store.url
        return {
            name: Stored(url, value) if "ref" in value else self._values.decode(value)
            for name, value in encoded.items()
        }
