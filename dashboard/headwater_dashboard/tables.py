"""The first rows of a table, read by a process of its own.

A file of some KB may say that it holds gigabytes, and the readers of these formats believe it: here they get so much
memory and time and no more, and the dashboard goes on. `previews.py` starts it: the file is its standard input.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from headwater_dashboard.previews import COLUMNS, ROWS, Preview, cell

MEMORY = 256 * 1024 * 1024
"""What reading may take, beside the readers themselves."""

CPU_SECONDS = 10


def main() -> None:
    """Print the preview of standard input, of the format that the first argument names, as JSON."""
    try:
        found = first_rows(sys.argv[1], sys.stdin.buffer)
    except ImportError as error:
        found = Preview("none", f"to show it, the dashboard needs the package {error.name!r}")
    except MemoryError:
        found = Preview("none", f"it takes more than the {MEMORY // 1024**2} MB that a preview may")
    except Exception as error:  # of damaged bytes, the readers of formats raise anything
        said = "it takes more memory than a preview may" if "out of memory" in str(error) else cell(error)
        found = Preview("none", f"it cannot be read as {sys.argv[1]}: {said}")
    print(json.dumps(asdict(found)))


def first_rows(form: str, file: IO[bytes]) -> Preview:
    """The first rows of a table in the format `arrow`, `arrow file` or `parquet`."""
    import pyarrow
    from pyarrow import parquet

    _limit()
    file.seek(0)
    if form == "arrow":
        with pyarrow.ipc.open_stream(file) as stream:
            return _table(stream.schema.names, stream)
    if form == "arrow file":
        with pyarrow.ipc.open_file(file) as opened:
            batches = (opened.get_batch(at) for at in range(opened.num_record_batches))
            return _table(opened.schema.names, batches)
    found = parquet.ParquetFile(file, pre_buffer=False)
    names = found.schema_arrow.names
    rows = found.iter_batches(batch_size=ROWS, columns=names[:COLUMNS], use_threads=False)
    return _table(names, rows, total=found.metadata.num_rows)


def _limit() -> None:
    """From here on. Where the kernel does not tell how much there is already, the time alone is limited."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    used = Path("/proc/self/statm")
    if used.exists():
        most = int(used.read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _table(names: Sequence[str], batches: Iterable[Any], total: int | None = None) -> Preview:
    rows: list[tuple[str, ...]] = []
    for batch in batches:
        columns = [column.slice(0, ROWS - len(rows)).to_pylist() for column in batch.columns[:COLUMNS]]
        rows += [tuple(cell(value) for value in row) for row in zip(*columns, strict=True)]
        if len(rows) >= ROWS:
            break
    parts = [f"the first {ROWS} rows" + (f" of {total:,}" if total else "")] if len(rows) >= ROWS else []
    parts += [f"{COLUMNS} of {len(names)} columns"] if len(names) > COLUMNS else []
    return Preview("table", ", ".join(parts), columns=tuple(map(cell, names[:COLUMNS])), rows=tuple(rows))
