"""Outputs as encoded values: in the report where they fit, in the store where they do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from headwater.document.unit import Encoded
from headwater.errors import StoreError
from headwater.runtime.pod.values import Values

if TYPE_CHECKING:
    from headwater.values.store import ArtifactStore

PICKLE_LIMIT = 1100
"""Bytes of a pickle that may travel in a report; in base64 it has a third more."""

_TO_THE_STORE = -1
_PLAIN = frozenset({int, bool, type(None)})


def encoded(name: str, value: object, values: Values, *, limit: int | None = None) -> Encoded:
    """One output, encoded; `limit` is how many bytes of JSON may stay in place (None: the codec's own).

    Raises:
        StoreError: it cannot be pickled or written, or is too large where there is no store.

    >>> encoded("x", [1, 2], Values("")), list(encoded("x", (1, 2), Values("")))
    ({'json': [1, 2]}, ['pickle'])
    """
    if type(value) in _PLAIN and -(1 << 53) < (value or 0) < 1 << 53:  # type: ignore[operator]  # a number
        return {"json": value}
    from headwater.runtime.code import live
    from headwater.values import codec

    store: ArtifactStore | None = values.store if values.url else None
    inline = codec.INLINE_LIMIT if limit is None else limit
    try:
        return codec.encode(
            live(value), store, inline_limit=inline, pickle_limit=PICKLE_LIMIT if inline >= 0 else 0
        )
    except StoreError as error:
        fix = error.fix
        if store is None and not fix:
            fix = "Start the operator with --store (a claim or a URL), or return less."
        raise StoreError(f"output {name!r}: {error.message}", fix=fix) from error


def encode_all(outputs: Mapping[str, object], values: Values) -> dict[str, Encoded]:
    """All outputs of a node or an item."""
    return {name: encoded(name, value, values) for name, value in outputs.items()}


def fit(
    outputs: Mapping[str, object], values: Values, fits: Callable[[Mapping[str, Encoded]], bool]
) -> dict[str, Encoded]:
    """The outputs, encoded, the largest moved to the store until `fits` says that there is room for them.

    Raises:
        StoreError: they do not fit, whatever is done.
    """
    found = encode_all(outputs, values)
    sizes = {name: len(json.dumps(value)) for name, value in found.items() if "ref" not in value}
    moved = sorted(sizes, key=lambda name: (-sizes[name], name)) if values.url else []
    for name in moved:
        if sizes[name] < 150 or fits(found):  # a reference is no smaller
            break
        found[name] = encoded(name, outputs[name], values, limit=_TO_THE_STORE)
    if not fits(found) and values.url:
        found = _as_one(outputs, values)
    if not fits(found):
        largest = max(sizes, key=lambda name: sizes[name], default="")
        raise StoreError(
            f"{len(outputs)} outputs do not fit into a report; the largest, {largest!r}, has "
            f"{sizes.get(largest, 0):,} bytes",
            fix="Return less." if values.url else "Start the operator with --store, or return less.",
        )
    return found


def _as_one(outputs: Mapping[str, object], values: Values) -> dict[str, Any]:
    """A great many outputs: one artifact holds them all, and each is an element of it."""
    whole = encoded("outputs", list(outputs.values()), values, limit=_TO_THE_STORE)
    return {name: {"item": [whole, number]} for number, name in enumerate(outputs)}
