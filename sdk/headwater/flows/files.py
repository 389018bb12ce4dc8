"""Files that flows hand to each other: written to any file system, described by a small record."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from headwater.configuration import config
from headwater.flows.errors import FlowDefinitionError

Record = dict[str, Any]


def save_file(
    value: Any, filename: str, file_type: str | None = None, filesystem_identifier: str = "local"
) -> Record:
    """Write a value to a file and return the record that stands for it: type, name, file system.

    `file_type` is one of text, yaml, json, hdf5, image, npy, parquet (by default from the name's suffix).
    `filesystem_identifier` is `local`, the name of an entry of the config's `filesystems` (such as `mounted`),
    or the beginning of an fsspec URL (`memory://`, `s3://bucket/path`).

    >>> record = save_file({"a": 1}, "example.json", filesystem_identifier="memory://doctest")
    >>> load_file(record)
    {'a': 1}
    """
    kind = file_type or _SUFFIXES.get(PurePosixPath(filename).suffix.lower())
    write = _handler(kind, filename)[0]
    try:
        content = write(value)
    except Exception as error:  # whatever the format's own library raises
        raise FlowDefinitionError(
            f"{filename!r}: a {type(value).__name__} cannot be written as {kind}: {error}",
            fix="Take another file_type.",
        ) from error
    url = _url(filename, filesystem_identifier)
    try:
        _write(url, content)
    except (OSError, ValueError, ImportError) as error:
        raise FlowDefinitionError(
            f"{url!r} cannot be written: {error}", fix="Check the file system."
        ) from error
    return {"filename": filename, "file_type": kind, "filesystem_identifier": filesystem_identifier}


def load_file(record: Mapping[str, Any]) -> Any:
    """The value of the file that a record of `save_file` describes.

    Raises:
        FlowError: it is no such record, or the file is not there or cannot be read.
    """
    if not isinstance(record, Mapping):
        raise FlowDefinitionError(
            f"a file record is a mapping; got {type(record).__name__}", fix="Return what save_file() gave."
        )
    missing = [key for key in ("filename", "file_type", "filesystem_identifier") if key not in record]
    if missing:
        raise FlowDefinitionError(
            f"a file record lacks {', '.join(missing)}", fix="Return what save_file() gave."
        )
    name, kind = str(record["filename"]), str(record["file_type"])
    read = _handler(kind, name)[1]
    url = _url(name, str(record["filesystem_identifier"]))
    try:
        content = _read(url)
    except (ValueError, ImportError) as error:
        raise FlowDefinitionError(
            f"{url!r} cannot be opened: {error}", fix="Check the file system."
        ) from error
    except OSError as error:
        raise FlowDefinitionError(
            f"there is no file {url!r}", fix="Is its file system the same here?"
        ) from error
    try:
        return read(content)
    except Exception as error:  # whatever the format's own library raises
        raise FlowDefinitionError(
            f"{url!r} cannot be read as {kind}: {error}", fix="Check its file_type."
        ) from error


# ---------------------------------------------------------------------- file systems


def _url(filename: str, filesystem: str) -> str:
    if filesystem == "local":
        return os.path.abspath(filename)
    if "://" in filesystem:
        return f"{filesystem.rstrip('/')}/{filename.lstrip('/')}"
    known = config.get("filesystems") or {}
    entry = known.get(filesystem)
    base = entry if isinstance(entry, str) else (entry or {}).get("path") or (entry or {}).get("url")
    if not base:
        listed = ", ".join(["local", *known])
        raise FlowDefinitionError(
            f"there is no file system {filesystem!r}",
            fix=f"Known: {listed}. Add `filesystems: {{{filesystem}: {{path: /mnt/…}}}}` to the config.",
        )
    return f"{str(base).rstrip('/')}/{filename.lstrip('/')}"


def _write(url: str, content: bytes) -> None:
    import fsspec

    filesystem, path = fsspec.core.url_to_fs(url)
    filesystem.makedirs(filesystem._parent(path), exist_ok=True)
    partial = f"{path}.part"
    with filesystem.open(partial, "wb") as file:
        file.write(content)
    filesystem.mv(partial, path)  # whoever looks sees the whole file or none


def _read(url: str) -> bytes:
    import fsspec

    with fsspec.open(url, "rb") as file:
        content: bytes = file.read()
        return content


# ---------------------------------------------------------------------- file types


def _write_text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError("only text")
    return value.encode()


def _write_yaml(value: Any) -> bytes:
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True)).encode()


def _read_yaml(content: bytes) -> Any:
    import yaml

    return yaml.safe_load(content)


def _write_npy(value: Any) -> bytes:
    import numpy as np

    out = io.BytesIO()
    np.save(out, value, allow_pickle=False)
    return out.getvalue()


def _read_npy(content: bytes) -> Any:
    import numpy as np

    return np.load(io.BytesIO(content), allow_pickle=False)


def _write_hdf5(value: Any) -> bytes:
    import h5py

    if not isinstance(value, Mapping):
        raise TypeError("a mapping of names to arrays is needed")
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        _fill_group(file, value)
    return out.getvalue()


def _fill_group(group: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _fill_group(group.create_group(name), value)
        else:
            group[name] = value


def _read_hdf5(content: bytes) -> Any:
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        return _group_values(file)


def _group_values(group: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in group.items():
        if hasattr(value, "items"):
            found[name] = _group_values(value)
        else:
            read = value[()]
            found[name] = read.decode() if isinstance(read, bytes) else read
    return found


def _write_image(value: Any) -> bytes:
    from PIL import Image

    picture = value if isinstance(value, Image.Image) else Image.fromarray(value)
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()


def _read_image(content: bytes) -> Any:
    from PIL import Image

    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


def _write_parquet(value: Any) -> bytes:
    out = io.BytesIO()
    value.to_parquet(out)
    return out.getvalue()


def _read_parquet(content: bytes) -> Any:
    import pandas

    return pandas.read_parquet(io.BytesIO(content))


Writer = Callable[[Any], bytes]
Reader = Callable[[bytes], Any]
_TYPES: dict[str, tuple[Writer, Reader]] = {
    "text": (_write_text, lambda content: content.decode()),
    "yaml": (_write_yaml, _read_yaml),
    "json": (lambda value: json.dumps(value, ensure_ascii=False).encode(), json.loads),
    "hdf5": (_write_hdf5, _read_hdf5),
    "image": (_write_image, _read_image),
    "npy": (_write_npy, _read_npy),
    "parquet": (_write_parquet, _read_parquet),
}
_SUFFIXES = {
    ".txt": "text", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".h5": "hdf5", ".hdf5": "hdf5",
    ".png": "image", ".jpg": "image", ".jpeg": "image", ".npy": "npy", ".parquet": "parquet",
}  # fmt: skip


def _handler(kind: str | None, filename: str) -> tuple[Writer, Reader]:
    if kind not in _TYPES:
        said = f"unknown file type {kind!r}" if kind else "the suffix says nothing about its type"
        raise FlowDefinitionError(f"{filename!r}: {said}", fix=f"File types: {', '.join(_TYPES)}.")
    return _TYPES[kind]
