"""What went wrong in a pod, as plain data that travels in a report or lies in the store, and back as an exception."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headwater.errors import TaskFailed, WorkerDied
from headwater.runtime.failures import failure_of
from headwater.runtime.pod import surroundings
from headwater.runtime.pod.texts import clean, cut

if TYPE_CHECKING:
    from headwater.engine.events import Failure

Described = dict[str, Any]

PICKLE_LIMIT = 1200
_MESSAGE, _TRACEBACK = 4000, 8000


def described(error: BaseException, path: str) -> Described:
    """An exception of a task or of the pod itself.

    >>> described(ValueError("no"), "gen")["type"], described(MemoryError(), "gen")["class"]
    ('ValueError', 'Oom')
    """
    return as_data(failure_of(error, path))


def as_data(failure: Failure) -> Described:
    """A failure as plain data; its exception goes with it where it is small and can be pickled."""
    found: Described = {
        "type": clean(failure.type),
        "message": cut(clean(failure.message), _MESSAGE),
        "class": str(failure.error_class),
        "node": clean(failure.node),
    }
    if failure.traceback:
        found["traceback"] = cut(clean(failure.traceback), _TRACEBACK, end=True)
    if isinstance(failure.exception, BaseException):
        pickled = _pickled(failure.exception)
        if pickled:
            found["pickle"] = pickled
    return found


def failure_from(data: Mapping[str, Any], where: str) -> Failure:
    """The failure that `as_data` has written; `where` is the node of one that names none.

    >>> failure_from(described(ValueError("no"), "gen"), "").exception
    ValueError('no')
    """
    from headwater.engine.events import Failure
    from headwater.engine.graph import ErrorClass

    error = WorkerDied(data["message"]) if data["type"] == "WorkerDied" else exception_of(data)
    return Failure(
        data["type"],
        data["message"],
        ErrorClass(data["class"]),
        data.get("node") or where,
        data.get("traceback", ""),
        error,
    )


def exception_of(failure: Mapping[str, Any]) -> BaseException:
    """The exception again; a `TaskFailed` that says the same where it could not travel.

    >>> exception_of({"type": "OSError", "message": "no disk"})
    TaskFailed('OSError: no disk')
    """
    if "pickle" in failure:
        from headwater.runtime.code import unpickled

        try:
            found = unpickled(failure["pickle"])
        except Exception:  # its class is not importable here, or cannot be made again
            found = None
        if isinstance(found, BaseException):
            return found
    return TaskFailed(f"{failure.get('type', 'Error')}: {failure.get('message', '')}")


def _pickled(error: BaseException) -> str:
    import base64
    import pickle

    from headwater.errors import StoreError
    from headwater.values import pickles

    if surroundings.has_secrets():
        return ""  # it may hold one
    try:
        content = b"".join(pickles.dump(error))
        if len(content) > PICKLE_LIMIT or not isinstance(pickle.loads(content), BaseException):
            return ""
    except StoreError:
        return ""
    except Exception:  # the user's own class: one whose pickle cannot be read back stays here
        return ""
    return base64.b64encode(content).decode()
