"""The walk from a function or class to all of the project's own code that it uses."""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from headwater.errors import StoreError
from headwater.values import project
from headwater.values.bytecode import Scan, scan
from headwater.values.hashing import SCALARS, Hasher, type_name

_WRAPPERS = ("__wrapped__", "__func__", "py_func", "func", "fget", "fset", "fdel")
_WRAPPER_TYPES = (
    staticmethod,
    classmethod,
    property,
    functools.partialmethod,
    functools.cached_property,
    functools._lru_cache_wrapper,
)
_CODE_TYPES = {types.FunctionType, types.BuiltinFunctionType, types.MethodType, *_WRAPPER_TYPES}
_DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType)
_COUNTED_DUNDERS = frozenset({
    "__attrs_attrs__",
    "__dataclass_fields__",
    "__match_args__",
    "__pydantic_fields__",
    "__slots__",
})  # fmt: skip
_NAMELESS = "(object)"


# Large constants (arrays, tables) are digested once a process: nobody edits them in place and nobody waits
# for it.
_large: dict[int, tuple[weakref.ref[Any], bytes]] = {}


@dataclass(slots=True)
class _Piece:
    """What was read of one function: kept while all that it refers to is still the same object."""

    function_code: types.CodeType
    defaults: tuple[object, ...] | None
    lasting: bool = True
    digest: bytes = b""
    code: list[object] = field(default_factory=list)
    constants: list[tuple[str, object]] = field(default_factory=list)
    changed: list[object] = field(default_factory=list)
    bindings: list[tuple[dict[str, Any], str, object]] = field(default_factory=list)
    sizes: list[tuple[dict[str, Any], int]] = field(default_factory=list)

    def is_current(self, function: types.FunctionType) -> bool:
        return (
            function.__code__ is self.function_code
            and function.__defaults__ is self.defaults
            and all(len(namespace) == size for namespace, size in self.sizes)
            and all(namespace.get(name, self) is value for namespace, name, value in self.bindings)
        )


_pieces: dict[types.FunctionType, _Piece] = {}
_MOST_PIECES = 4096
_PLAIN_TYPES = (int, float, bool, str, bytes, complex, list, tuple, dict, set, object)


class Walk:
    """One walk over all that an object's code refers to; the project's own pieces end up in `parts`."""

    def __init__(self) -> None:
        self.parts: dict[str, set[bytes]] = {}
        self.references: dict[int, bytes] = {}
        self.alive: list[object] = []
        self.pending: list[types.FunctionType | type] = []
        self.constants: list[tuple[str, object]] = []
        self.changed: set[int] = set()
        self.hasher = Hasher(self.reference, self._seen_type)

    def run(self, obj: object) -> dict[str, str]:
        reference = self.reference(obj)
        if not isinstance(obj, types.FunctionType | type):
            self._add(_NAMELESS, sha256(reference).digest())
        return self.finish()

    def finish(self) -> dict[str, str]:
        while self.pending or self.constants:
            while self.pending:
                piece = self.pending.pop()
                if isinstance(piece, type):
                    self._class(piece)
                else:
                    self._function(piece)
            # Only now is it known which of them the code changes.
            constants, self.constants = self.constants, []
            self.alive += constants
            for name, value in constants:
                self._add(name, self._constant(value))
        return {name: _together(found).hex() for name, found in self.parts.items()}

    def _add(self, name: str, digest: bytes) -> None:
        found = self.parts.get(name)
        if found is None:
            self.parts[name] = {digest}
        else:
            found.add(digest)

    # ------------------------------------------------------------ references

    def reference(self, obj: object) -> bytes:
        """What stands for `obj` in the code that refers to it; what it leads to is queued."""
        known = self.references.get(id(obj))
        if known is None:
            self.alive.append(obj)
            self.references[id(obj)] = b"@"  # met again inside itself
            known = self.references[id(obj)] = self._reference(obj)
        return known

    def _reference(self, obj: object) -> bytes:
        if isinstance(obj, types.FunctionType):
            return self._function_reference(obj)
        if isinstance(obj, types.ModuleType):
            return f"module {obj.__name__}".encode()
        declared = getattr(obj, "__headwater_code__", None)
        if isinstance(declared, tuple):
            return b"declared" + b"".join(self.reference(each) for each in declared)
        if isinstance(obj, type):
            if is_own_class(obj):
                self.pending.append(obj)
            return f"class {obj.__module__}:{obj.__qualname__}".encode()
        if isinstance(obj, types.BuiltinFunctionType):
            owner = obj.__self__
            bound = b"" if owner is None or isinstance(owner, types.ModuleType) else self._value(owner)
            return f"builtin {obj.__module__}:{obj.__qualname__}".encode() + bound
        if isinstance(obj, types.MethodType):
            owner = obj.__self__
            return (
                self.reference(obj.__func__)
                + b" of "
                + (self.reference(owner) if isinstance(owner, type) else self._value(owner))
            )
        if isinstance(obj, _WRAPPER_TYPES) or callable(getattr(obj, "__wrapped__", None)):
            return type_name(type(obj)).encode() + self._wrapped(obj)
        return self._value(obj)

    def _function_reference(self, function: types.FunctionType) -> bytes:
        name = label(function)
        if is_own_function(function):
            self.pending.append(function)
            # Two functions of one name (lambdas of one line) are told apart by their code.
            return b"function " + name.encode() + scan(function.__code__).digest
        return b"function " + name.encode() + self._wrapped(function) + self._carried(function)

    def _wrapped(self, obj: object) -> bytes:
        """What a wrapper leads back to: the project's function under a library's decorator."""
        found = [b""]
        for name in _WRAPPERS:
            inner = getattr(obj, name, None)
            if callable(inner):
                found.append(self.reference(inner))
        return b"<".join(found)

    def _carried(self, function: types.FunctionType) -> bytes:
        """The functions and classes in the closure of a library's function, and in tables there."""
        found = [b""]
        for cell in function.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:
                continue
            inside = content.values() if type(content) is dict else (content,)
            for each in inside:
                if isinstance(each, types.FunctionType | types.MethodType | functools.partial) or (
                    isinstance(each, type) and is_own_class(each)
                ):
                    found.append(self.reference(each))
        return b"^".join(found)

    def _seen_type(self, cls: type) -> None:
        if is_own_class(cls):
            self.reference(cls)

    # ------------------------------------------------------------ functions

    def _function(self, function: types.FunctionType) -> None:
        piece = _pieces.get(function)
        if piece is None or not piece.is_current(function):
            piece = self._piece(function)
            if piece.lasting:
                if len(_pieces) >= _MOST_PIECES:
                    _pieces.clear()
                _pieces[function] = piece
        for each in piece.code:
            self.reference(each)
        self.constants += piece.constants
        self.changed.update(id(value) for value in piece.changed)
        self._add(label(function), piece.digest)

    def _piece(self, function: types.FunctionType) -> _Piece:
        read = scan(function.__code__)
        piece = _Piece(function.__code__, function.__defaults__)
        found = [read.digest, *self._closure(function, read, piece), *self._globals(function, read, piece)]
        for said in (function.__defaults__, function.__kwdefaults__, _annotations(function)):
            found.append(self._said(said, piece) if said else b"-")
        wrapped = function.__dict__.get("__wrapped__")
        if wrapped is not None:
            found.append(self._refer(wrapped, piece))
        piece.digest = sha256(b"|".join(found)).digest()
        return piece

    def _said(self, said: Any, piece: _Piece) -> bytes:
        """Defaults and annotations. Where they are more than plain values, they are looked at every time."""
        values = said if type(said) is tuple else said.values()
        piece.lasting &= all(type(value) in SCALARS or value in _PLAIN_TYPES for value in values)
        return self._value(said)

    def _closure(self, function: types.FunctionType, read: Scan, piece: _Piece) -> Iterator[bytes]:
        # Closures come and go: to keep what was read of them would keep what they hold.
        piece.lasting &= not function.__closure__
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            try:
                content = cell.cell_contents
            except ValueError:  # a name that is bound later or never
                continue
            yield name.encode() + b"=" + self._bind(f"{label(function)}.{name}", name, content, read, piece)

    def _globals(self, function: types.FunctionType, read: Scan, piece: _Piece) -> Iterator[bytes]:
        namespace = function.__globals__
        module = str(namespace.get("__name__", ""))
        piece.sizes.append((namespace, len(namespace)))
        for name in read.globals:
            if name not in namespace:
                continue
            value = namespace[name]
            piece.bindings.append((namespace, name, value))
            if not isinstance(value, types.ModuleType):
                yield name.encode() + b"=" + self._bind(f"{module}:{name}", name, value, read, piece)
            elif project.is_own(value.__name__):
                yield name.encode() + b"=" + self._members(value, read.names, read, piece)
            else:
                yield name.encode() + b"=" + value.__name__.encode()
        for each in read.imports:
            imported = project.own_module(each.module, module, each.level)
            if imported is not None:
                wanted = read.names.union(each.names)
                yield each.module.encode() + b"=" + self._members(imported, wanted, read, piece)

    def _members(self, module: types.ModuleType, wanted: frozenset[str], read: Scan, piece: _Piece) -> bytes:
        """What the code may take from a module of the project: every name of it that occurs in the code."""
        found = [module.__name__.encode()]
        namespace = vars(module)
        if any(namespace is seen for seen, _ in piece.sizes[1:]):
            return found[0]
        piece.sizes.append((namespace, len(namespace)))
        for name in sorted(wanted & namespace.keys()):
            value = namespace[name]
            piece.bindings.append((namespace, name, value))
            if not isinstance(value, types.ModuleType):
                if not name.startswith("__"):
                    bound = self._bind(f"{module.__name__}:{name}", name, value, read, piece)
                    found.append(name.encode() + b"=" + bound)
            elif project.is_own(value.__name__):
                found.append(self._members(value, wanted, read, piece))
        return b",".join(found)

    def _bind(self, place: str, name: str, value: object, read: Scan, piece: _Piece) -> bytes:
        if _is_code(value):
            return self._refer(value, piece)
        if name in read.changed:
            piece.changed.append(value)
        piece.constants.append((place, value))
        return place.encode()

    def _refer(self, value: object, piece: _Piece) -> bytes:
        piece.code.append(value)
        piece.lasting &= isinstance(value, types.FunctionType | type)
        return self.reference(value)

    # ------------------------------------------------------------ classes

    def _class(self, cls: type) -> None:
        content = [self.reference(base) for base in (*cls.__bases__, type(cls)) if base not in (object, type)]
        content.append(self._value(vars(cls).get("__annotations__")))
        for name, value in sorted(vars(cls).items()):
            if _counts(name, value):
                bound = self.reference(value) if _is_code(value) else self._value(value)
                content.append(name.encode() + b"=" + bound)
        self._add(f"{cls.__module__}:{cls.__qualname__}", sha256(b"|".join(content)).digest())

    # ------------------------------------------------------------ values

    def _constant(self, value: object) -> bytes:
        if id(value) in self.changed or _is_iterator(value):
            return b"state " + type_name(type(value)).encode()
        return self._value(value)

    def _value(self, value: object) -> bytes:
        if value is None:
            return b"-"
        known = _large.get(id(value))
        if known is not None and known[0]() is value:
            return known[1]
        try:
            digest = self.hasher.digest(value)
        except StoreError:
            # A lock, a connection: nothing that could be compared, and nothing that an edit changes.
            return b"opaque " + type_name(type(value)).encode()
        if type(value).__module__.partition(".")[0] in ("numpy", "pandas", "pyarrow"):
            _remember(value, digest)
        return digest


def _remember(value: object, digest: bytes) -> None:
    key = id(value)
    try:
        _large[key] = (weakref.ref(value, lambda _: _large.pop(key, None)), digest)
    except TypeError:  # scalars take no weak references
        return


def _together(digests: set[bytes]) -> bytes:
    # Several pieces of one name: lambdas of one function, closures of one factory.
    return next(iter(digests)) if len(digests) == 1 else sha256(b"".join(sorted(digests))).digest()


def is_own_class(cls: type) -> bool:
    """Whether the class is defined in the project's own modules."""
    return project.is_own(cls.__module__)


def label(function: types.FunctionType) -> str:
    """The name of a function: `module:qualified.name`."""
    return f"{function.__module__}:{function.__qualname__}"


def is_own_function(function: types.FunctionType) -> bool:
    """Whether the function's code is in the project's own modules, whoever it says that it belongs to."""
    return project.is_own(str(function.__globals__.get("__name__", "")), function.__code__.co_filename)


def _is_code(value: object) -> bool:
    kind = type(value)
    return kind in _CODE_TYPES or isinstance(value, type) or hasattr(kind, "__headwater_code__")


def _is_iterator(value: object) -> bool:
    return hasattr(type(value), "__next__")


def _counts(name: str, value: object) -> bool:
    if isinstance(value, _DESCRIPTORS) or name == "_abc_impl":
        return False
    if name.startswith("__") and name.endswith("__"):
        return _is_code(value) or name in _COUNTED_DUNDERS
    return True


def _annotations(function: types.FunctionType) -> object:
    try:
        return function.__annotations__
    except NameError:  # evaluated when asked for (Python 3.14), and not all names exist
        return None
