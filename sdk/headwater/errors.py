"""The errors that Headwater raises: one small hierarchy, each with a stable code.

A message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations


class HeadwaterError(Exception):
    """Base of every error that Headwater raises on purpose.

    `fix` is one sentence that says what to do; it is shown under the message.

    >>> error = HeadwaterError("the cache folder is full", fix="Free some space in it.")
    >>> print(error)
    the cache folder is full. Free some space in it.
    """

    code = "HW000"

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        if not self.fix:
            return self.message
        return f"{self.message.rstrip('.')}. {self.fix}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.fix, self.__dict__))


def _rebuild(cls: type[HeadwaterError], message: str, fix: str, state: dict[str, object]) -> HeadwaterError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class UsageError(HeadwaterError):
    """A command or call was given something it cannot work with. Exit code 2."""

    code = "HW001"


class ConfigError(UsageError):
    """A configuration or settings file is missing or wrong."""

    code = "HW002"


class DocumentError(UsageError):
    """A Workflow document is not valid; `problems` lists every problem found."""

    code = "HW003"

    def __init__(self, message: str, *, fix: str = "", problems: tuple[object, ...] = ()) -> None:
        super().__init__(message, fix=fix)
        self.problems = problems


class DefinitionError(UsageError):
    """A task or workflow is defined in a way that cannot work."""

    code = "HW004"


class GraphError(DefinitionError):
    """The blocks of a workflow do not fit together: cycle, unmatched input, clash, impossible type."""

    code = "HW005"


class TargetError(HeadwaterError):
    """A task received or returned a value that its targets do not allow."""

    code = "HW006"


class StoreError(HeadwaterError):
    """A value could not be written to, or read from, the artifact store or the cache."""

    code = "HW007"


class WorkerDied(HeadwaterError):
    """A worker process ended in the middle of a task: its signal or exit code is in the message."""

    code = "HW008"


class TaskTimeout(HeadwaterError):
    """A task ran longer than its `timeout` and was ended."""

    code = "HW009"


class MapFailed(HeadwaterError):
    """Items of a map failed and its policy does not tolerate them; `errors` maps index to error."""

    code = "HW010"

    def __init__(self, message: str, *, fix: str = "", errors: dict[int, object] | None = None) -> None:
        super().__init__(message, fix=fix)
        self.errors = errors or {}


class TaskFailed(HeadwaterError):
    """Stands in for an exception of a task that could not travel between processes."""

    code = "HW011"


class RunFailed(HeadwaterError):
    """A run ended `Failed` or `Cancelled`; `result` is the whole result, the cause is the first error."""

    code = "HW012"

    def __init__(self, message: str, *, fix: str = "", result: object = None) -> None:
        super().__init__(message, fix=fix)
        self.result = result


class RecordsError(HeadwaterError):
    """The run database is missing, locked, corrupt or of another version."""

    code = "HW013"
