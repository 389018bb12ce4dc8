"""Files of pickles: what a job is given (`Given`), and what it leaves, result by result (`read_results`)."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterator, Sequence
from typing import IO, Any, Literal

from headwater.backends.pool.protocol import dump, dump_by_value, load

_LENGTH = struct.Struct("<Q")
Outcome = Literal["returned", "raised", "unloadable"]


def _packed(pickled: bytes, buffers: Sequence[memoryview]) -> bytes:
    """One record: the number of its parts, their lengths, the parts."""
    parts: list[bytes | memoryview] = [pickled, *buffers]
    head = _LENGTH.pack(len(parts)) + b"".join(_LENGTH.pack(len(part)) for part in parts)
    return head + b"".join(parts)


def unpacked(file: IO[bytes]) -> object:
    """The next record. Raises `EOFError` at the end, and where it is cut off."""
    head = file.read(8)
    if len(head) < 8:
        raise EOFError
    (count,) = _LENGTH.unpack(head)
    lengths = [_LENGTH.unpack(_exactly(file, 8))[0] for _ in range(count)]
    pickled, *buffers = [bytearray(_exactly(file, length)) for length in lengths]
    return load(pickled, buffers)


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def packed_by_value(value: object) -> bytes:
    """A record for a job: what `__main__` or a function defines travels by value."""
    return _packed(*dump_by_value(value))


def packed_table(rows: Sequence[object]) -> bytes:
    """A file of rows of which each task of an array reads its own.

    >>> import io
    >>> table = io.BytesIO(packed_table(["a", "b", "c"]))
    >>> row_of(table, 1)
    'b'
    """
    records = [_packed(*dump_by_value(row)) for row in rows]
    offsets = [8 * (len(records) + 1)]
    for record in records:
        offsets.append(offsets[-1] + len(record))
    return b"".join(_LENGTH.pack(offset) for offset in offsets) + b"".join(records)


def rows_in(file: IO[bytes]) -> int:
    """How many rows such a file has."""
    file.seek(0)
    return int(_LENGTH.unpack(file.read(8))[0]) // 8 - 1


def row_of(file: IO[bytes], index: int) -> object:
    """One row of such a file."""
    file.seek(8 * index)
    file.seek(_LENGTH.unpack(file.read(8))[0])
    return unpacked(file)


def read_records(file: IO[bytes]) -> Iterator[object]:
    """Record after record, up to the end or to where it is cut off."""
    while True:
        try:
            yield unpacked(file)
        except (EOFError, pickle.UnpicklingError, struct.error):
            return


class Results:
    """What a task leaves: one record for each item, in its order, each written at once; whole by a rename."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = os.open(f"{path}.part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def add(self, index: int, outcome: Outcome, value: object) -> None:
        """One more result. On an `OSError` nothing of it is in the file, so that it can be tried again."""
        data = memoryview(_packed(*dump((index, outcome, value))))
        began = os.lseek(self._file, 0, os.SEEK_CUR)
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            os.ftruncate(self._file, began)
            os.lseek(self._file, began, os.SEEK_SET)
            raise

    def close(self) -> None:
        """All results are there."""
        os.close(self._file)
        os.rename(f"{self._path}.part", f"{self._path}.done")


def results_in(content: bytes) -> list[tuple[int, Outcome, Any]]:
    """The results in such a file, also in one that was not finished."""
    import io

    return [record for record in read_records(io.BytesIO(content)) if isinstance(record, tuple)]
