"""Tracebacks as people want them: the lines of their own code, and the exceptions that led to this one."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator

from headwater.errors import HeadwaterError

# A person looks for the frames of their own code.
_NOT_THEIRS = (os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep, "<frozen importlib")
_PYTHON = os.path.dirname(os.__file__) + os.sep
CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"


def traceback_of(error: BaseException) -> str:
    """The traceback without our own frames; "" for an error of ours that says all by itself."""
    remote = getattr(error, "__headwater_traceback__", None)
    if isinstance(remote, str):
        return remote
    chain = list(_chain(error))
    if isinstance(error, HeadwaterError) and not any(_has_theirs(each) for each, _ in chain):
        return ""  # raised by us and not below a line of theirs: its message says all
    parts = []
    for each, leads_to in reversed(chain):
        parts.append(_one(each, alone=len(chain) == 1))
        if leads_to:
            parts.append(f"\n{leads_to}\n\n")
    return "".join(parts)


def place_of(error: BaseException) -> traceback.FrameSummary | None:
    """The last line of somebody's own code that an exception came through."""
    frames = [frame for frame in _theirs(error) if not _is_installed(frame.filename)]
    return frames[-1] if frames else None


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """An exception, what led to it, what led to that, and so on; each with what it is to the one before."""
    current: BaseException | None = error
    relation = ""
    seen: set[int] = set()
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current, relation
        if current.__cause__ is not None:
            current, relation = current.__cause__, CAUSE
        elif current.__context__ is not None and not current.__suppress_context__:
            current, relation = current.__context__, _CONTEXT
            if not _has_theirs(current):
                return  # something that we were handling when we called them
        else:
            return


def _one(error: BaseException, *, alone: bool) -> str:
    remote = getattr(error, "__headwater_traceback__", None)
    if isinstance(remote, str):
        return remote
    shown = _theirs(error) or (traceback.extract_tb(error.__traceback__)[-1:] if alone else [])
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(shown)] if shown else []
    return "".join([*lines, *traceback.format_exception_only(error)])


def _theirs(error: BaseException) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]


def _has_theirs(error: BaseException) -> bool:
    return not all(_is_library(frame.filename) for frame in _theirs(error))


def _is_installed(filename: str) -> bool:
    return filename.startswith((_PYTHON, "<")) or "site-packages" in filename


def _is_library(filename: str) -> bool:
    return filename.startswith(_PYTHON) and "site-packages" not in filename
