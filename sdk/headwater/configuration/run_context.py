"""`context`: what is known about the run and the node that are going on here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

LATE = {"session": "headwater.pipeline.database.sessions:current_session"}
"""What a context answers with the help of a room above this one, found by name when it is asked for."""

_EMPTY: Mapping[str, Any] = {}


class Context:
    """Facts about the present run, by attribute: `context.args`, `context.run_id`, `context.node`, ...

    What is assigned holds for the whole process; what is bound in a `with` holds for the code inside it and
    hides the former, so that nodes running side by side in threads each see their own.

    >>> here = Context()
    >>> here.args = {"verbose": True}
    >>> with here.bind(run_id="20261123-084512-k3f9", node="gen-data"):
    ...     here.node, here.args["verbose"]
    ('gen-data', True)
    >>> here.node is None
    True
    """

    # What every context answers, whether or not a run is going on.
    _KNOWN: Mapping[str, Any] = {
        "args": None,
        "db_untracked": False,
        "run_id": None,
        "node": None,
        "attempt": None,
        "index": None,
    }

    def __init__(self) -> None:
        object.__setattr__(self, "_process", {})
        object.__setattr__(self, "_bound", ContextVar("headwater_context", default=_EMPTY))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        for values in (self.__dict__["_bound"].get(), self.__dict__["_process"], self._KNOWN):
            if name in values:
                return values[name]
        if name in LATE:
            module, _, function = LATE[name].partition(":")
            return getattr(importlib.import_module(module), function)()
        known = sorted({*self._KNOWN, *self.__dict__["_process"], *self.__dict__["_bound"].get()})
        raise AttributeError(f"the context has no {name!r}; it has {', '.join(known)}")

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__["_process"][name] = value

    def __delattr__(self, name: str) -> None:
        self.__dict__["_process"].pop(name, None)

    def __reduce__(self) -> tuple[object, ...]:
        return (_current, ())

    def of_process(self) -> dict[str, Any]:
        """What was assigned, for a worker process to assign too."""
        return dict(self.__dict__["_process"])

    @contextmanager
    def bind(self, **values: Any) -> Iterator[Context]:
        """Within the `with`, in this thread or coroutine, these values hold."""
        bound: ContextVar[Mapping[str, Any]] = self.__dict__["_bound"]
        token = bound.set({**bound.get(), **values})
        try:
            yield self
        finally:
            bound.reset(token)

    @property
    def config(self) -> Any:
        """The configuration (`headwater.config`)."""
        from headwater.configuration.current import config

        return config

    @property
    def settings(self) -> Any:
        """The settings (`headwater.settings`)."""
        from headwater.configuration.project_settings import settings

        return settings


def _current() -> Context:
    return context


context = Context()
