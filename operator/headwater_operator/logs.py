"""The operator's log: a line for people, or a JSON object a line for programs, each with its run and node."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_LEVELS = {logging.WARNING: "warn"}
_FIELDS = ("run", "namespace", "node")


class JsonFormatter(logging.Formatter):
    """One JSON object a line.

    >>> record = logging.LogRecord("headwater.operator", logging.INFO, "", 0, "hello", (), None)
    >>> json.loads(JsonFormatter().format(record))["message"]
    'hello'
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        found: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        found.update({name: getattr(record, name) for name in _FIELDS if hasattr(record, name)})
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
        return json.dumps(found, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A time, a level, the run and node, the message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        where = " ".join(str(getattr(record, name)) for name in ("run", "node") if hasattr(record, name))
        level = _LEVELS.get(record.levelno, record.levelname.lower())
        line = f"{time} {level:5} {f'[{where}] ' if where else ''}{record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up(form: str, level: str) -> None:
    """Log to standard error in this form, from this level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("kopf", "asyncio", "aiohttp"):
        logging.getLogger(noisy).setLevel("WARNING")
