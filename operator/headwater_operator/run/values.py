"""Encoded values, as far as they can be handled without looking inside: lengths, tests, collections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headwater.document.unit import Encoded, is_encoded, length_of
from headwater.engine.graph import Test
from headwater.engine.standins import ItemOf

LARGEST_INLINE = 8 * 1024
"""Bytes of JSON that the outputs of a map may have in the status; more of them lie in files."""


class NotMappableError(ValueError):
    """A map cannot run over what it was given; the message says what to give it."""


def encoded(value: object) -> Encoded:
    """What the engine carried, as an encoded value: the engine's own facts about the run are plain JSON.

    >>> encoded({"json": 3}), encoded("run-1"), encoded(ItemOf({"range": 5}, 2))
    ({'json': 3}, {'json': 'run-1'}, {'json': 2})
    """
    if isinstance(value, ItemOf):
        return element(encoded(value.collection), value.index)
    if is_encoded(value):
        assert isinstance(value, Mapping)
        return value
    return {"json": value}


def encoded_inputs(inputs: Mapping[str, object]) -> dict[str, Encoded]:
    """All of a node's inputs, encoded."""
    return {name: encoded(value) for name, value in inputs.items()}


def element(collection: Encoded, index: int) -> Encoded:
    """One element of an encoded sequence, taken out here where that is possible.

    >>> element({"json": ["a", "b"]}, 1), element({"ref": "sha256:1"}, 1)
    ({'json': 'b'}, {'item': [{'ref': 'sha256:1'}, 1]})
    """
    if "json" in collection and isinstance(collection["json"], list):
        return {"json": collection["json"][index]}
    if "range" in collection:
        return {"json": index}
    if "list" in collection:
        found: Encoded = collection["list"][index]
        return found
    return {"item": [collection, index]}


def common_length(over: Mapping[str, object], *, lists_only: bool = False) -> int | None:
    """How many items a map over these has; None when only a runtime can tell.

    `lists_only`: nobody will take anything apart that is not a list, as Python would.

    Raises:
        NotMappableError: they have different lengths, or one is no list and has to be.

    >>> common_length({"x": {"json": [1, 2]}, "y": {"range": 2}})
    2
    """
    given = {name: encoded(value) for name, value in over.items()}
    for name, value in given.items():
        if lists_only and "json" in value and not isinstance(value["json"], list):
            found = type(value["json"]).__name__
            raise NotMappableError(
                f"input {name!r} is not a list but a {found}, so a map cannot run over it. Return a list upstream."
            )
    lengths = {name: length_of(value) for name, value in given.items()}
    if any(length is None for length in lengths.values()):
        return None
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise NotMappableError(
            f"a map runs over sequences of unequal length: {listed}. Give it sequences of one length."
        )
    return next(iter(lengths.values()), 0)


def tested(test: Test, value: object) -> bool | None:
    """The answer to a test of a value; None when only a runtime can tell.

    >>> tested(Test(None, "in", (1, 2)), {"json": 2}), tested(Test(None, "in", (1,)), {"ref": "sha256:1"})
    (True, None)
    """
    found = {"json": None} if value is None else encoded(value)
    if "json" in found:
        if test.operator == "exists":
            return found["json"] is not None
        return (found["json"] in test.values) == (test.operator == "in")
    return True if test.operator == "exists" and "pickle" not in found and "item" not in found else None


def list_of(values: Sequence[Encoded]) -> Encoded:
    """A list of encoded values as one: plain JSON where all of them are.

    >>> list_of([{"json": 1}, {"json": 2}]), list_of([{"json": 1}, {"pickle": "gA=="}])
    ({'json': [1, 2]}, {'list': [{'json': 1}, {'pickle': 'gA=='}]})
    """
    if all("json" in value for value in values):
        return {"json": [value["json"] for value in values]}
    return {"list": list(values)}


def shown(value: Encoded) -> Any:
    """How a value stands in `status.outputs`: plain JSON, or the encoded value under a key of its own.

    >>> shown({"json": [1]}), shown({"range": 2})
    ([1], {'headwater.dev/value': {'range': 2}})
    """
    return value["json"] if "json" in value else {"headwater.dev/value": dict(value)}
