"""What a code object does and what it refers to, without where it stands in its file.

Comments, blank lines, docstrings and line numbers do not count: two functions that compile to the same
instructions over the same constants and names have the same digest.
"""

from __future__ import annotations

import marshal
import opcode
import re
import sys
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from opcode import stack_effect
from types import CodeType

from headwater.values.hashing import SCALARS, Hasher

_OPS = opcode.opmap
_NO_ARGUMENT = opcode.HAVE_ARGUMENT
_EXTENDED = _OPS["EXTENDED_ARG"]
_CACHE = _OPS["CACHE"]
_COPY, _SWAP = _OPS["COPY"], _OPS["SWAP"]
_IMPORT = _OPS["IMPORT_NAME"]
_SMALL_INT = _OPS.get("LOAD_SMALL_INT", -1)
_STORE_NAME = _OPS["STORE_NAME"]


def _codes(*names: str) -> frozenset[int]:
    return frozenset(_OPS[name] for name in names if name in _OPS)


_CONSTANTS = frozenset(opcode.hasconst)
_LOAD_GLOBAL = _codes("LOAD_GLOBAL")
_LOAD_NAME = _codes("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_LOAD_FREE = _codes("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")
_STORE_GLOBAL = _codes("STORE_GLOBAL", "DELETE_GLOBAL")
_STORE_FREE = _codes("STORE_DEREF", "DELETE_DEREF")
_ATTRIBUTE = _codes("LOAD_ATTR", "LOAD_METHOD")
# Where the object that is changed lies on the stack.
_CHANGES = {
    _OPS[name]: place
    for name, place in {
        "STORE_SUBSCR": -2,
        "DELETE_SUBSCR": -2,
        "STORE_ATTR": -1,
        "DELETE_ATTR": -1,
        "STORE_SLICE": -3,
    }.items()
    if name in _OPS
}


def _any_of(codes: Iterable[int]) -> re.Pattern[bytes]:
    return re.compile(b"[" + b"".join(re.escape(bytes([code])) for code in codes if code >= 0) + b"]")


# What the first pass looks at; the rest of the instructions count as they are.
_NAMED = _any_of(
    {*_CONSTANTS, *_LOAD_GLOBAL, *_LOAD_NAME, *_STORE_GLOBAL, *_STORE_FREE, _IMPORT, _SMALL_INT, _STORE_NAME}
)
_CHANGE = _any_of(_CHANGES)

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
    globals: tuple[str, ...]
    names: frozenset[str]
    changed: frozenset[str]
    imports: tuple[Import, ...]


_known: dict[int, tuple[weakref.ref[CodeType], Scan]] = {}


def scan(code: CodeType) -> Scan:
    """Read a code object; what was read is kept as long as the code lives.

    >>> def area(radius):
    ...     "Nobody's business."
    ...     return PI * radius ** 2
    >>> scan(area.__code__).globals
    ('PI',)
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


class _Reader:
    """Reads one code object: what it names, and where need be what it changes in place."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.raw = code.co_code
        self.operations = self.raw[::2]
        self.used: list[object] = []
        self.globals: set[str] = set()
        self.changed: set[str] = set()
        self.imports: list[Import] = []

    def _local(self, index: int) -> str:
        code = self.code
        cells = [name for name in code.co_cellvars if name not in code.co_varnames]
        return (*code.co_varnames, *cells, *code.co_freevars)[index]

    def read(self) -> Scan:
        self._names()
        # Attribute names are cheap to look through; most code needs no look at the stack.
        if _CHANGE.search(self.operations) or not _CHANGING_METHODS.isdisjoint(self.code.co_names):
            self._stack()
        return self._result()

    def _argument(self, position: int) -> int:
        argument, shift = self.raw[2 * position + 1], 8
        while position and self.operations[position - 1] == _EXTENDED:
            position -= 1
            argument |= self.raw[2 * position + 1] << shift
            shift += 8
        return argument

    def _names(self) -> None:
        names, constants = self.code.co_names, self.code.co_consts
        stream = bytearray(self.raw)
        numbers: dict[int, int] = {}
        order: list[int] = []
        last: list[object] = [None, None]
        for match in _NAMED.finditer(self.operations):
            position = match.start()
            op = self.operations[position]
            argument = self._argument(position)
            if op in _CONSTANTS:
                # Numbered in the order of use: a docstring is never used and must not move the others.
                stream[2 * position + 1] = 0
                order.append(numbers.setdefault(argument, len(numbers)))
                if order[-1] == len(self.used):
                    self.used.append(constants[argument])
                last = [last[1], constants[argument]]
            elif op in _LOAD_GLOBAL:
                self.globals.add(names[argument >> 1])
            elif op in _LOAD_NAME:
                self.globals.add(names[argument])
            elif op in _STORE_GLOBAL:
                self.changed.add(names[argument])
            elif op in _STORE_FREE:
                self.changed.add(self._local(argument))
            elif op == _IMPORT:
                level, wanted = last
                if isinstance(level, int):
                    self.imports.append(
                        Import(level, names[argument], wanted if isinstance(wanted, tuple) else ())
                    )
            elif op == _SMALL_INT:
                last = [last[1], argument]
            elif names[argument] in _UNCOUNTED and self.used and self.used[-1] is last[1]:
                self.used[-1] = None
        self.stream = bytes(stream)
        self.order = order

    def _stack(self) -> None:
        """Follow which names lie on the stack, to see whose values are changed in place."""
        names, raw = self.code.co_names, self.raw
        stack: list[str | None] = []
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
            if op in _LOAD_GLOBAL:
                if argument & 1:
                    stack.append(None)
                stack.append(names[argument >> 1])
                continue
            if op in _LOAD_NAME:
                stack.append(names[argument])
                continue
            if op in _LOAD_FREE:
                stack.append(self._local(argument))
                continue
            if op == _COPY:
                stack.append(stack[-argument] if argument <= len(stack) else None)
                continue
            if op == _SWAP:
                if argument <= len(stack):
                    stack[-argument], stack[-1] = stack[-1], stack[-argument]
                continue
            changed = _CHANGES.get(op)
            if changed is not None:
                self._change(stack, changed)
            elif op in _ATTRIBUTE and names[argument >> _ATTRIBUTE_SHIFT] in _CHANGING_METHODS:
                self._change(stack, -1)
            effect = stack_effect(op, argument if op >= _NO_ARGUMENT else None, jump=False)
            if effect < 0:
                del stack[effect:]
            elif effect:
                stack.extend([None] * effect)
            # Whatever is on top now may be a result: it is no longer known to be the value of a name.
            if stack:
                stack[-1] = None

    def _change(self, stack: list[str | None], place: int) -> None:
        name = stack[place] if len(stack) >= -place else None
        if name is not None:
            self.changed.add(name)

    def _result(self) -> Scan:
        code = self.code
        nested = [scan(value) for value in self.used if isinstance(value, CodeType)]
        constants = [value for value in self.used if not isinstance(value, CodeType)]
        plain = SCALARS.issuperset(map(type, constants))
        content = (
            self.stream,
            self.order,
            code.co_exceptiontable,
            (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _FLAGS),
            (code.co_name, code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars),
            constants if plain else Hasher(_no_code).digest(constants),
            [isinstance(value, CodeType) for value in self.used] if nested else None,
            [inner.digest for inner in nested],
        )
        # Names that only nested code reads in its own scope are in `globals` too: a harmless excess.
        for inner in nested:
            self.globals.update(inner.globals)
            self.changed.update(inner.changed)
            self.imports += inner.imports
        return Scan(
            digest=sha256(marshal.dumps(content, 2)).digest(),
            globals=tuple(sorted(self.globals)),
            names=frozenset(code.co_names).union(*(inner.names for inner in nested)),
            changed=frozenset(self.changed),
            imports=tuple(self.imports),
        )


def _no_code(value: object) -> bytes:
    return b""
