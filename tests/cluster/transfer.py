"""Carry images from our Docker daemon into the node: only the layers that the node does not have yet.

`docker save` writes every layer of an image each time, half a gigabyte when a line of code has changed. This reads the
layers where the daemon's overlay2 driver keeps them, and writes an OCI layout that leaves out those known to be there.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class Blob:
    """A piece of an image, by the digest of its bytes."""

    digest: str
    size: int

    def descriptor(self, kind: str) -> dict[str, object]:
        return {"mediaType": kind, "digest": self.digest, "size": self.size}


class Layout:
    """An OCI layout under way: a tar of blobs, and an index of the images made from them."""

    def __init__(self, store: Path, file: IO[bytes], present: Mapping[str, Blob]) -> None:
        self._store = store
        self._file = file
        self._manifests: list[dict[str, object]] = []
        self._written: set[str] = set()
        self.layers = dict(present)  # the daemon's name for a layer -> what it is in the node

    def add(self, image: str, name: str) -> None:
        """Add the image with this id, to be called `name`."""
        described = self._store / "image/overlay2/imagedb/content/sha256" / image.removeprefix("sha256:")
        config = json.loads(described.read_text())
        layers = [self._layer(folder) for folder in self._folders(config["rootfs"]["diff_ids"])]
        kept = {key: config[key] for key in ("architecture", "os", "config", "created") if key in config}
        kept["rootfs"] = {"type": "layers", "diff_ids": [layer.digest for layer in layers]}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._json(kept).descriptor(CONFIG),
            "layers": [layer.descriptor(LAYER) for layer in layers],
        }
        annotations = {"io.containerd.image.name": name}
        self._manifests.append({**self._json(manifest).descriptor(MANIFEST), "annotations": annotations})

    def close(self) -> None:
        self._add("oci-layout", {"imageLayoutVersion": "1.0.0"})
        self._add("index.json", {"schemaVersion": 2, "manifests": self._manifests})
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))

    def _folders(self, differences: list[str]) -> list[Path]:
        """Where the daemon keeps each layer: its name is made from those of all layers below it."""
        folders, chain = [], ""
        for difference in differences:
            chain = (
                f"sha256:{hashlib.sha256(f'{chain} {difference}'.encode()).hexdigest()}"
                if chain
                else difference
            )
            entry = self._store / "image/overlay2/layerdb/sha256" / chain.removeprefix("sha256:")
            folders.append(self._store / "overlay2" / (entry / "cache-id").read_text() / "diff")
        return folders

    def _layer(self, folder: Path) -> Blob:
        name = folder.parent.name
        if name not in self.layers:
            self.layers[name] = self.put(lambda file: pack(folder, file))
        return self.layers[name]

    def _json(self, value: Mapping[str, Any]) -> Blob:
        content = json.dumps(value).encode()
        return self.put(lambda file: file.write(content))

    def put(self, write: Callable[[IO[bytes]], object]) -> Blob:
        """Add what `write` writes. Its name in the tar, which stands before it, is known only afterwards."""
        header = self._file.tell()
        self._file.seek(header + tarfile.BLOCKSIZE)
        write(self._file)
        end = self._file.seek(0, os.SEEK_END)
        blob = self._blob(header + tarfile.BLOCKSIZE, end)
        if blob.digest in self._written:
            self._file.truncate(header)
            self._file.seek(header)
            return blob
        self._written.add(blob.digest)
        entry = tarfile.TarInfo(f"blobs/{blob.digest.replace(':', '/')}")
        entry.size = blob.size
        self._file.write(bytes(-blob.size % tarfile.BLOCKSIZE))
        after = self._file.tell()
        self._file.seek(header)
        self._file.write(entry.tobuf(tarfile.GNU_FORMAT))
        self._file.seek(after)
        return blob

    def _blob(self, start: int, end: int) -> Blob:
        self._file.seek(start)
        sha, left = hashlib.sha256(), end - start
        while left:
            chunk = self._file.read(min(left, 1 << 20))
            sha.update(chunk)
            left -= len(chunk)
        return Blob(f"sha256:{sha.hexdigest()}", end - start)

    def _add(self, name: str, content: Mapping[str, object]) -> None:
        written = json.dumps(content).encode()
        entry = tarfile.TarInfo(name)
        entry.size = len(written)
        padding = bytes(-entry.size % tarfile.BLOCKSIZE)
        self._file.write(entry.tobuf(tarfile.GNU_FORMAT) + written + padding)


def pack(folder: Path, file: IO[bytes]) -> None:
    """Write a layer's folder as a tar, what it removes from the layers below as OCI spells it."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for parent, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted([*folders, *files]):
                path = Path(parent) / name
                inside = str(path.relative_to(folder))
                status = path.lstat()
                if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                    tar.addfile(tarfile.TarInfo(str(Path(inside).with_name(f".wh.{name}"))))
                    continue
                tar.add(path, inside, recursive=False)
                if stat.S_ISDIR(status.st_mode) and _opaque(path):
                    tar.addfile(tarfile.TarInfo(f"{inside}/.wh..wh..opq"))


def _opaque(folder: Path) -> bool:
    try:
        return os.getxattr(folder, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False
