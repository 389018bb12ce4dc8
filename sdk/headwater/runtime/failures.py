"""What a task raised, as a `Failure`: its node, type, message, class, and a traceback with the user's own lines."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass
from headwater.errors import DefinitionError

# A person looks for the frames of their own code.
_NOT_THEIRS = (str(Path(__file__).parents[1]) + os.sep, "<frozen importlib")


def failure_of(error: BaseException, path: str) -> Failure:
    """How an exception of a task is reported: its node, type, message and traceback."""
    from headwater.runtime.unit import UnitFailed

    if isinstance(error, UnitFailed) and error.failure is not None:
        return error.failure
    invalid = isinstance(error, DefinitionError)
    oom = isinstance(error, MemoryError)
    return Failure(
        type(error).__name__,
        _text_of(error),
        ErrorClass.INVALID if invalid else ErrorClass.OOM if oom else ErrorClass.ERROR,
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
    shown = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)] or frames[-1:]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(shown)]
    return "".join(lines + traceback.format_exception_only(error))
