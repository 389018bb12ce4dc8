"""Open files that others can put where they are looked for: nothing hangs, and nothing leads elsewhere."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(file: Path, folder: Path) -> BinaryIO:
    """A file in a folder, or below it, to be read.

    A FIFO would wait for a writer for ever, a device never end; a link may lead out of the folder.

    Raises:
        OSError: it is not there, or no regular file, or not in that folder.

    >>> open_regular(Path(os.devnull), Path("/dev"))
    Traceback (most recent call last):
    OSError: [Errno 22] no regular file: '/dev/null'
    """
    if not file.parent.resolve().is_relative_to(folder.resolve()):
        raise FileNotFoundError(errno.ENOENT, "a link leads out of the folder", str(file))
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no regular file", str(file))
    return os.fdopen(descriptor, "rb")
