"""How errors end flowctl: a message, how to mend it, and the exit code."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import typer

from headwater.cli.globals import FLAGS, GLOBALS, WITH_VALUE
from headwater.errors import HeadwaterError, RunFailed, UsageError


def exit_code_of(error: BaseException) -> int:
    """Say on the error stream what went wrong, and give the exit code.

    0 after `--help` and the like, 1 for a failed run, 2 for wrong usage, 128 + the signal after a signal.
    """
    if isinstance(error, SystemExit):
        return (
            error.code
            if isinstance(error.code, int)
            else 0
            if error.code is None
            else _say(str(error.code), 1)
        )
    if isinstance(error, typer.Exit):
        return error.exit_code
    if hasattr(error, "format_message"):  # typer's own: it keeps the class of them to itself
        return _say_usage(error)
    if isinstance(error, typer.Abort):
        return _say("aborted", 1)
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()
        return 0
    if GLOBALS.traceback:
        _print_traceback(error)
    if isinstance(error, RunFailed):
        return 1
    if isinstance(error, HeadwaterError):
        return _say(_text(error), 2 if isinstance(error, UsageError) else 1)
    if not isinstance(error, Exception):
        raise error
    said = f"{type(error).__name__}: {error}"
    hint = "" if GLOBALS.traceback else "\n  Run it again with --traceback to see where it comes from."
    return _say(said + hint, 1)


def _print_traceback(error: BaseException) -> None:
    """Where an error comes from: the lines of the author's own code where it is from there, none for wrong usage."""
    own = getattr(error, "__headwater_traceback__", None)
    if own is not None:
        print(own, end="", file=sys.stderr)
    elif not isinstance(error, UsageError | RunFailed):
        traceback.print_exception(error)


def _say_usage(error: Any) -> int:
    message: str = error.format_message() + _meant(error)
    context = getattr(error, "ctx", None)
    if message.startswith("Usage:"):  # a group without a command: this is its help
        print(message)
        return 2
    path = context.command_path if context is not None else "flowctl"
    return _say(f"{message}\n  `{path} --help` shows how it is used.", 2)


def _meant(error: Any) -> str:
    """The option that was meant, where it is one of those that typer does not find behind a command."""
    from difflib import get_close_matches

    option = getattr(error, "option_name", "")
    if not option or getattr(error, "possibilities", None):
        return ""
    close = get_close_matches(option, [*WITH_VALUE, *FLAGS], 1)
    return f". Did you mean {close[0]}?" if close else ""


def _text(error: HeadwaterError) -> str:
    return f"{error.message}\n  {error.fix}" if error.fix else error.message


def _say(message: str, code: int) -> int:
    label = "error"
    if GLOBALS.color and sys.stderr.isatty():
        label = f"\x1b[1;31m{label}\x1b[0m"
    print(f"{label}: {message}", file=sys.stderr)
    return code
