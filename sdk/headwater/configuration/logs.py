"""Logging: a default `dictConfig` with the config file's `logging` section laid over it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headwater.configuration.current import config
from headwater.configuration.places import state_dir
from headwater.configuration.readonly import merged
from headwater.errors import ConfigError

_COLOURS = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}


class TerminalFormatter(logging.Formatter):
    """Colours a line by its level when the error stream is a terminal, and only then."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, wrapped in a colour on a terminal."""
        line = super().format(record)
        colour = _COLOURS.get(record.levelno)
        return f"\x1b[{colour}m{line}\x1b[0m" if colour and _is_terminal() else line


class StderrHandler(logging.StreamHandler[Any]):
    """Writes to what `sys.stderr` is at the time, so that redirections and captures see it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """The present error stream; past the log of a run, which keeps the records themselves."""
        return getattr(sys.stderr, "past_the_log", sys.stderr)

    @stream.setter
    def stream(self, value: Any) -> None:
        raise AttributeError("a StderrHandler always writes to sys.stderr")


class LogFileHandler(logging.FileHandler):
    """A log file, in the state's `logs` unless named; file and folder are created with the first line."""

    def __init__(self, filename: str | None = None, mode: str = "a", encoding: str = "utf-8") -> None:
        path = Path(filename).expanduser() if filename else state_dir() / "logs" / "headwater.log"
        super().__init__(path, mode=mode, encoding=encoding, delay=True)

    def _open(self) -> Any:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()


def default_logging() -> dict[str, Any]:
    """What holds where the config file says nothing: warnings and worse, on the error stream."""
    here = "headwater.configuration.logs"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "console": {"()": f"{here}.TerminalFormatter", "format": "%(levelname)s %(name)s: %(message)s"},
            "file": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        },
        "handlers": {
            "console": {"()": f"{here}.StderrHandler", "formatter": "console"},
            "file": {"()": f"{here}.LogFileHandler", "formatter": "file"},
        },
        "root": {"level": "WARNING", "handlers": ["console"]},
        "loggers": {"headwater": {"level": "INFO"}},
    }


def logger_config(section: Mapping[str, Any] | None = None, *, level: str | None = None) -> dict[str, Any]:
    """The `dictConfig` in force: the default, the config's `logging` (or `section`) over it, then `level`.

    >>> logger_config({"root": {"handlers": ["file"]}}, level="DEBUG")["root"]
    {'level': 'DEBUG', 'handlers': ['file']}
    """
    over = config.get("logging") if section is None else section
    if over is not None and not isinstance(over, Mapping):
        raise ConfigError(
            "`logging` in the config is not a mapping", fix="Write it as logging.config.dictConfig has it."
        )
    result = merged(default_logging(), over or {})
    if level is not None:
        result["root"] = {**result["root"], "level": level.upper()}
        result["loggers"] = {
            name: {**logger, "level": level.upper()} for name, logger in result["loggers"].items()
        }
    return result


_in_force: dict[str, Any] | None = None


def logging_in_force() -> dict[str, Any] | None:
    """What `setup_logging` has put in force in this process: workers do the same."""
    return _in_force


def setup_logging(level: str | None = None, *, info: Sequence[str] = ()) -> None:
    """Put the configured logging in force; `info` names loggers that tell of more than warnings.

    Raises:
        ConfigError: the `logging` section is not valid.
    """
    wanted = logger_config(level=level)
    for name in info:
        wanted["loggers"].setdefault(name, {"level": (level or "INFO").upper()})
    apply_logging(wanted)


def apply_logging(wanted: dict[str, Any]) -> None:
    """Put a `dictConfig` in force."""
    import logging.config

    global _in_force
    try:
        logging.config.dictConfig(wanted)
        _in_force = wanted
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        cause = error.__cause__ or error
        raise ConfigError(
            f"the `logging` section of the config is not valid: {error}: {cause}",
            fix="See logging.config.dictConfig in Python's manual; the handlers `console` and `file` exist.",
        ) from error


def _is_terminal() -> bool:
    try:
        return bool(sys.stderr.isatty())
    except (AttributeError, ValueError):  # closed, or replaced by something simpler
        return False
