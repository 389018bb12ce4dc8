"""What a code object does and what it refers to, without where it stands in its file.

Comments, blank lines, docstrings and line numbers do not count: two functions that compile to the same
instructions over the same constants and names have the same digest.
"""

from __future__ import annotations

import opcode
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from opcode import stack_effect
from types import CodeType

from headwater.values.hashing import Hasher

_OPS = opcode.opmap
_NO_ARGUMENT = opcode.HAVE_ARGUMENT
_CONSTANTS = frozenset(opcode.hasconst)
_EXTENDED = _OPS["EXTENDED_ARG"]
_CACHE = _OPS["CACHE"]
_COPY, _SWAP = _OPS["COPY"], _OPS["SWAP"]
_IMPORT = _OPS["IMPORT_NAME"]
_SMALL_INT = _OPS.get("LOAD_SMALL_INT", -1)
_STORE_NAME = _OPS["STORE_NAME"]


def _codes(*names: str) -> frozenset[int]:
    return frozenset(_OPS[name] for name in names if name in _OPS)


_LOAD_GLOBAL = _codes("LOAD_GLOBAL")
_LOAD_NAME = _codes("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_LOAD_FREE = _codes("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")
_STORE_GLOBAL = _codes("STORE_GLOBAL", "DELETE_GLOBAL")
_STORE_FREE = _codes("STORE_DEREF", "DELETE_DEREF")
_ATTRIBUTE = _codes("LOAD_ATTR", "LOAD_METHOD")
_CHANGE_ATTRIBUTE = _codes("STORE_ATTR", "DELETE_ATTR")
_CHANGE_ITEM = _codes("STORE_SUBSCR", "DELETE_SUBSCR")
_CHANGE_SLICE = _codes("STORE_SLICE")

# From 3.12 on the lowest bit of LOAD_ATTR says that a method is loaded.
_ATTRIBUTE_SHIFT = 1 if sys.version_info >= (3, 12) else 0

_CHANGING_METHODS = frozenset(
    {"add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert"}
    | {
        "intersection_update",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "update",
    }
    | {"symmetric_difference_update", "write", "writelines"}
)

# What counts of co_flags: *args, **kwargs, nested, generator, coroutine.
_FLAGS = 0x3FF
# Stored in every class body by the compiler; the docstring and the line are no part of what the class does.
_UNCOUNTED = frozenset({"__doc__", "__firstlineno__"})


@dataclass(frozen=True, slots=True)
class Import:
    """An import inside a function: `from`-names are empty for `import module`."""

    level: int
    module: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """What one code object, with those nested in it, does and refers to.

    `globals` are the global names that it reads; `names` all names in it, attributes among them; `changed`
    the global and free names whose values it changes: they hold state, not constants.
    """

    digest: bytes
    globals: frozenset[str]
    names: frozenset[str]
    changed: frozenset[str]
    imports: tuple[Import, ...]


_known: dict[int, tuple[weakref.ref[CodeType], Scan]] = {}


def scan(code: CodeType) -> Scan:
    """Read a code object; what was read is kept as long as the code lives.

    >>> def area(radius):
    ...     "Nobody's business."
    ...     return PI * radius ** 2
    >>> sorted(scan(area.__code__).globals)
    ['PI']
    """
    key = id(code)
    known = _known.get(key)
    if known is not None and known[0]() is code:
        return known[1]
    result = _Reader(code).read()
    _known[key] = (weakref.ref(code, _forget(key)), result)
    return result


def _forget(key: int) -> Callable[[object], None]:
    def forget(reference: object) -> None:
        known = _known.get(key)
        if known is not None and known[0] is reference:
            del _known[key]

    return forget


def _no_code(value: object) -> bytes:
    return b""


class _Reader:
    """One pass over the instructions, with enough of the stack to see which names are changed in place."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        cells = [name for name in code.co_cellvars if name not in code.co_varnames]
        self.local_names = (*code.co_varnames, *cells, *code.co_freevars)
        self.stream = bytearray()
        self.used: list[object] = []
        self.indices: dict[int, int] = {}
        self.stack: list[str | None] = []
        self.globals: set[str] = set()
        self.changed: set[str] = set()
        self.imports: list[Import] = []
        self.last: list[object] = [None, None]

    def read(self) -> Scan:
        code = self.code
        raw = code.co_code
        names, constants = code.co_names, code.co_consts
        wide = 0
        for position in range(0, len(raw), 2):
            op = raw[position]
            if op == _CACHE:
                continue
            argument = raw[position + 1] | wide
            if op == _EXTENDED:
                wide = argument << 8
                continue
            wide = 0
            self.stream.append(op)
            if op in _CONSTANTS:
                self._constant(op, argument, constants[argument])
                continue
            if op >= _NO_ARGUMENT:
                self.stream += b"%d," % argument
            self._step(op, argument, names)
        return self._result()

    def _constant(self, op: int, index: int, value: object) -> None:
        # Numbered in the order of use: a docstring is never used and must not move the others.
        number = self.indices.get(index)
        if number is None:
            number = self.indices[index] = len(self.used)
            self.used.append(value)
        self.stream += b"%d," % number
        self.last = [self.last[1], value]
        self._generic(op, index)

    def _step(self, op: int, argument: int, names: tuple[str, ...]) -> None:
        stack = self.stack
        if op in _LOAD_GLOBAL:
            name = names[argument >> 1]
            self.globals.add(name)
            if argument & 1:
                stack.append(None)
            stack.append(name)
        elif op in _LOAD_NAME:
            self.globals.add(names[argument])
            stack.append(names[argument])
        elif op in _LOAD_FREE:
            stack.append(self.local_names[argument])
        elif op in _ATTRIBUTE:
            if stack and stack[-1] is not None and names[argument >> _ATTRIBUTE_SHIFT] in _CHANGING_METHODS:
                self.changed.add(stack[-1])
            self._generic(op, argument)
        elif op == _COPY:
            stack.append(stack[-argument] if argument <= len(stack) else None)
        elif op == _SWAP and 0 < argument <= len(stack):
            stack[-argument], stack[-1] = stack[-1], stack[-argument]
        else:
            self._store(op, argument, names)

    def _store(self, op: int, argument: int, names: tuple[str, ...]) -> None:
        if op in _CHANGE_ITEM:
            self._change(-2)
        elif op in _CHANGE_ATTRIBUTE:
            self._change(-1)
        elif op in _CHANGE_SLICE:
            self._change(-3)
        elif op in _STORE_GLOBAL:
            self.changed.add(names[argument])
        elif op in _STORE_FREE:
            self.changed.add(self.local_names[argument])
        elif op == _IMPORT:
            self._import(names[argument])
        elif op == _SMALL_INT:
            self.last = [self.last[1], argument]
        elif op == _STORE_NAME and names[argument] in _UNCOUNTED:
            self._uncount()
        self._generic(op, argument)

    def _change(self, place: int) -> None:
        if len(self.stack) >= -place:
            name = self.stack[place]
            if name is not None:
                self.changed.add(name)

    def _import(self, module: str) -> None:
        level, names = self.last
        if isinstance(level, int):
            self.imports.append(Import(level, module, names if isinstance(names, tuple) else ()))

    def _uncount(self) -> None:
        if self.used and self.used[-1] is self.last[1]:
            self.used[-1] = None

    def _generic(self, op: int, argument: int) -> None:
        effect = stack_effect(op, argument if op >= _NO_ARGUMENT else None, jump=False)
        stack = self.stack
        if effect < 0:
            del stack[effect:]
        else:
            stack.extend([None] * effect)
        # Whatever is on top now may be a result: it is no longer known to be the value of a name.
        if stack:
            stack[-1] = None

    def _result(self) -> Scan:
        code = self.code
        nested = [scan(value) for value in self.used if isinstance(value, CodeType)]
        content = (
            bytes(self.stream),
            code.co_exceptiontable,
            code.co_flags & _FLAGS,
            (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
            (code.co_name, code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars),
            [scan(value).digest if isinstance(value, CodeType) else ("const", value) for value in self.used],
        )
        # Names that only nested code reads in its own scope are in `globals` too: a harmless excess.
        return Scan(
            digest=Hasher(_no_code).digest(content),
            globals=frozenset(self.globals).union(*(each.globals for each in nested)),
            names=frozenset(code.co_names).union(*(each.names for each in nested)),
            changed=frozenset(self.changed).union(*(each.changed for each in nested)),
            imports=(*self.imports, *(each for inner in nested for each in inner.imports)),
        )
