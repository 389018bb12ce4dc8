"""What the items of one pod came to: written to the store as they end, and kept for the report as far as it fits.

The file is one JSON object with an item a line. In a store that is a folder it grows beside its place, so that
a pod that takes over after a disruption goes on where the one before it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

from headwater.document.unit import MESSAGE_LIMIT, Encoded
from headwater.engine.intervals import IntervalSet
from headwater.errors import StoreError
from headwater.runtime.pod.values import Values

_SHOWN_FAILURES = 50
_FLUSH_SECONDS = 0.005
"""What a pod that is killed had done so long before is not done again."""

_PART = ".part"
_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

Entry = dict[str, Any]


class Results:
    """The outcomes of a share of a map; `place` is the file's place below the store."""

    def __init__(self, values: Values, place: str) -> None:
        self.succeeded = IntervalSet()
        self.failed = IntervalSet()
        self.shown_failures: dict[int, Mapping[str, Any]] = {}
        self.cached = 0
        self.inline: dict[int, Mapping[str, Encoded] | None] | None = {}
        self.complete = False
        self._room = MESSAGE_LIMIT * 2  # a report may be compressed
        self._values = values
        self._place = place
        self._file: IO[bytes] | None = None
        self._part = ""
        self._comma = ""
        self._flushed = 0.0
        self._taken: dict[int, Entry] = {}
        if values.may_have(os.path.dirname(place)):
            self._take_over()

    def __contains__(self, index: int) -> bool:
        return index in self.succeeded or index in self.failed

    # ------------------------------------------------------------ noting

    def success(self, index: int, outputs: Mapping[str, Encoded] | None, *, cached: bool) -> None:
        """An item ended well; None for one that was skipped."""
        entry: Entry = {"outputs": outputs, "cached": True} if cached else {"outputs": outputs}
        self._note(index, entry)
        self._write(index, entry)

    def failure(self, index: int, failure: Mapping[str, Any]) -> None:
        """An item failed."""
        entry = {"failure": dict(failure)}
        self._note(index, entry)
        self._write(index, entry)

    def _note(self, index: int, entry: Entry) -> None:
        if "failure" in entry:
            self.failed.add(index, index + 1)
            if len(self.shown_failures) < _SHOWN_FAILURES:
                self.shown_failures[index] = entry["failure"]
            return
        self.succeeded.add(index, index + 1)
        self.cached += bool(entry.get("cached"))
        if self.inline is not None:
            self._room -= len(json.dumps(entry["outputs"])) + 8
            if self._room < 0:
                self.inline = None
            else:
                self.inline[index] = entry["outputs"]

    # ------------------------------------------------------------ the file

    def _write(self, index: int, entry: Entry) -> None:
        if not self._values.url:
            return
        if self._file is None:
            self._file = self._opened()
        self._append(self._file, index, entry)
        now = time.monotonic()
        if now - self._flushed > _FLUSH_SECONDS:
            self._flushed = now
            self._file.flush()

    def _append(self, file: IO[bytes], index: int, entry: Entry) -> None:
        text = f'{self._comma}\n"{index}":{_to_json(entry)}'
        self._comma = ","
        file.write(text.encode())

    def _opened(self) -> IO[bytes]:
        store = self._values.store
        if not store.is_local:
            import tempfile

            file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # it is ours until the share is done
        else:
            self._part = os.path.join(store.url, f"{self._place}.{os.uname().nodename}-{os.getpid()}{_PART}")
            try:
                os.makedirs(os.path.dirname(self._part), exist_ok=True)
                file = open(self._part, "w+b")  # noqa: SIM115  # as above
            except OSError as error:
                raise StoreError(
                    f"cannot write {self._part}: {error.strerror or error}",
                    fix="The artifact store must be writable from the pods.",
                ) from error
        file.write(b"{")
        for index, entry in self._taken.items():
            self._append(file, index, entry)
        return file

    def finish(self) -> None:
        """All items have ended: the file gets its name.

        Raises:
            StoreError: it cannot be written; or the outputs do not fit into a report and there is no store.
        """
        if not self._values.url:
            if self.inline is None:
                raise StoreError(
                    "the outputs of this pod's items do not fit into a report, and there is no artifact store",
                    fix="Start the operator with --store (a claim or a URL), or lower itemsPerPod.",
                )
            return
        file = self._file or self._opened()
        file.write(b"\n}")
        file.flush()
        if self._part:
            file.close()
            os.replace(self._part, os.path.join(self._values.store.url, self._place))
            for other in self._parts():
                with contextlib.suppress(OSError):
                    os.unlink(other)
        else:
            file.seek(0)
            self._values.store.write_file(self._place, iter(lambda: file.read(1 << 20), b""))
            file.close()

    # ------------------------------------------------------------ after a restart

    def _take_over(self) -> None:
        content = self._values.store.read_file(self._place)
        if content is not None:
            for index, entry in json.loads(content).items():
                self._note(int(index), entry)
            self.complete = True
            return
        for part in self._parts():
            self._taken.update(_entries(part))
        for index, entry in sorted(self._taken.items()):
            self._note(index, entry)

    def _parts(self) -> list[str]:
        """What pods that did not come to the end of this very share have left."""
        if not self._values.store.is_local:
            return []
        folder, _, name = os.path.join(self._values.store.url, self._place).rpartition("/")
        try:
            found = os.listdir(folder)
        except OSError:
            return []
        return [
            f"{folder}/{each}"
            for each in sorted(found)
            if each.startswith(name + ".") and each.endswith(_PART)
        ]


def _entries(part: str) -> Iterator[tuple[int, Entry]]:
    """The items in an unfinished file; a line that was cut short is left out."""
    try:
        with open(part, encoding="utf-8", errors="replace") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    for index, entry in json.loads("{" + line.strip().strip(",{") + "}").items():
                        yield int(index), entry
    except OSError:
        return
