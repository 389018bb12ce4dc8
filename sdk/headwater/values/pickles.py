"""Pickles whose large buffers (arrays, tables) lie beside the pickle, not in it: written and read with no
copy.

With no large buffer the result is an ordinary pickle. With some it is a small header, the pickle, then each
buffer at a multiple of 64 bytes; read from a mapped file the buffers stay where they are.
"""

from __future__ import annotations

import functools
import io
import pickle
import struct
import sys
from collections.abc import Iterable
from types import FunctionType
from typing import Any

from headwater.errors import StoreError
from headwater.values.arrays import Buffer
from headwater.values.exceptions import ReducesExceptions, reduction
from headwater.values.hashing import type_name

_MAGIC = b"HWPICKLE"
_ALIGN = 64
_OUT_OF_BAND = 4096
_PROTOCOL = 5


def dump(value: object) -> list[Buffer]:
    """Pickle a value into buffers to be written one after the other.

    Classes and functions of `__main__`, closures and lambdas go by value (cloudpickle), others by name.
    Raises `StoreError` for what cannot be pickled.

    >>> load(b"".join(dump({1, 2})))
    {1, 2}
    """
    content, outside = _dump(value)
    if not outside:
        return [content]
    lengths = [view.nbytes for view in outside]
    header = _MAGIC + struct.pack(f"<QQ{len(lengths)}Q", len(lengths), len(content), *lengths)
    buffers: list[Buffer] = []
    parts: tuple[Buffer, ...] = (header, content, *outside)
    for part in parts:
        buffers.append(part)
        buffers.append(bytes(-len(part) % _ALIGN))
    return buffers


def load(buffer: Any) -> object:
    """The value of a pickle; what lies beside it is used in place, and is writable where `buffer` is.

    Raises whatever unpickling raises, `ValueError` for a file that is cut short.
    """
    view = memoryview(buffer)
    if view[: len(_MAGIC)] != _MAGIC:
        return pickle.loads(view)
    start = len(_MAGIC)
    number, size = struct.unpack_from("<QQ", view, start)
    lengths = struct.unpack_from(f"<{number}Q", view, start + 16)
    start = _aligned(start + 16 + 8 * number)
    content = view[start : start + size]
    outside = []
    for length in lengths:
        start = _aligned(start + size)
        outside.append(view[start : start + length])
        size = length
    if start + size > view.nbytes:
        raise ValueError("the file is cut short")
    return pickle.loads(content, buffers=outside)


def _aligned(position: int) -> int:
    return position + -position % _ALIGN


def _dump(value: object) -> tuple[bytes, list[memoryview]]:
    outside: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < _OUT_OF_BAND:
            return True
        outside.append(view)
        return False

    file = io.BytesIO()
    try:
        if not _registered_by_value():
            try:
                _ByName(file, _PROTOCOL, buffer_callback=keep).dump(value)
                return file.getvalue(), outside
            except RecursionError:
                raise
            except Exception:  # anything may come out of it; cloudpickle has the last word
                outside.clear()
                file = io.BytesIO()
        _by_value()(file, protocol=_PROTOCOL, buffer_callback=keep).dump(value)
    except Exception as error:
        # cloudpickle wraps it
        if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
            raise _unpicklable(value, "it is nested too deeply", "Pass it in a flatter form.") from error
        fix = "Pass something that can be pickled: data, not open files, locks or connections."
        raise _unpicklable(value, str(error) or type(error).__name__, fix) from error
    return file.getvalue(), outside


def _unpicklable(value: object, why: str, fix: str) -> StoreError:
    return StoreError(f"a value of type {type_name(type(value))} cannot be stored: {why}", fix=fix)


class _NeedsValueError(Exception):
    """Something in the value must travel by value."""


class _ByName(pickle.Pickler):
    """The plain pickler, fast and free of imports; it gives up where a name would mean nothing elsewhere."""

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if (kind is FunctionType or isinstance(obj, type)) and (
            obj.__module__ == "__main__" or obj.__module__ not in sys.modules
        ):
            raise _NeedsValueError
        return reduction(obj) if isinstance(obj, BaseException) else NotImplemented


@functools.cache
def _by_value() -> Any:
    import cloudpickle

    class Pickler(ReducesExceptions, cloudpickle.Pickler):  # type: ignore[misc]  # it has no annotations
        pass

    return Pickler


def _registered_by_value() -> Iterable[str]:
    cloudpickle = sys.modules.get("cloudpickle")
    return cloudpickle.list_registry_pickle_by_value() if cloudpickle is not None else ()
