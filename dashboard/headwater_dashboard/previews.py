"""What an artifact looks like, from its bytes alone: nothing is ever unpickled, and no more read than is shown."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

TEXT_BYTES = 64 * 1024
JSON_BYTES = 1024 * 1024
IMAGE_BYTES = 10 * 1024 * 1024
READ_BYTES = 64 * 1024 * 1024
ROWS = 100
COLUMNS = 50
CELL = 200

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
            return _arrow(file, size)
        if form == "npy":
            return _npy(file, size)
        if form == "bytes":
            return _bytes(file, size)
    except ImportError as error:
        return Preview("none", f"to show it, the dashboard needs the package {error.name!r}")
    except Exception as error:  # of damaged bytes, the readers of formats raise anything
        return Preview("none", f"it cannot be read as {form}: {str(error)[:CELL]}")
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
        return _parquet(file, size) if head.startswith(b"PAR1") else _arrow_file(file, size)
    try:
        text = head.decode() if len(head) == size else head[:-4].decode() + head[-4:].decode(errors="ignore")
    except UnicodeDecodeError:
        return Preview("none", "bytes that are no text and no image")
    if "\x00" in text:
        return Preview("none", "bytes that are no text and no image")
    note = "" if size <= TEXT_BYTES else f"the first {TEXT_BYTES // 1024} KB of {size:,} bytes"
    return Preview("text", note, text=text)


# ---------------------------------------------------------------- tables


def _readable(size: int) -> None:
    if size > READ_BYTES:
        raise ValueError(f"{size:,} bytes are more than is read for a preview ({READ_BYTES:,})")


def _arrow(file: IO[bytes], size: int) -> Preview:
    import pyarrow

    _readable(size)
    with pyarrow.ipc.open_stream(file) as stream:
        return _first_rows(stream.schema.names, stream)


def _arrow_file(file: IO[bytes], size: int) -> Preview:
    import pyarrow

    _readable(size)
    file.seek(0)
    with pyarrow.ipc.open_file(file) as opened:
        batches = (opened.get_batch(at) for at in range(opened.num_record_batches))
        return _first_rows(opened.schema.names, batches)


def _parquet(file: IO[bytes], size: int) -> Preview:
    from pyarrow import parquet

    _readable(size)
    file.seek(0)
    opened = parquet.ParquetFile(file)
    names = opened.schema_arrow.names
    batches = opened.iter_batches(batch_size=ROWS, columns=names[:COLUMNS])
    return _first_rows(names, batches, total=opened.metadata.num_rows)


def _first_rows(names: Sequence[str], batches: Iterable[Any], total: int | None = None) -> Preview:
    rows: list[tuple[str, ...]] = []
    for batch in batches:
        columns = [column.slice(0, ROWS - len(rows)).to_pylist() for column in batch.columns[:COLUMNS]]
        rows += [tuple(_cell(value) for value in row) for row in zip(*columns, strict=True)]
        if len(rows) >= ROWS:
            break
    parts = [f"the first {ROWS} rows" + (f" of {total:,}" if total else "")] if len(rows) >= ROWS else []
    parts += [f"{COLUMNS} of {len(names)} columns"] if len(names) > COLUMNS else []
    return Preview("table", ", ".join(parts), columns=tuple(map(str, names[:COLUMNS])), rows=tuple(rows))


def _npy(file: IO[bytes], size: int) -> Preview:
    import numpy
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file, max_header_size=TEXT_BYTES)
    what = f"array of shape {shape}, {dtype}"
    if dtype.hasobject:
        return Preview("none", f"{what}: of Python objects, which are not opened here")
    due = math.prod(shape) * dtype.itemsize
    if due != size - file.tell():  # also: what a forged header claims is never allocated
        raise ValueError(f"{size - file.tell()} bytes where {due} are due")
    if len(shape) > 2 or fortran or 0 in shape:
        return Preview("none", what)
    width = math.prod(shape[1:])
    height = shape[0] if shape else 1
    many = min(ROWS, height)
    part = numpy.frombuffer(file.read(many * width * dtype.itemsize), dtype).reshape(many, width)[:, :COLUMNS]
    rows = tuple(tuple(_cell(value) for value in row) for row in part.tolist())
    columns = tuple(map(str, range(part.shape[1]))) if dtype.names is None else ("value",)
    return Preview("table", what, columns=columns, rows=rows)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= CELL else f"{text[:CELL]}…"
