"""The sections of a config file that mean something here. Others are the author's own, unless they look like a slip."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from headwater.configuration.current import config

SECTIONS = (
    "backend", "parameters", "databases", "logging", "workflow_cache_dir", "store", "image", "kubernetes", "slurm",
    "secrets", "filesystems",
)  # fmt: skip
_LIKENESS = 0.75


def slips_in(names: Iterable[str]) -> dict[str, str]:
    """Names that are nearly that of a section which is not there, and which one.

    >>> slips_in(["bakend", "archive", "paramters", "databases", "database"])
    {'bakend': 'backend', 'paramters': 'parameters'}
    """
    from difflib import get_close_matches

    given = list(names)
    absent = [name for name in SECTIONS if name not in given]
    found = {}
    for name in given:
        close = [] if name in SECTIONS else get_close_matches(name, absent, 1, _LIKENESS)
        if close:
            found[name] = close[0]
    return found


def warn_of_slips() -> None:
    """Warn, once in a process, of sections of the config file that are most likely misspelt."""
    _warn_of(str(config.path or ""), tuple(map(str, config)))


@cache
def _warn_of(path: str, names: tuple[str, ...]) -> None:
    import logging

    for name, meant in slips_in(names).items():
        logging.getLogger("headwater").warning(
            "%s: the section %r means nothing here; did you mean %r?", path or "the config", name, meant
        )
