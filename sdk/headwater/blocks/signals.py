"""What a task may answer instead of outputs: that it is skipped, or that the whole run shall end."""

from __future__ import annotations

from typing import NoReturn


class Skipped:
    """Returned by a task: it did nothing, and every block directly after it is skipped too.

    >>> Skipped()
    Skipped()
    """

    def __repr__(self) -> str:
        return "Skipped()"


class ExitPipeline(BaseException):
    """Ends the run cleanly; `code` becomes the exit code of the process. Not an error, so not an `Exception`."""

    def __init__(self, code: int = 0) -> None:
        super().__init__(code)
        self.code = code


def exit_pipeline(code: int = 0) -> NoReturn:
    """End the run from inside a task, with an exit code.

    >>> exit_pipeline(3)
    Traceback (most recent call last):
    headwater.blocks.signals.ExitPipeline: 3
    """
    raise ExitPipeline(code)
