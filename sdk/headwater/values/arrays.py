"""What the rooms around need to know of numpy, pandas and pyarrow, without importing any of them too early.

A value can only be an array when its library is imported already, so every test here looks at `sys.modules`
first.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

# numpy, pandas and pyarrow are optional: their types are Any here on purpose.
Array = Any
Buffer = bytes | bytearray | memoryview

_PLAIN_KINDS = frozenset("biufcSUmMV")
_CHUNK = 1 << 20


def is_array(value: object) -> bool:
    """Whether it is exactly a numpy array; an array mapped from a file counts as the array that it shows.

    >>> is_array([1, 2])
    False
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return False
    kind = type(value)
    return kind is numpy.ndarray or kind is numpy.memmap


def is_table(value: object) -> bool:
    """Whether it is a `pyarrow.Table`.

    >>> is_table({})
    False
    """
    pyarrow = sys.modules.get("pyarrow")
    return pyarrow is not None and type(value) is pyarrow.Table


def is_plain_dtype(dtype: Any) -> bool:
    """Whether arrays of this dtype are just their bytes: no objects and no references inside."""
    return dtype.kind in _PLAIN_KINDS and not dtype.hasobject and dtype.itemsize > 0


def survives_npy(dtype: Any) -> bool:
    """Whether the npy format gives this very dtype back (it loses alignment, metadata and foreign types)."""
    if not is_plain_dtype(dtype) or dtype.metadata is not None or dtype.isalignedstruct:
        return False
    from numpy.lib import format as npy

    try:
        described = npy.dtype_to_descr(dtype)
        restored = npy.descr_to_dtype(described)
    except (TypeError, ValueError):
        return False
    if not repr(described).isascii():  # field names that only the third version of the format can hold
        return False
    return bool(restored == dtype and restored.type is dtype.type and restored.metadata is None)


def is_fortran(array: Array) -> bool:
    """Whether the array lies in memory column by column (and not also row by row)."""
    flags = array.flags
    return bool(flags.f_contiguous and not flags.c_contiguous)


def raw_bytes(array: Array) -> memoryview | None:
    """The memory of a contiguous array of a plain dtype, with no copy; None where it is scattered."""
    import numpy

    flags = array.flags
    if not (flags.c_contiguous or flags.f_contiguous):
        return None
    if array.size == 0:
        return memoryview(b"")
    flat = numpy.asarray(array).reshape(-1, order="A")
    return memoryview(flat.view(numpy.uint8).data)


def chunks(array: Array) -> Iterator[Buffer]:
    """The bytes of an array of a plain dtype: its memory at once, or row by row in pieces where it is
    scattered.
    """
    memory = raw_bytes(array)
    if memory is not None:
        yield memory
        return
    import numpy

    pieces: Any = numpy.nditer(
        numpy.asarray(array),
        flags=["external_loop", "buffered", "zerosize_ok"],
        buffersize=max(_CHUNK // array.itemsize, 1),
        order="C",
    )
    for piece in pieces:
        yield piece.tobytes("C")


def npy_header(array: Array) -> bytes:
    """The header of the npy file of this array; its bytes follow, in Fortran order where `is_fortran`."""
    import io

    from numpy.lib import format as npy

    file = io.BytesIO()
    # A scattered array is written row by row, whatever its strides say.
    described = {
        "descr": npy.dtype_to_descr(array.dtype),
        "fortran_order": is_fortran(array),
        "shape": array.shape,
    }
    try:
        npy.write_array_header_1_0(file, described)
    except ValueError:
        npy.write_array_header_2_0(file, described)
    return file.getvalue()


def read_npy(buffer: Any) -> Array:
    """The array of an npy file, as a view of `buffer` (writable where the buffer is).

    Raises `ValueError` for anything that is not the whole of one npy file.
    """
    import io

    import numpy
    from numpy.lib import format as npy

    view = memoryview(buffer)
    file = io.BytesIO(bytes(view[: 64 * 1024]))
    version = npy.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = npy.read_array_header_1_0(file, max_header_size=64 * 1024)
    elif version == (2, 0):
        shape, fortran, dtype = npy.read_array_header_2_0(file, max_header_size=64 * 1024)
    else:
        raise ValueError(f"npy version {version}")
    if dtype.hasobject:
        raise ValueError("an npy file of objects")
    due = file.tell() + math.prod(shape) * dtype.itemsize
    if view.nbytes != due:
        raise ValueError(f"{view.nbytes} bytes where {due} are due")
    order: Any = "F" if fortran else "C"
    if 0 in shape:
        return numpy.empty(shape, dtype, order)
    return numpy.ndarray(shape, dtype, buffer=view, offset=file.tell(), order=order)


class Gather:
    """A file to write to that keeps the buffers it is given, with no copy of its own."""

    closed = False

    def __init__(self) -> None:
        self.buffers: list[Buffer] = []

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self.buffers.append(view)
        return view.nbytes

    def flush(self) -> None:
        return None

    def close(self) -> None:
        return None


def table_buffers(table: Any) -> list[Buffer]:
    """A `pyarrow.Table` as the buffers of one Arrow IPC stream."""
    import pyarrow

    sink = Gather()
    with pyarrow.PythonFile(sink, mode="w") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    return sink.buffers


def read_table(buffer: Any) -> Any:
    """The table of an Arrow IPC stream, as views of `buffer`."""
    import pyarrow

    with pyarrow.ipc.open_stream(pyarrow.py_buffer(buffer)) as stream:
        return stream.read_all()
