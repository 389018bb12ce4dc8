"""A small disk of a test's own, that can be full and can hang: an ext4 file system in a file."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

SIZE_MB = 24


@dataclass(frozen=True, slots=True)
class Disk:
    """Where it is mounted."""

    folder: Path

    def fill(self) -> None:
        """Leave not a byte."""
        with self._filler.open("wb") as file, suppress(OSError):
            while True:
                file.write(b"x" * 65536)
                file.flush()
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x")

    def free(self) -> None:
        """Take away what `fill` has put there."""
        self._filler.unlink()

    @contextmanager
    def hangs(self) -> Iterator[None]:
        """Nothing that writes to it comes back while the block runs."""
        subprocess.run(["fsfreeze", "--freeze", str(self.folder)], check=True)
        try:
            yield
        finally:
            subprocess.run(["fsfreeze", "--unfreeze", str(self.folder)], check=True)

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


@contextmanager
def small_disk(place: Path) -> Iterator[Disk]:
    """A disk for the time of the block; the test is skipped where the kernel gives it none."""
    image, folder = place / "disk.img", place / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE_MB << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True, capture_output=True)
    said = subprocess.run(["mount", "-o", "loop", str(image), str(folder)], capture_output=True, text=True)
    if said.returncode:
        pytest.skip(f"no file system can be mounted here: {said.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
