"""What a task raised, as a `Failure`: its node, type, message, class, and a traceback with the user's own lines."""

from __future__ import annotations

from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass
from headwater.errors import DefinitionError, DocumentError, TaskTimeout
from headwater.runtime.tracebacks import traceback_of

_CLASSES: dict[type[BaseException], ErrorClass] = {
    DefinitionError: ErrorClass.INVALID,
    DocumentError: ErrorClass.INVALID,
    MemoryError: ErrorClass.OOM,
    TaskTimeout: ErrorClass.TIMEOUT,
}


def failure_of(error: BaseException, path: str) -> Failure:
    """How an exception of a task is reported: its node, type, message and traceback."""
    from headwater.runtime.unit import UnitFailed

    if isinstance(error, UnitFailed) and error.failure is not None:
        return error.failure
    return Failure(
        "Timeout" if isinstance(error, TaskTimeout) else type(error).__name__,
        _text_of(error),
        next((found for kind, found in _CLASSES.items() if isinstance(error, kind)), ErrorClass.ERROR),
        path,
        traceback_of(error),
        error,
    )


def _text_of(error: BaseException) -> str:
    try:
        return str(error) or repr(error)
    except Exception:  # it is the user's own class
        return f"(a {type(error).__name__} that cannot be shown as text)"
