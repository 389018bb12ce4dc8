"""What a task raised, as a `Failure`: its node, type, message, class, and a traceback with the user's own lines."""

from __future__ import annotations

import os
import traceback

from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass
from headwater.errors import DefinitionError, DocumentError, HeadwaterError, TaskTimeout

# A person looks for the frames of their own code.
_NOT_THEIRS = (os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep, "<frozen importlib")

_CLASSES: dict[type[BaseException], ErrorClass] = {
    DefinitionError: ErrorClass.INVALID,
    DocumentError: ErrorClass.INVALID,
    MemoryError: ErrorClass.OOM,
    TaskTimeout: ErrorClass.TIMEOUT,
}

_PYTHON = os.path.dirname(os.__file__) + os.sep


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
        _traceback_of(error),
        error,
    )


def _text_of(error: BaseException) -> str:
    try:
        return str(error) or repr(error)
    except Exception:  # it is the user's own class
        return f"(a {type(error).__name__} that cannot be shown as text)"


def _traceback_of(error: BaseException) -> str:
    remote = getattr(error, "__headwater_traceback__", None)
    if isinstance(remote, str):
        return remote
    frames = traceback.extract_tb(error.__traceback__)
    shown = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]
    if isinstance(error, HeadwaterError) and all(_is_library(frame.filename) for frame in shown):
        return ""  # raised by us and not below a line of theirs: its message says all
    shown = shown or frames[-1:]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(shown)]
    return "".join(lines + traceback.format_exception_only(error))


def _is_library(filename: str) -> bool:
    return filename.startswith(_PYTHON) and "site-packages" not in filename
