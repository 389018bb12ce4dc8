"""Patience with a cluster that is away for a while: what was asked is asked again until there is an answer."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from headwater.slurm.errors import SlurmAway
from headwater.slurm.shell import Files

T = TypeVar("T")
FIRST_WAIT, LAST_WAIT = 2.0, 60.0
_PASSING = frozenset({
    errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.EHOSTUNREACH,
    errno.ENETDOWN, errno.ECONNRESET, errno.EINTR, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Patience:
    """Asks until it is answered, ever more seldom; each time it says why it waits."""

    say: Callable[[str], None]
    sleep: Callable[[float], None]

    def until_answered(self, ask: Callable[[], T]) -> T:
        """The answer; what will not pass by itself is raised.

        >>> from headwater.slurm.errors import SlurmAway
        >>> answers = iter([SlurmAway("no connection to login1"), "17"])
        >>> def ask():
        ...     answer = next(answers)
        ...     if isinstance(answer, Exception):
        ...         raise answer
        ...     return answer
        >>> Patience(print, lambda seconds: None).until_answered(ask)
        no connection to login1 (again in 2 s)
        '17'
        """
        wait = FIRST_WAIT
        while True:
            try:
                return ask()
            except (SlurmAway, OSError) as error:
                if isinstance(error, OSError) and error.errno not in _PASSING:
                    raise
                self.say(f"{error} (again in {wait:g} s)")
            self.sleep(wait)
            wait = min(wait * 2, LAST_WAIT)


@dataclass(frozen=True, slots=True)
class PatientFiles:
    """Files at the other end of a connection that may be cut: a follower never sees that it was."""

    files: Files
    patience: Patience

    def put(self, path: str, content: bytes) -> None:
        """Write a file."""
        self.patience.until_answered(lambda: self.files.put(path, content))

    def names(self, folder: str) -> list[str]:
        """The names in a folder."""
        return self.patience.until_answered(lambda: self.files.names(folder))

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The contents of those of the files that are there."""
        return self.patience.until_answered(lambda: self.files.get(paths))

    def remove(self, folder: str) -> None:
        """Take a folder away."""
        self.patience.until_answered(lambda: self.files.remove(folder))
