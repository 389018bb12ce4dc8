"""What an artifact looks like, from its bytes alone: nothing is ever unpickled, and no more read than is shown."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import IO, Any

from headwater_dashboard.problems import RequestError

TEXT_BYTES = 64 * 1024
JSON_BYTES = 1024 * 1024
IMAGE_BYTES = 10 * 1024 * 1024
READ_BYTES = 64 * 1024 * 1024
ROWS = 100
COLUMNS = 50
CELL = 200
TABLE_SECONDS = 20

_TABLES = Lock()
"""One table is read at a time: each may take as much memory as the rest of the dashboard."""

_TABLE = "from headwater_dashboard.tables import main; main()"
_ONE_THREAD = {
    "ARROW_DEFAULT_MEMORY_POOL": "system", "ARROW_IO_THREADS": "1", "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}  # fmt: skip

_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF87a": "image/gif", b"GIF89a": "image/gif",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preview:
    """What to show: of `kind` image, table, json, text or none; `note` says what is left out, or why it is none."""

    kind: str
    note: str = ""
    text: str = ""
    value: Any = None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = field(default=())


def media_type(head: bytes) -> str:
    """The type of an image that browsers show safely, by its first bytes; "" of anything else.

    >>> media_type(b"\\x89PNG\\r\\n\\x1a\\n..."), media_type(b"<svg onload=...>")
    ('image/png', '')
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((found for magic, found in _IMAGES.items() if head.startswith(magic)), "")


def preview(file: IO[bytes], form: str, size: int) -> Preview:
    """What an artifact of a format of `headwater.values.codec` looks like.

    >>> import io
    >>> preview(io.BytesIO(b'{"a": 1}'), "json", 8).value
    {'a': 1}
    """
    try:
        if form == "json":
            return _json(file, size)
        if form == "arrow":
            return _table("arrow", file, size)
        if form == "npy":
            return _npy(file, size)
        if form == "bytes":
            return _bytes(file, size)
    except ImportError as error:
        return Preview("none", f"to show it, the dashboard needs the package {error.name!r}")
    except RequestError:
        raise
    except Exception as error:  # of damaged bytes, the readers of formats raise anything
        return Preview("none", f"it cannot be read as {form}: {cell(error)}")
    if form == "pickle":
        return Preview("none", "a pickle: to open it is to run what is in it, which this page does not do")
    return Preview("none", f"of a format that is not known here: {form[:50]!r}")


def _json(file: IO[bytes], size: int) -> Preview:
    if size > JSON_BYTES:
        text = file.read(TEXT_BYTES).decode("utf-8", "replace")
        return Preview("text", f"the first {TEXT_BYTES // 1024} KB of {size:,} bytes of JSON", text=text)
    return Preview("json", value=json.loads(file.read(JSON_BYTES + 1)))


def _bytes(file: IO[bytes], size: int) -> Preview:
    head = file.read(TEXT_BYTES)
    kind = media_type(head)
    if kind and size <= IMAGE_BYTES:
        return Preview("image", kind)
    if kind:
        return Preview("none", f"an image of {size:,} bytes: more than is shown")
    if head.startswith((b"PAR1", b"ARROW1")):
        return _table("parquet" if head.startswith(b"PAR1") else "arrow file", file, size)
    try:
        text = head.decode() if len(head) == size else head[:-4].decode() + head[-4:].decode(errors="ignore")
    except UnicodeDecodeError:
        return Preview("none", "bytes that are no text and no image")
    if "\x00" in text:
        return Preview("none", "bytes that are no text and no image")
    note = "" if size <= TEXT_BYTES else f"the first {TEXT_BYTES // 1024} KB of {size:,} bytes"
    return Preview("text", note, text=text)


# ---------------------------------------------------------------- tables


def _table(form: str, file: IO[bytes], size: int) -> Preview:
    """What `tables.py` finds, in a process that may take so much memory and time and no more."""
    if size > READ_BYTES:
        raise ValueError(f"{size:,} bytes are more than is read for a preview ({READ_BYTES:,})")
    if not _TABLES.acquire(timeout=TABLE_SECONDS):
        raise RequestError(503, "too many previews are being made", fix="Try again in a moment.")
    try:
        with _with_descriptor(file) as given:
            done = subprocess.run(
                [sys.executable, "-P", "-c", _TABLE, form], stdin=given, capture_output=True, check=False,
                timeout=TABLE_SECONDS, env={**os.environ, **_ONE_THREAD},
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Preview("none", f"it takes longer than the {TABLE_SECONDS} s that a preview may")
    finally:
        _TABLES.release()
    if done.returncode != 0:
        return Preview("none", "it takes more memory or time than a preview may")
    found = json.loads(done.stdout)
    rows = tuple(tuple(row) for row in found.pop("rows"))
    return Preview(**{**found, "columns": tuple(found["columns"])}, rows=rows)


@contextmanager
def _with_descriptor(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """The file, or a copy of it: one that comes through the network has none that a process can be given."""
    try:
        file.fileno()
    except (AttributeError, OSError):
        with tempfile.TemporaryFile() as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy)
            copy.flush()
            yield copy
        return
    yield file


def _npy(file: IO[bytes], size: int) -> Preview:
    import numpy
    from numpy.lib import format as npy

    head = io.BytesIO(file.read(2 * TEXT_BYTES))  # and no more, whatever length the header claims
    version = npy.read_magic(head)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(head, max_header_size=TEXT_BYTES)
    begin = head.tell()
    what = f"array of shape {shape}, {dtype}"
    if dtype.hasobject:
        return Preview("none", f"{what}: of Python objects, which are not opened here")
    due = math.prod(shape) * dtype.itemsize
    if due != size - begin:  # also: what a forged header claims is never allocated
        raise ValueError(f"{size - begin} bytes where {due} are due")
    if len(shape) > 2 or fortran or 0 in shape or dtype.itemsize > TEXT_BYTES:
        return Preview("none", what)
    width = math.prod(shape[1:])
    shown = min(COLUMNS, width)
    rows = []
    for at in range(min(ROWS, shape[0] if shape else 1)):
        file.seek(begin + at * width * dtype.itemsize)
        part = numpy.frombuffer(file.read(shown * dtype.itemsize), dtype)
        rows.append(tuple(cell(value) for value in part.tolist()))
    columns = tuple(map(str, range(shown))) if dtype.names is None else ("value",)
    return Preview("table", what, columns=columns, rows=tuple(rows))


def cell(value: object) -> str:
    """A value as the cell of a table.

    >>> cell(1.5), cell(None), cell("\\ud800")
    ('1.5', '', '?')
    """
    text = "" if value is None else str(value)[: CELL + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= CELL else f"{text[:CELL]}…"
