"""What goes wrong with a request: an HTTP status, and the code, message and fix that every error has."""

from __future__ import annotations

from headwater.backends.kubernetes.errors import ClusterForbidden, ClusterNotFound
from headwater.errors import HeadwaterError, RecordsError, UsageError
from headwater.records.connection import DatabaseBusyError


class RequestError(HeadwaterError):
    """A request is refused; `status` is what HTTP says of it."""

    code = "HW080"

    def __init__(self, status: int, message: str, *, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.status = status


def status_of(error: HeadwaterError) -> int:
    """The HTTP status of an error.

    >>> status_of(RequestError(404, "there is no run 'x'")), status_of(UsageError("no"))
    (404, 409)
    """
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, ClusterNotFound):
        return 404
    if isinstance(error, ClusterForbidden):
        return 403
    if isinstance(error, DatabaseBusyError):
        return 503
    if isinstance(error, RecordsError):
        return 500
    return 409 if isinstance(error, UsageError) else 502


def body_of(error: HeadwaterError) -> dict[str, str]:
    """The error as JSON.

    >>> body_of(RequestError(404, "there is no run 'x'", fix="`flowctl list` shows the runs."))
    {'code': 'HW080', 'message': "there is no run 'x'", 'fix': '`flowctl list` shows the runs.'}
    """
    return {"code": error.code, "message": error.message, "fix": error.fix}
