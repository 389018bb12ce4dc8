"""Things that are made once per digest of their inputs, whoever asks: atomically, and by one process at a time."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.places import cache, locked
from tests.cluster.report import step

KEPT = 3  # versions of one thing; older ones are removed when a new one is made


def digest(*parts: str | bytes | Path) -> str:
    """Digest texts and the contents of files.

    >>> digest("a", "b") == digest("ab")
    False
    """
    sha = hashlib.sha256()
    for part in parts:
        content = (
            part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        )
        sha.update(len(content).to_bytes(8, "big") + content)
    return sha.hexdigest()[:16]


def place_of(name: str, key: str) -> Path:
    return cache() / f"{name}-{key}"


def made(name: str, key: str, make: Callable[[Path], None], *, expect: str = "") -> Path:
    """The folder of `name` for the inputs `key`, filled by `make` if no one has done so before."""
    place = place_of(name, key)
    if place.exists():
        os.utime(place)
        return place
    with locked(f"{name}.lock"):
        if place.exists():  # made while this process waited
            return place
        for unfinished in cache().glob(f".{name}-*"):
            shutil.rmtree(unfinished)
        folder = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache()))
        with step(f"building {name}, once for this machine", expect):
            make(folder)
        folder.chmod(0o755)
        folder.rename(place)
        _remove_old(name)
    return place


def _remove_old(name: str) -> None:
    versions = [path for path in cache().iterdir() if path.name.rpartition("-")[0] == name]
    for path in sorted(versions, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
