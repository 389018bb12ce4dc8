"""The project's own code as one zip file with a content address, for pods to import from."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import pickletools
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.backends.kubernetes.errors import BundleError
from headwater.backends.kubernetes.modules import needed_files, own_module
from headwater.configuration import config, masked, plain

CONFIG_MAP_LIMIT = 700 * 1024
FILE_LIMIT = 64 << 20
LIMIT = 256 << 20
CONFIG_FILE = "config.json"
_STAYS_HERE = frozenset(
    {"backend", "kubernetes", "databases", "logging", "parameters", "image", "store", "workflow_cache_dir"}
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A deterministic zip: the same files give the same bytes. `sizes` are those of the files in it."""

    data: bytes
    sizes: Mapping[str, int]

    @property
    def digest(self) -> str:
        """Its content address."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    @property
    def config_map(self) -> str:
        """The name of the ConfigMap that holds it."""
        return f"code-{hashlib.sha256(self.data).hexdigest()[:12]}"

    @property
    def fits_config_map(self) -> bool:
        """Whether it is small enough for one."""
        return len(self.data) <= CONFIG_MAP_LIMIT

    def biggest(self, count: int = 5) -> str:
        """Its biggest files, for people.

        >>> pack({"a.py": b"x" * 2000, "b.py": b"y"}).biggest()
        'a.py (2.0 KiB), b.py (0.0 KiB)'
        """
        ordered = sorted(self.sizes.items(), key=lambda each: (-each[1], each[0]))[:count]
        return ", ".join(f"{name} ({size / 1024:,.1f} KiB)" for name, size in ordered)


def bundle_for(spec: Mapping[str, Any]) -> Bundle | None:
    """The bundle of what a spec refers to; None where it needs nothing of this project.

    Raises:
        BundleError: a file is missing, or all of it is far too large.
    """
    files = needed_files(sorted(modules_of(spec)))
    said = carried_config()
    if not files and not (said and (spec.get("code") or {}).get("inline")):
        return None
    content: dict[str, bytes] = {CONFIG_FILE: _as_bytes(said)} if said else {}
    total = 0
    for place, path in files.items():
        content[place] = _read(path)
        total += len(content[place])
        if total > LIMIT:
            raise BundleError(
                f"the project's files are more than {LIMIT >> 20} MiB: {pack(content).biggest()}",
                fix="Keep data out of packages: name it in .headwaterignore, and read it from a store.",
            )
    return pack(content)


def carried_config() -> dict[str, Any]:
    """What tasks may look up in the config: without secrets, and without what only matters on this machine.

    >>> with config.override({"survey": {"name": "deep", "token": "abcd"}, "backend": "kubernetes"}):
    ...     carried_config()["survey"]
    {'name': 'deep'}
    """
    values = {key: value for key, value in plain(config).items() if key not in _STAYS_HERE}
    return {key: value for key, value in _without_masked(values, masked(values)).items() if value != {}}


def _without_masked(values: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_masked(value, shown[key]) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if isinstance(shown[key], Mapping) or value == shown[key]
    }


def _as_bytes(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, indent=1, sort_keys=True, default=str).encode()


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise BundleError(
                f"{path} has {path.stat().st_size >> 20} MiB; a file of a bundle has {FILE_LIMIT >> 20} at most",
                fix="Name it in .headwaterignore, and read it from a store.",
            )
        return path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read: {error.strerror}", fix="Name it in .headwaterignore."
        ) from error


def pack(content: Mapping[str, bytes]) -> Bundle:
    """Zip files, always in the same way.

    >>> pack({"b.py": b"2", "a.py": b"1"}) == pack({"a.py": b"1", "b.py": b"2"})
    True
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for place in sorted(content):
            entry = zipfile.ZipInfo(place, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content[place])
    return Bundle(file.getvalue(), {place: len(data) for place, data in sorted(content.items())})


def modules_of(spec: Mapping[str, Any]) -> set[str]:
    """The project's modules that a spec names: in references to tasks, and inside of pickled objects."""
    refs = {text for key, text in _texts(spec) if key == "task"}
    found = {ref.partition(":")[0] for ref in refs if not ref.startswith("inline:")}
    inline = ((spec.get("code") or {}).get("inline") or {}).values()
    for data in [*inline, *(text for key, text in _texts(spec) if key == "pickle")]:
        found |= _modules_in(base64.b64decode(data))
    return {name for name in found if own_module(name) is not None}


def _texts(written: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(written, Mapping):
        for name, part in written.items():
            yield from _texts(part, str(name))
    elif isinstance(written, list):
        for part in written:
            yield from _texts(part, key)
    elif isinstance(written, str):
        yield key, written


def _modules_in(data: bytes) -> set[str]:
    """Modules that a pickle may import. Texts that only look like one do no harm."""
    found: set[str] = set()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL":
                found.add(str(argument).partition(" ")[0])
            elif isinstance(argument, str) and argument in sys.modules:
                found.add(argument)
    except ValueError:
        return found
    return found - {"__main__"}
