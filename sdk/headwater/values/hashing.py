"""The digest of a value by its content: exact in types, the same in every process.

Equal content gives equal digests: the order of sets and of dicts does not count, nor where an object lies in
memory, nor whether a list occurs once and is shared or occurs twice. Plain values are written out with a tag
for their type; what is left (instances of any class) is taken apart the way pickle does it.
"""

from __future__ import annotations

import copyreg
import functools
import marshal
import struct
import sys
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

from headwater.errors import StoreError
from headwater.values import arrays

# Lists of these are hashed at the speed of C. Version 2 of the format has neither references nor interned
# strings, so equal lists give equal bytes; sub-classes never come here, marshal would not tell them apart.
SCALARS = frozenset({int, float, bool, str, bytes, type(None)})
_STRINGS = frozenset({str})
_SORTABLE = frozenset({int, str, bytes})
_MARSHAL = 2

# Containers that are long or lie deep are hashed on their own and remembered, so that a list which is shared
# a thousand times is read once. The rule looks only at the value, never at what was seen before.
_LONG = 16
_DEEP = 4
_LARGE_BYTES = 4096
_FLUSH = 512

Parts = list[bytes]
Handler = Callable[["Hasher", Any, Parts, int], None]


class Hasher:
    """Hashes one value. `code` says what stands for a function or class, `seen_type` hears of instances'
    classes.
    """

    __slots__ = ("_code", "_keep", "_memo", "_open", "_seen_type")

    def __init__(
        self, code: Callable[[object], bytes], seen_type: Callable[[type], None] | None = None
    ) -> None:
        self._code = code
        self._seen_type = seen_type
        self._open: dict[int, int] = {}
        self._memo: dict[int, bytes] = {}
        self._keep: list[object] = []

    def digest(self, value: object) -> bytes:
        """The digest of the value: 32 bytes. Raises `StoreError` for what cannot be taken apart."""
        parts: Parts = []
        try:
            self.feed(value, parts, 0)
        except RecursionError as error:
            raise StoreError(
                f"a value of type {type_name(type(value))} is nested too deeply to be keyed",
                fix="Pass it in a flatter form.",
            ) from error
        return sha256(b"".join(parts)).digest()

    def feed(self, value: object, parts: Parts, depth: int) -> None:
        """Append what stands for the value."""
        handler = _EXACT.get(type(value)) or _handler(type(value))
        handler(self, value, parts, depth)

    # ------------------------------------------------------------ containers

    def sequence(self, value: Any, parts: Parts, depth: int) -> None:
        if SCALARS.issuperset(map(type, value)):
            parts.append(_sized(b"m", marshal.dumps(value, _MARSHAL)))
            return
        tag = b"l%d:" if type(value) is list else b"t%d:"
        self.container(value, parts, depth, tag % len(value), value)

    def mapping(self, value: dict[Any, Any], parts: Parts, depth: int) -> None:
        if _STRINGS.issuperset(map(type, value)):
            keys = sorted(value)
            content = [value[key] for key in keys]
            if SCALARS.issuperset(map(type, content)):
                parts.append(_sized(b"D", marshal.dumps([keys, content], _MARSHAL)))
                return
            self.container(value, parts, depth, _sized(b"d", marshal.dumps(keys, _MARSHAL)), content)
            return
        self.pairs(value, parts, depth)

    def pairs(self, value: Mapping[Any, Any], parts: Parts, depth: int) -> None:
        """A mapping whose keys have no order of their own: ordered by the digests of the keys."""
        items = sorted(((self.apart(key, depth + 1), item) for key, item in value.items()), key=_first)
        head = b"e%d:" % len(items) + b"".join(key for key, _ in items)
        self.container(value, parts, depth, head, [item for _, item in items])

    def unordered(self, value: Any, parts: Parts, depth: int) -> None:
        tag = b"S" if type(value) is set else b"Z"
        kinds = set(map(type, value))
        if len(kinds) == 1 and kinds <= _SORTABLE:
            parts.append(_sized(tag, marshal.dumps(sorted(value), _MARSHAL)))
            return
        digests = sorted(self.apart(item, depth + 1) for item in value)
        parts.append(tag + b"*%d:" % len(digests) + b"".join(digests))

    def container(self, value: Any, parts: Parts, depth: int, head: bytes, items: Iterable[object]) -> None:
        identity = id(value)
        position = self._open.get(identity)
        if position is not None:
            parts.append(b"@%d;" % (len(self._open) - position))
            return
        if depth >= _DEEP or (depth and len(value) >= _LONG):
            parts.append(self._remembered(value, depth, head, items))
            return
        self._open[identity] = len(self._open)
        parts.append(head)
        for item in items:
            self.feed(item, parts, depth + 1)
        del self._open[identity]

    def _remembered(self, value: object, depth: int, head: bytes, items: Iterable[object]) -> bytes:
        identity = id(value)
        known = self._memo.get(identity)
        if known is not None:
            return known
        self._open[identity] = len(self._open)
        parts = [head]
        state = sha256()
        for item in items:
            self.feed(item, parts, depth + 1)
            if len(parts) > _FLUSH:
                state.update(b"".join(parts))
                parts.clear()
        state.update(b"".join(parts))
        del self._open[identity]
        self._keep.append(value)
        digest = self._memo[identity] = b"#" + state.digest()
        return digest

    def apart(self, value: object, depth: int) -> bytes:
        """The digest of one element on its own, to sort by."""
        parts: Parts = []
        self.feed(value, parts, depth)
        return sha256(b"".join(parts)).digest()

    # ------------------------------------------------------------ objects

    def code(self, value: object, parts: Parts, depth: int) -> None:
        parts.append(_sized(b"c", self._code(value)))

    def method(self, value: types.MethodType, parts: Parts, depth: int) -> None:
        parts.append(_sized(b"M", self._code(value.__func__)))
        self.owner(value.__self__, parts, depth)

    def owner(self, value: object, parts: Parts, depth: int) -> None:
        if isinstance(value, type):
            self.code(value, parts, depth)
        else:
            self.feed(value, parts, depth + 1)

    def instance(self, value: object, parts: Parts, depth: int) -> None:
        """Any other object: its class and what pickle would keep of it."""
        identity = id(value)
        known = self._memo.get(identity)
        if known is not None:
            parts.append(known)
            return
        position = self._open.get(identity)
        if position is not None:
            parts.append(b"@%d;" % (len(self._open) - position))
            return
        self._open[identity] = len(self._open)
        inner: Parts = [b"O", _name(type(value))]
        if self._seen_type is not None:
            self._seen_type(type(value))
        self._reduced(value, inner, depth + 1)
        del self._open[identity]
        self._keep.append(value)
        digest = self._memo[identity] = b"#" + sha256(b"".join(inner)).digest()
        parts.append(digest)

    def _reduced(self, value: object, parts: Parts, depth: int) -> None:
        reduced = _reduce(value)
        if isinstance(reduced, str):
            parts.append(_sized(b"g", f"{getattr(value, '__module__', '')}:{reduced}".encode()))
            return
        function, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        if type(value).__module__.startswith("pandas."):
            state = _without_caches(state)
        self._callee(function, parts, depth)
        for argument in arguments or ():
            self._callee(argument, parts, depth)
        self.feed(state, parts, depth)
        self.feed(None if items is None else list(items), parts, depth)
        if pairs is None:
            parts.append(b"N")
        elif isinstance(value, OrderedDict):
            self.feed(list(pairs), parts, depth)
        else:
            self.pairs(dict(pairs), parts, depth)

    def _callee(self, value: object, parts: Parts, depth: int) -> None:
        # A class that only says what the object is: its name. Its code is the business of `seen_type`.
        if isinstance(value, type):
            parts.append(_name(value))
            if self._seen_type is not None:
                self._seen_type(value)
        else:
            self.feed(value, parts, depth)

    # ------------------------------------------------------------ arrays and tables

    def array(self, value: Any, parts: Parts, depth: int) -> None:
        dtype = value.dtype
        if dtype.hasobject or not arrays.is_plain_dtype(dtype):
            parts.append(_sized(b"o", repr((dtype, value.shape)).encode()))
            self.feed(value.tolist(), parts, depth + 1)
            return
        described = dtype.str if dtype.names is None else repr(dtype)
        parts.append(_sized(b"a", f"{described} {value.shape} {arrays.is_fortran(value)}".encode()))
        if dtype.names and sum(dtype[name].itemsize for name in dtype.names) != dtype.itemsize:
            # The gaps between the fields hold whatever was in memory.
            for name in dtype.names:
                self.array(value[name], parts, depth)
            return
        state = sha256()
        for chunk in arrays.chunks(value):
            state.update(chunk)
        parts.append(state.digest())

    def scalar(self, value: Any, parts: Parts, depth: int) -> None:
        if value.dtype.hasobject or not arrays.is_plain_dtype(value.dtype):
            self.instance(value, parts, depth)
        else:
            parts.append(_sized(b"n", f"{type_name(type(value))} {value.dtype.str}".encode()))
            parts.append(_sized(b"b", value.tobytes()))

    def masked(self, value: Any, parts: Parts, depth: int) -> None:
        parts.append(b"X")
        self.array(value.data, parts, depth)
        self.array(sys.modules["numpy"].ma.getmaskarray(value), parts, depth)
        self.feed([value.fill_value, value.hardmask], parts, depth + 1)

    def frame(self, value: Any, parts: Parts, depth: int) -> None:
        parts.append(_sized(b"W", _name(type(value))))
        self.feed([value.columns, value.index, dict(value.attrs)], parts, depth + 1)
        for number in range(value.shape[1]):
            self.column(value.iloc[:, number], parts, depth + 1)

    def series(self, value: Any, parts: Parts, depth: int) -> None:
        parts.append(_sized(b"R", _name(type(value))))
        self.feed([value.name, value.index, dict(value.attrs)], parts, depth + 1)
        self.column(value, parts, depth + 1)

    def column(self, value: Any, parts: Parts, depth: int) -> None:
        import numpy

        if isinstance(value.dtype, numpy.dtype):
            self.array(value.to_numpy(), parts, depth)
            return
        parts.append(_sized(b"x", repr(value.dtype).encode()))
        extension = value.array
        if "Arrow" in type(extension).__name__:
            self.arrow(extension.__arrow_array__(), parts, depth)
        else:
            self.feed(extension, parts, depth)

    def arrow(self, value: Any, parts: Parts, depth: int) -> None:
        """Arrow tables and columns: their IPC stream in one batch; how they were cut does not count."""
        import pyarrow

        kind = type(value).__name__
        parts.append(_sized(b"w", kind.encode()))
        if kind in ("ChunkedArray", "Table"):
            whole = value if kind == "Table" else pyarrow.table({"": value})
        elif kind == "RecordBatch":
            whole = pyarrow.Table.from_batches([value])
        elif isinstance(value, pyarrow.Array):
            whole = pyarrow.table({"": value})
        else:
            self.instance(value, parts, depth)
            return
        state = sha256()
        for buffer in arrays.table_buffers(whole.combine_chunks()):
            state.update(buffer)
        parts.append(state.digest())


# ---------------------------------------------------------------- plain values


def _none(hasher: Hasher, value: object, parts: Parts, depth: int) -> None:
    parts.append(b"N")


def _ellipsis(hasher: Hasher, value: object, parts: Parts, depth: int) -> None:
    parts.append(b"!E" if value is ... else b"!I")


def _bool(hasher: Hasher, value: bool, parts: Parts, depth: int) -> None:
    parts.append(b"T" if value else b"F")


def _int(hasher: Hasher, value: int, parts: Parts, depth: int) -> None:
    if -(1 << 63) <= value < 1 << 63:
        parts.append(b"i%d;" % value)
    else:
        parts.append(_sized(b"I", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)))


def _float(hasher: Hasher, value: float, parts: Parts, depth: int) -> None:
    parts.append(b"f" + struct.pack("<d", value))


def _complex(hasher: Hasher, value: complex, parts: Parts, depth: int) -> None:
    parts.append(b"j" + struct.pack("<dd", value.real, value.imag))


def _str(hasher: Hasher, value: str, parts: Parts, depth: int) -> None:
    parts.append(_sized(b"s", value.encode("utf-8", "surrogatepass")))


def _bytes(hasher: Hasher, value: Any, parts: Parts, depth: int) -> None:
    parts.append(_sized(b"y" if type(value) is bytes else b"Y", value))


def _module(hasher: Hasher, value: types.ModuleType, parts: Parts, depth: int) -> None:
    parts.append(_sized(b"p", value.__name__.encode()))


def _proxy(hasher: Hasher, value: Any, parts: Parts, depth: int) -> None:
    parts.append(b"P")
    hasher.feed(dict(value), parts, depth)


def _memory(hasher: Hasher, value: memoryview, parts: Parts, depth: int) -> None:
    parts.append(_sized(b"v", f"{value.format} {value.shape}".encode()))
    parts.append(_sized(b"y", value.tobytes()))


def _view(hasher: Hasher, value: Any, parts: Parts, depth: int) -> None:
    parts.append(_name(type(value)))
    hasher.feed(list(value), parts, depth)


def _wrapper(hasher: Hasher, value: Any, parts: Parts, depth: int) -> None:
    parts.append(_name(type(value)))
    for name in ("__wrapped__", "__func__", "func", "fget", "fset", "fdel"):
        inner = getattr(value, name, None)
        if inner is not None:
            hasher.feed(inner, parts, depth + 1)
            if name in ("__wrapped__", "__func__", "func"):
                return


def _cell(hasher: Hasher, value: types.CellType, parts: Parts, depth: int) -> None:
    try:
        content = value.cell_contents
    except ValueError:  # empty: the name is not bound yet
        parts.append(b"U")
    else:
        parts.append(b"u")
        hasher.feed(content, parts, depth + 1)


def _partial(hasher: Hasher, value: functools.partial[Any], parts: Parts, depth: int) -> None:
    parts.append(b"q")
    hasher.feed([value.func, value.args, value.keywords], parts, depth)


def _sized(tag: bytes, content: Any) -> bytes:
    size = len(content)
    if size > _LARGE_BYTES:
        return tag + b"#%d:" % size + sha256(content).digest()
    return tag + b"%d:%b" % (size, content)


def _first(pair: tuple[bytes, object]) -> bytes:
    return pair[0]


def _name(cls: type) -> bytes:
    return _sized(b"k", type_name(cls).encode())


def type_name(cls: type) -> str:
    """The name of a class as people write it.

    >>> type_name(int), type_name(StoreError)
    ('builtins.int', 'headwater.errors.StoreError')
    """
    return f"{cls.__module__}.{cls.__qualname__}"


def _reduce(value: object) -> Any:
    """What pickle would keep of an object."""
    cls = type(value)
    try:
        special = copyreg.dispatch_table.get(cls)
        if special is not None:
            return special(value)
        return value.__reduce_ex__(4)
    except RecursionError:
        raise
    except Exception as error:
        raise StoreError(
            f"a value of type {type_name(cls)} cannot be keyed: {error}",
            fix="Pass something that can be pickled, or leave caching off for this node.",
        ) from error


def _without_caches(state: Any) -> Any:
    """The state of a pandas object without what it only keeps to be faster: it comes with being looked at."""
    if type(state) is dict:
        return {key: value for key, value in state.items() if key not in ("_cache", "_readonly")}
    if type(state) is tuple:
        cleaned = [_without_caches(each) for each in state]
        return tuple(each for each in cleaned if type(each) is not dict or each)
    return state


_EXACT: dict[type, Handler] = {
    type(None): _none,
    type(...): _ellipsis,
    type(NotImplemented): _ellipsis,
    bool: _bool,
    int: _int,
    float: _float,
    complex: _complex,
    str: _str,
    bytes: _bytes,
    bytearray: _bytes,
    list: Hasher.sequence,
    tuple: Hasher.sequence,
    dict: Hasher.mapping,
    set: Hasher.unordered,
    frozenset: Hasher.unordered,
    types.FunctionType: Hasher.code,
    types.BuiltinFunctionType: Hasher.code,
    types.MethodType: Hasher.method,
    types.ModuleType: _module,
    types.MappingProxyType: _proxy,
    functools.partial: _partial,
    functools.cached_property: _wrapper,
    functools._lru_cache_wrapper: _wrapper,
    property: _wrapper,
    staticmethod: _wrapper,
    classmethod: _wrapper,
    types.CellType: _cell,
    memoryview: _memory,
    type({}.keys()): _view,
    type({}.values()): _view,
    type({}.items()): _view,
    type: Hasher.code,
}

_RESOLVED: weakref.WeakKeyDictionary[type, Handler] = weakref.WeakKeyDictionary()


def _handler(cls: type) -> Handler:
    found = _RESOLVED.get(cls)
    if found is None:
        found = _RESOLVED[cls] = _resolve(cls)
    return found


def _resolve(cls: type) -> Handler:
    if issubclass(cls, type):
        return Hasher.code
    library = cls.__module__.partition(".")[0]
    if library == "numpy":
        numpy = sys.modules["numpy"]
        if cls in (numpy.ndarray, numpy.memmap):
            return Hasher.array
        if cls.__name__ == "MaskedArray":
            return Hasher.masked
        if issubclass(cls, numpy.generic):
            return Hasher.scalar
    elif library == "pandas" and cls.__name__ in ("DataFrame", "Series"):
        return Hasher.frame if cls.__name__ == "DataFrame" else Hasher.series
    elif library == "pyarrow" and cls.__name__ not in ("Schema", "Field", "DataType"):
        return Hasher.arrow
    return Hasher.instance
