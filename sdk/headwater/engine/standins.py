"""What stands for a value until a backend puts the value there. Apart from the rest, since it is needed early."""

from __future__ import annotations

from headwater.engine.data import data


@data
class ItemOf:
    """An input of an item that the engine expanded: element `index` of `collection`, taken by the backend."""

    collection: object
    index: int


@data
class Pickled:
    """A Python constant that JSON cannot carry: a pickle in base64. Only a runtime ever opens it."""

    data: str
