"""Values as small JSON mappings: `{"json": …}` for what JSON carries exactly, `{"pickle": …}` for a small
object where that is wanted, else a reference to an artifact.

A value arrives with the type that it left with. `decode(encode(value))` is a new object: what is encoded is a
snapshot.
"""

from __future__ import annotations

import binascii
import json
import math
import mmap
from collections.abc import Callable, Mapping, Sized
from typing import Any

from headwater.errors import StoreError
from headwater.values import arrays, pickles
from headwater.values.arrays import Buffer
from headwater.values.store import ArtifactStore

INLINE_LIMIT = 2048
# Smaller artifacts are read and compared with their digest; larger ones are mapped and only measured.
_MAPPED = 8 << 20
_MOST_ITEMS = 100_000
_INT_LIMIT = 1 << 63
# No number or constant takes more characters, with its comma.
_ITEM = 25

_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

Encoded = dict[str, Any]


def encode(
    value: object,
    store: ArtifactStore | None,
    *,
    inline_limit: int = INLINE_LIMIT,
    pickle_limit: int = 0,
) -> Encoded:
    """Encode a value: inline where JSON gives it back exactly in at most `inline_limit` bytes, or where its
    pickle has at most `pickle_limit` bytes; else as an artifact.

    Raises `StoreError` for what cannot be pickled or written, or needs a store where there is none.

    >>> encode([1, "a", None], ArtifactStore("unused"))
    {'json': [1, 'a', None]}
    """
    kind = type(value)
    if kind is int and -_INT_LIMIT <= value < _INT_LIMIT:  # type: ignore[operator]  # an int, exactly
        return {"json": value}
    if kind is bool or value is None:
        return {"json": value}
    copy, json_size = _json_copy(value, inline_limit)
    if 0 <= json_size <= inline_limit:
        return {"json": copy}
    form, buffers = pack(value, as_json=json_size >= 0)
    size = sum(memoryview(buffer).nbytes for buffer in buffers)
    if size <= pickle_limit:
        pickled = buffers if form == "pickle" else pickles.dump(value)
        if len(pickled) == 1 and memoryview(pickled[0]).nbytes <= pickle_limit:
            return {"pickle": binascii.b2a_base64(pickled[0], newline=False).decode()}
    if store is None:
        raise StoreError(f"a value of {size:,} bytes needs an artifact store, and there is none")
    reference = store.put(buffers)
    return {"ref": reference, "format": form, "size": size, "length": _length(value)}


def decode(encoded: Mapping[str, Any], store: ArtifactStore) -> object:
    """The value again. Large arrays of a local store are mapped copy-on-write: they can be written to, the
    file stays.

    Raises `StoreError` when the artifact is missing, corrupt, or of a class that cannot be imported here.

    >>> decode({"json": [1, "a", None]}, ArtifactStore("unused"))
    [1, 'a', None]
    """
    if "json" in encoded:
        return _fresh(encoded["json"])
    if "pickle" in encoded:
        return _unpickled(encoded["pickle"])
    reference, form = encoded.get("ref"), encoded.get("format")
    if not isinstance(reference, str) or form not in _LOADERS:
        raise StoreError(f"{encoded!r} is no encoded value", fix='It needs "json", or "ref" and "format".')
    buffer = _read(reference, encoded.get("size"), store)
    try:
        return unpack(form, buffer)
    except (ImportError, AttributeError) as error:
        raise StoreError(
            f"artifact {store.describe(reference)} cannot be loaded: {error}",
            fix="It holds objects of that module: make it importable here, as where the value was made.",
        ) from error
    except Exception as error:  # unpickling raises anything
        raise store.corrupt(reference, f"{type(error).__name__}: {error}") from error


def _unpickled(text: str) -> object:
    try:
        return pickles.load(binascii.a2b_base64(text))
    except Exception as error:  # unpickling raises anything
        raise StoreError(
            f"a value cannot be unpickled: {type(error).__name__}: {error}",
            fix="Make what it is made of importable here, as where the value was made.",
        ) from error


def is_inline_json(value: object, *, inline_limit: int = INLINE_LIMIT) -> bool:
    """Whether `encode` would need no store for this value.

    >>> is_inline_json({"a": [1, 2.5]}), is_inline_json((1, 2)), is_inline_json({1: 2})
    (True, False, False)
    """
    return 0 <= _json_copy(value, inline_limit)[1] <= inline_limit


# ---------------------------------------------------------------- as bytes


def pack(value: object, *, as_json: bool | None = None) -> tuple[str, list[Buffer]]:
    """The format that fits a value, and its bytes as buffers that share its memory where they can.

    >>> import json
    >>> pack(b"raw")
    ('bytes', [b'raw'])
    """
    if type(value) is bytes:
        return "bytes", [value]
    if arrays.is_array(value) and arrays.survives_npy(value.dtype):  # type: ignore[attr-defined]  # an array
        return "npy", [arrays.npy_header(value), *arrays.chunks(value)]
    if arrays.is_table(value):
        return "arrow", arrays.table_buffers(value)
    if as_json is None:
        as_json = _json_copy(value, 0)[1] >= 0
    if as_json:
        return "json", [_to_json(value).encode()]
    return "pickle", pickles.dump(value)


def unpack(form: str, buffer: Any) -> object:
    """The value of what `pack` made; arrays are views of `buffer`. Raises whatever the format's reader
    raises.
    """
    return _LOADERS[form](buffer)


def _load_json(buffer: Any) -> object:
    return json.loads(bytes(buffer))


_LOADERS: dict[str, Callable[[Any], object]] = {
    "bytes": bytes,
    "npy": arrays.read_npy,
    "arrow": arrays.read_table,
    "pickle": pickles.load,
    "json": _load_json,
}


def _read(reference: str, size: object, store: ArtifactStore) -> Any:
    path = store.path(reference)
    if path is not None and isinstance(size, int) and size >= _MAPPED:
        found = store.size(reference)
        if found != size:
            raise store.corrupt(reference, f"it has {found} bytes instead of {size}")
        with store.open(reference) as file:
            try:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            except OSError:  # a file system without mapping
                return bytearray(file.read())
    # A bytearray, so that arrays on it can be written to.
    return bytearray(store.read(reference))


def _length(value: object) -> int | None:
    if not isinstance(value, Sized):
        return None
    try:
        return len(value)
    except TypeError:  # an array without dimensions
        return None


# ---------------------------------------------------------------- exact JSON


def _json_copy(value: object, limit: int) -> tuple[Any, int]:
    """A copy and its size as JSON (exact where it is above the limit), -1 where JSON would change it."""
    copier = _Copier()
    try:
        copy = copier.copy(value)
    except (_NotJsonError, RecursionError):
        return None, -1
    if copier.size <= limit:
        return copy, copier.size
    return copy, len(_to_json(copy))


class _NotJsonError(Exception):
    """JSON would give back something else."""


class _Copier:
    """Copies a value on the way; refuses what JSON changes: other types, NaN, one list in two places."""

    __slots__ = ("items", "seen", "size")

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.items = 0
        self.size = 0  # an upper bound of the size as JSON

    def copy(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            self.size += 6 * len(value)
            return _text(value)
        if kind is float:
            if math.isfinite(value):
                return value
        elif kind is int:
            if -_INT_LIMIT <= value < _INT_LIMIT:
                return value
        elif kind is bool or value is None:
            return value
        elif kind is list:
            self._enter(value)
            return [self.copy(item) for item in value]
        elif kind is dict:
            self._enter(value)
            return {self._key(key): self.copy(item) for key, item in value.items()}
        raise _NotJsonError

    def _enter(self, value: Any) -> None:
        self.items += len(value) + 1
        self.size += _ITEM * len(value) + 2
        if id(value) in self.seen or self.items > _MOST_ITEMS:
            raise _NotJsonError
        self.seen.add(id(value))

    def _key(self, key: object) -> str:
        if type(key) is not str:
            raise _NotJsonError
        self.size += 6 * len(key) + 3
        return _text(key)


def _text(value: str) -> str:
    # Halves of surrogate pairs join when read back, and PostgreSQL takes no NUL in JSON.
    if "\0" in value:
        raise _NotJsonError
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _NotJsonError from None
    return value


def _fresh(value: Any) -> Any:
    kind = type(value)
    if kind is list:
        return [_fresh(item) for item in value]
    if kind is dict:
        return {key: _fresh(item) for key, item in value.items()}
    return value
