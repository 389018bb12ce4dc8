"""Values for a laptop that cannot read the store: a pod gathers them and prints them, the laptop reads its log.

The pod opens nothing: it needs none of the user's code. Where an artifact is referred to, its bytes are sent.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from headwater.document.unit import Encoded, ItemFiles
from headwater.errors import HeadwaterError, StoreError
from headwater.runtime.pod.values import Values

VARIABLE = "HEADWATER_FETCH"
BEGIN, END = "-----BEGIN HEADWATER VALUES-----", "-----END HEADWATER VALUES-----"

_LINE = 57 * 64

Portable = dict[str, Any]


def fetch() -> int:
    """Print the values that the environment asks for: `{"store": URL, "values": {NAME: encoded}}`."""
    try:
        wanted = json.loads(os.environ[VARIABLE])
        values = Values(wanted["store"])
        found = {name: portable(encoded, values) for name, encoded in wanted["values"].items()}
    except (HeadwaterError, KeyError, ValueError, TypeError) as error:
        print(f"headwater: the values cannot be fetched: {error}", file=sys.stderr)
        return 1
    for line in framed(found):
        print(line)
    return 0


def portable(encoded: Encoded, values: Values) -> Portable:
    """An encoded value that needs no store and no mounted file any more."""
    if "ref" in encoded:
        return {"bytes": values.store.read(encoded["ref"]), "format": encoded["format"]}
    if "list" in encoded:
        return {"list": [portable(part, values) for part in encoded["list"]]}
    if "dict" in encoded:
        return {"dict": {name: portable(part, values) for name, part in encoded["dict"].items()}}
    if "item" in encoded:
        whole, index = encoded["item"]
        return {"item": [portable(whole, values), index]}
    if "file" in encoded:
        return {"json": values.decode(encoded)}
    if "items" in encoded:
        from headwater.runtime.pod.columns import Column

        column = Column(ItemFiles.from_encoded(encoded), values)
        return {
            "column": [_portable_item(entry, values) for entry in column.entries()],
            "files": dict(encoded),
        }
    return dict(encoded)


def _portable_item(entry: Mapping[str, Any] | None, values: Values) -> Mapping[str, Any] | None:
    if entry is None or "failure" in entry or entry["outputs"] is None:
        return entry
    return {"outputs": {name: portable(each, values) for name, each in entry["outputs"].items()}}


def framed(found: Mapping[str, Portable]) -> Iterator[str]:
    """The lines that a pod prints."""
    from hashlib import sha256

    content = pickle.dumps(dict(found), protocol=5)
    yield BEGIN
    yield sha256(content).hexdigest()
    text = base64.b64encode(content).decode()
    for start in range(0, len(text), _LINE):
        yield text[start : start + _LINE]
    yield END


def parse(text: str) -> dict[str, object]:
    """The objects that a pod has printed, by name, from its log.

    Raises:
        StoreError: the log is cut off, holds no values, or one of them cannot be opened here.

    >>> parse("\\n".join(["some log", *framed({"x": {"json": [1, 2]}}), ""]))
    {'x': [1, 2]}
    """
    from hashlib import sha256

    _, begun, rest = text.partition(BEGIN)
    body, ended, _ = rest.partition(END)
    digest, *lines = body.split() or [""]
    content = base64.b64decode("".join(lines))
    if not begun or not ended or sha256(content).hexdigest() != digest:
        raise StoreError(
            "what the pod printed holds no whole values",
            fix="Try again; its log was cut off or is not there.",
        )
    values = _Carried()
    return {name: values.decode(found) for name, found in pickle.loads(content).items()}


class _Carried(Values):
    """Opens portable values."""

    def __init__(self) -> None:
        super().__init__("")

    def decode(self, encoded: Encoded) -> object:
        if "bytes" in encoded:
            return _unpacked(encoded["format"], encoded["bytes"])
        if "column" in encoded:
            return self._column(encoded).all()
        return super().decode(encoded)

    def sequence(self, encoded: Encoded) -> Any:
        if "column" in encoded:
            return self._column(encoded)
        return super().sequence(encoded)

    def _column(self, encoded: Encoded) -> Any:
        from headwater.runtime.pod.columns import CarriedColumn

        return CarriedColumn(ItemFiles.from_encoded(encoded["files"]), self, encoded["column"])


def _unpacked(form: str, content: bytes) -> object:
    from headwater.values import codec

    try:
        return codec.unpack(form, bytearray(content))
    except Exception as error:  # unpickling raises anything
        raise StoreError(
            f"a value cannot be loaded: {type(error).__name__}: {error}",
            fix="It holds objects of a module that must be importable here, as where the value was made.",
        ) from error
