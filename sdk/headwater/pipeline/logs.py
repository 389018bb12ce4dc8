"""`logger`: writes to the logger of the module that calls it, so that each plugin's logs can be set apart."""

from __future__ import annotations

import logging
import sys
from typing import Any


class CallerLogger:
    """Hands every call on to the logger that is named as the calling module.

    >>> logger.name == __name__
    True
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        module = sys._getframe(1).f_globals.get("__name__", "headwater")
        return getattr(logging.getLogger("headwater" if module == "__main__" else module), name)

    def __reduce__(self) -> tuple[object, ...]:
        return (_the_logger, ())


def _the_logger() -> CallerLogger:
    return logger


logger = CallerLogger()
