"""The digest of what a function does: its own code and that of everything of the project's own which it uses.

From a function or class the walk follows, through the project's own modules only: helper functions by name or
as `module.helper`, classes and their methods, what decorators wrap, nested functions, partials, imports
inside functions, and the values of module-level constants, defaults and closures. A global that this very
code changes in place (a list it appends to, a counter) is state and no constant: only its type counts.

An object may say itself what its code is: `__headwater_code__` on it or its class, a tuple of functions,
classes and values.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from headwater.errors import StoreError
from headwater.values import project
from headwater.values.bytecode import Scan, scan
from headwater.values.hashing import Hasher, type_name

_WRAPPERS = ("__wrapped__", "__func__", "py_func", "func", "fget", "fset", "fdel")
_WRAPPER_TYPES = (
    staticmethod,
    classmethod,
    property,
    functools.partialmethod,
    functools.cached_property,
    functools._lru_cache_wrapper,
)
_CODE_TYPES = (types.FunctionType, type, types.BuiltinFunctionType, types.MethodType, *_WRAPPER_TYPES)
_DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType)
_COUNTED_DUNDERS = frozenset({
    "__attrs_attrs__",
    "__dataclass_fields__",
    "__match_args__",
    "__pydantic_fields__",
    "__slots__",
})  # fmt: skip
_NAMELESS = "(object)"


def code_digest(obj: object) -> str:
    """The digest of the code behind a function, class, method, partial or callable object, as hex.

    >>> __name__ = "pipeline"
    >>> def double(x):
    ...     return 2 * x
    >>> before = code_digest(double)
    >>> def double(x):  # said differently, does the same
    ...     "Twice x."
    ...     return 2 * x
    >>> code_digest(double) == before
    True
    """
    return combine(code_parts(obj))


def combine(parts: dict[str, str]) -> str:
    """One digest of all the parts of `code_parts`."""
    return sha256("\n".join(f"{name}={parts[name]}" for name in sorted(parts)).encode()).hexdigest()


def code_parts(obj: object) -> dict[str, str]:
    """The digest of each piece of the project's own code behind `obj`, by name: `module:function`,
    `module:CONSTANT`.

    >>> __name__ = "pipeline"
    >>> RATE = 3
    >>> def helper(x):
    ...     return x * RATE
    >>> def run(x):
    ...     return helper(x)
    >>> sorted(code_parts(run))
    ['pipeline:RATE', 'pipeline:helper', 'pipeline:run']
    """
    return _Walk().run(obj)


def code_parts_of_types(classes: Iterable[type]) -> dict[str, str]:
    """As `code_parts`, for the project's own among the classes of some values."""
    walk = _Walk()
    for cls in classes:
        if is_own_class(cls):
            walk.reference(cls)
    return walk.finish()


def is_own_class(cls: type) -> bool:
    """Whether the class is defined in the project's own modules."""
    return project.is_own(cls.__module__)


def value_code(obj: object) -> bytes:
    """What stands for a function or class inside a value: its code digest when it is the project's own."""
    if isinstance(obj, types.FunctionType) and obj.__closure__ is None and not _is_own_function(obj):
        return _label(obj).encode()
    walk = _Walk()
    return walk.reference(obj) + combine(walk.finish()).encode()


# Large constants (arrays, tables) are digested once a process: nobody edits them in place and nobody waits
# for it.
_large: dict[int, tuple[weakref.ref[Any], bytes]] = {}


class _Walk:
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
            self._add(_NAMELESS, reference)
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
            for label, value in constants:
                self._add(label, self._constant(value))
        return {label: sha256(b"".join(sorted(found))).hexdigest() for label, found in self.parts.items()}

    def _add(self, label: str, content: bytes) -> None:
        self.parts.setdefault(label, set()).add(sha256(content).digest())

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
        label = _label(function)
        if _is_own_function(function):
            self.pending.append(function)
            # Two functions of one name (lambdas of one line) are told apart by their code.
            return b"function " + label.encode() + scan(function.__code__).digest
        return b"function " + label.encode() + self._wrapped(function) + self._carried(function)

    def _wrapped(self, obj: object) -> bytes:
        """What a wrapper of somebody else's leads back to: the project's function under a library's
        decorator.
        """
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
        label = _label(function)
        read = scan(function.__code__)
        free = self._closure(function, read, label)
        content = [
            read.digest,
            *free,
            self._value(function.__defaults__),
            self._value(function.__kwdefaults__),
            self._value(_annotations(function)),
            *self._globals(function, read),
        ]
        wrapped = function.__dict__.get("__wrapped__")
        if wrapped is not None:
            content.append(self.reference(wrapped))
        self._add(label, b"|".join(content))

    def _closure(self, function: types.FunctionType, read: Scan, label: str) -> list[bytes]:
        bound = []
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            try:
                content = cell.cell_contents
            except ValueError:  # a name that is bound later or never
                continue
            bound.append(name.encode() + b"=" + self._bind(f"{label}.{name}", name, content, read))
        return bound

    def _globals(self, function: types.FunctionType, read: Scan) -> list[bytes]:
        namespace = function.__globals__
        module = str(namespace.get("__name__", ""))
        bound = []
        for name in sorted(read.globals):
            if name in namespace:
                value = namespace[name]
                if isinstance(value, types.ModuleType):
                    bound.append(name.encode() + b"=" + self._module(value, read))
                else:
                    bound.append(name.encode() + b"=" + self._bind(f"{module}:{name}", name, value, read))
        for each in read.imports:
            imported = project.own_module(each.module, module, each.level)
            if imported is not None:
                wanted = frozenset(each.names) if each.names else read.names
                bound.append(each.module.encode() + b"=" + self._members(imported, wanted, read, set()))
        return bound

    def _bind(self, label: str, name: str, value: object, read: Scan) -> bytes:
        if _is_code(value):
            return self.reference(value)
        if name in read.changed:
            self.changed.add(id(value))
        self.alive.append(value)
        self.constants.append((label, value))
        return label.encode()

    def _module(self, module: types.ModuleType, read: Scan) -> bytes:
        if not project.is_own(module.__name__):
            return module.__name__.encode()
        return self._members(module, read.names, read, set())

    def _members(self, module: types.ModuleType, wanted: frozenset[str], read: Scan, seen: set[str]) -> bytes:
        """What the code may take from a module of the project: every name of it that occurs in the code."""
        seen.add(module.__name__)
        found = [module.__name__.encode()]
        namespace = vars(module)
        for name in sorted(wanted & namespace.keys()):
            value = namespace[name]
            if not isinstance(value, types.ModuleType):
                if not name.startswith("__"):
                    label = f"{module.__name__}:{name}"
                    found.append(name.encode() + b"=" + self._bind(label, name, value, read))
            elif value.__name__ not in seen and project.is_own(value.__name__):
                found.append(self._members(value, read.names, read, seen))
        return b",".join(found)

    # ------------------------------------------------------------ classes

    def _class(self, cls: type) -> None:
        label = f"{cls.__module__}:{cls.__qualname__}"
        content = [self.reference(base) for base in (*cls.__bases__, type(cls)) if base not in (object, type)]
        content.append(self._value(vars(cls).get("__annotations__")))
        for name, value in sorted(vars(cls).items()):
            if _counts(name, value):
                bound = self.reference(value) if _is_code(value) else self._value(value)
                content.append(name.encode() + b"=" + bound)
        self._add(label, b"|".join(content))

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


def _label(function: types.FunctionType) -> str:
    return f"{function.__module__}:{function.__qualname__}"


def _is_own_function(function: types.FunctionType) -> bool:
    return project.is_own(str(function.__globals__.get("__name__", "")), function.__code__.co_filename)


def _is_code(value: object) -> bool:
    return isinstance(value, _CODE_TYPES)


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
