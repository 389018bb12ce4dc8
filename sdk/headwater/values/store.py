"""The artifact store: bytes by the digest of their content, in a local folder or behind any fsspec URL."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from headwater.errors import StoreError
from headwater.values.arrays import Buffer
from headwater.values.files import store_error, write_atomically

# Measured on machines with SHA instructions: sha256 1.2 GB/s, blake2b 0.35 GB/s. The name says which it is.
_ALGORITHM = "sha256"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(::|://)")
_REFERENCE = re.compile(rf"{_ALGORITHM}:[0-9a-f]{{64}}")
# Services that show an object only when it is complete; a rename there is a copy.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "memory"})


class ArtifactStore:
    """Bytes under `sha256:…` names. Writing the same content twice stores it once; nothing is ever changed in
    place.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = ArtifactStore(folder.name)
    >>> reference = store.put(b"hello")
    >>> reference[:15], store.read(reference)
    ('sha256:2cf24dba', b'hello')
    >>> store.delete(reference)
    >>> store.exists(reference)
    False
    >>> folder.cleanup()
    """

    def __init__(self, url_or_path: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url_or_path)
        if self.url.startswith("file://"):
            self.url = self.url.removeprefix("file://")
        self._remote: tuple[Any, str] | None = None
        self._folder: Path | None = None if _SCHEME.match(self.url) else Path(self.url)

    def __repr__(self) -> str:
        return f"ArtifactStore({self.url!r})"

    def __reduce__(self) -> tuple[type[ArtifactStore], tuple[str]]:
        return (ArtifactStore, (self.url,))

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine, whose files can be mapped into memory."""
        return self._folder is not None

    def put(self, data: Buffer | Sequence[Buffer]) -> str:
        """Store the bytes of one buffer, or of several one after the other; the name that they have from now
        on.

        Raises `StoreError` where they cannot be written.
        """
        buffers: Sequence[Buffer] = [data] if isinstance(data, bytes | bytearray | memoryview) else data
        state = sha256()
        size = 0
        for buffer in buffers:
            state.update(buffer)
            size += memoryview(buffer).nbytes
        reference = f"{_ALGORITHM}:{state.hexdigest()}"
        if self._size(reference) != size:
            self._write(reference, buffers)
        return reference

    def exists(self, reference: str) -> bool:
        """Whether the artifact is there."""
        return self._size(reference) is not None

    def path(self, reference: str) -> Path | None:
        """The file of an artifact (there or not); None when the store is not a local folder."""
        return None if self._folder is None else self._folder / _place(reference)

    def open(self, reference: str) -> IO[bytes]:
        """The artifact as a file to read. Raises `StoreError` when it is not there."""
        try:
            if self._folder is not None:
                return open(self._folder / _place(reference), "rb")
            filesystem, root = self._filesystem()
            return filesystem.open(f"{root}/{_place(reference)}", "rb")  # type: ignore[no-any-return]
        except OSError as error:
            raise self._error("read", reference, error) from error

    def read(self, reference: str, *, verify: bool = True) -> bytes:
        """The bytes of an artifact. Raises `StoreError` when it is missing or not what its name says."""
        try:
            with self.open(reference) as file:
                content = file.read()
        except OSError as error:
            raise self._error("read", reference, error) from error
        if verify and f"{_ALGORITHM}:{sha256(content).hexdigest()}" != reference:
            raise self.corrupt(reference, "its content is not what was written")
        return content

    def size(self, reference: str) -> int:
        """The number of bytes. Raises `StoreError` when it is not there."""
        size = self._size(reference)
        if size is None:
            raise self._error("read", reference, FileNotFoundError(2, "No such file"))
        return size

    def delete(self, reference: str) -> None:
        """Remove an artifact; nothing happens when there is none."""
        try:
            if self._folder is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._folder / _place(reference))
                return
            filesystem, root = self._filesystem()
            with contextlib.suppress(FileNotFoundError):
                filesystem.rm_file(f"{root}/{_place(reference)}")
        except OSError as error:
            raise self._error("delete", reference, error) from error

    # ------------------------------------------------------------ files with names of their own

    def read_file(self, place: str) -> bytes | None:
        """The content of a file at a place below the store that its writer chose; None when there is none."""
        try:
            if self._folder is not None:
                return (self._folder / place).read_bytes()
            filesystem, root = self._filesystem()
            content: bytes = filesystem.cat_file(f"{root}/{place}")
            return content
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise store_error(f"cannot read {os.path.join(self.url, place)}", error) from error

    def write_file(self, place: str, buffers: Iterable[Buffer]) -> None:
        """Write a file at a place below the store, whole or not at all; what was there is replaced.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = ArtifactStore(folder)
        ...     store.write_file("runs/u1/x.json", [b"{", b"}"])
        ...     store.read_file("runs/u1/x.json"), store.read_file("y"), store.files_in("runs/u1")
        (b'{}', None, ['x.json'])
        """
        try:
            if self._folder is not None:
                write_atomically(self._folder / place, buffers)
            else:
                self._write_remote(place, buffers)
        except OSError as error:
            raise store_error(f"cannot write {os.path.join(self.url, place)}", error) from error

    def files_in(self, folder: str) -> list[str]:
        """The names of the files in a folder below the store, in order; none when there is no such folder."""
        try:
            if self._folder is not None:
                found = os.listdir(self._folder / folder)
            else:
                filesystem, root = self._filesystem()
                found = [path.rpartition("/")[2] for path in filesystem.ls(f"{root}/{folder}", detail=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise store_error(f"cannot list {os.path.join(self.url, folder)}", error) from error
        return sorted(name for name in found if not name.endswith(".tmp"))

    def describe(self, reference: str) -> str:
        """Where an artifact is, for messages."""
        return os.path.join(self.url, _place(reference))

    def corrupt(self, reference: str, what: str) -> StoreError:
        """The error for an artifact that is not what it should be."""
        return StoreError(
            f"artifact {self.describe(reference)} is corrupt: {what}",
            fix="Delete that file and run the node that made it again.",
        )

    # ------------------------------------------------------------

    def _write(self, reference: str, buffers: Sequence[Buffer]) -> None:
        try:
            if self._folder is not None:
                write_atomically(self._folder / _place(reference), buffers)
            else:
                self._write_remote(_place(reference), buffers)
        except OSError as error:
            raise self._error("write", reference, error) from error

    def _write_remote(self, place: str, buffers: Iterable[Buffer]) -> None:
        filesystem, root = self._filesystem()
        target = f"{root}/{place}"
        protocol = filesystem.protocol
        direct = not _OBJECT_STORES.isdisjoint({protocol} if isinstance(protocol, str) else protocol)
        written = target if direct else f"{target}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
        filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
        with filesystem.open(written, "wb") as file:
            for buffer in buffers:
                file.write(buffer)
        if not direct:
            filesystem.mv(written, target)

    def _size(self, reference: str) -> int | None:
        place = _place(reference)
        try:
            if self._folder is not None:
                return os.stat(self._folder / place).st_size
            filesystem, root = self._filesystem()
            return int(filesystem.size(f"{root}/{place}"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._error("look for", reference, error) from error

    def _filesystem(self) -> tuple[Any, str]:
        if self._remote is None:
            import fsspec

            try:
                filesystem, root = fsspec.core.url_to_fs(self.url)
            except (ImportError, ValueError) as error:
                raise StoreError(
                    f"the artifact store {self.url} cannot be opened: {error}",
                    fix="Install the fsspec package of that kind of store, or use a local folder.",
                ) from error
            self._remote = (filesystem, root.rstrip("/"))
        return self._remote

    def _error(self, doing: str, reference: str, error: OSError) -> StoreError:
        return store_error(f"cannot {doing} artifact {self.describe(reference)}", error)


def _place(reference: str) -> str:
    if not _REFERENCE.fullmatch(reference):
        raise StoreError(
            f"{reference!r} is no artifact", fix="An artifact is named sha256: and 64 hexadecimal digits."
        )
    digest = reference[len(_ALGORITHM) + 1 :]
    return f"{_ALGORITHM}/{digest[:2]}/{digest[2:]}"
