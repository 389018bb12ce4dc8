"""The digest of what a function does: its own code and that of everything of the project's own which it uses.

From a function or class the walk follows, through the project's own modules only: helper functions by name or
as `module.helper`, classes and their methods, what decorators wrap, nested functions, partials, imports
inside functions, and the values of module-level constants, defaults and closures. A global that this very
code changes in place (a list it appends to, a counter) is state and no constant: only its type counts.

An object may say itself what its code is: `__headwater_code__` on it or its class, a tuple of functions,
classes and values.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from hashlib import sha256

from headwater.values.walk import Walk, is_own_class, is_own_function, label


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
    return Walk().run(obj)


def code_parts_of_types(classes: Iterable[type]) -> dict[str, str]:
    """As `code_parts`, for the project's own among the classes of some values."""
    walk = Walk()
    for cls in classes:
        if is_own_class(cls):
            walk.reference(cls)
    return walk.finish()


def value_code(obj: object) -> bytes:
    """What stands for a function or class inside a value: its code digest when it is the project's own."""
    if isinstance(obj, types.FunctionType) and obj.__closure__ is None and not is_own_function(obj):
        return label(obj).encode()
    walk = Walk()
    return walk.reference(obj) + combine(walk.finish()).encode()
