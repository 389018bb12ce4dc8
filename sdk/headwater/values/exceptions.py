"""Exceptions that can be made again elsewhere, whatever their class takes to be made."""

from __future__ import annotations

from types import FunctionType
from typing import Any


def reduction(error: BaseException) -> Any:
    """How to pickle an exception whose class has an `__init__` of its own; `NotImplemented` for others.

    Python pickles an exception as a call of its class with `args`, which is what `Exception` was given. A class that
    takes something else cannot be made again in this way, or says something else then.

    >>> class Refused(Exception):
    ...     def __init__(self, who: str, status: int) -> None:
    ...         super().__init__(f"{who} said {status}")
    ...         self.status = status
    >>> make, arguments, state = reduction(Refused("the server", 503))
    >>> again = make(*arguments)
    >>> again.__setstate__(state)
    >>> again, again.status
    (Refused('the server said 503'), 503)
    """
    kind = type(error)
    own = type(kind.__init__) is FunctionType and kind.__reduce__ is BaseException.__reduce__
    if not own or kind.__reduce_ex__ is not object.__reduce_ex__:
        return NotImplemented
    return remade, (kind, error.args), error.__dict__


def remade(kind: type[BaseException], arguments: tuple[object, ...]) -> BaseException:
    """An exception without a call of its class's own `__init__`."""
    base: Any = next(each for each in kind.__mro__ if each.__module__ == "builtins")  # what Python itself has
    error: BaseException = base.__new__(kind, *arguments)
    base.__init__(error, *arguments)
    return error


class ReducesExceptions:
    """Stands before cloudpickle's pickler in the bases of one that makes exceptions again."""

    def reducer_override(self, obj: Any) -> Any:
        """What pickle asks first about each object."""
        found = reduction(obj) if isinstance(obj, BaseException) else NotImplemented
        if found is not NotImplemented:
            return found
        return super().reducer_override(obj)  # type: ignore[misc]  # cloudpickle's
