"""The cache of nodes' outputs: keyed by contents and code, computed once however many ask at a time.

An entry is one file, written whole: a first line with the digest of the rest, then JSON with the outputs and
with what the key was made of, so that `explain` can say why a node missed. Large outputs are artifacts beside
the entries. A cache that cannot be written to never fails a run: it warns once and the node runs.
"""

from __future__ import annotations

import binascii
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from headwater.errors import StoreError
from headwater.values import codec, locks
from headwater.values.code import code_parts, code_parts_of_types
from headwater.values.digest import digest, digest_and_types
from headwater.values.files import write_atomically
from headwater.values.store import ArtifactStore

if TYPE_CHECKING:
    from headwater.values.explain import Explanation

logger = logging.getLogger("headwater.cache")

Mode = Literal["code", "inputs"]

_MAGIC = b"headwater-cache-1 "
_SUFFIX = ".json"
# Smaller pickles lie in the entry itself.
_INSIDE = 16 << 10


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What one call is known by. `parts` says what of: each input, parameter and piece of code with its
    digest.
    """

    digest: str
    node: str
    mode: str
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the cache; `created` is seconds since the epoch, `size` bytes with its artifacts."""

    digest: str
    node: str
    mode: str
    created: float
    size: int
    run: str
    parts: Mapping[str, str]
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """The outputs are known; nothing needs to run."""

    outputs: dict[str, object]
    entry: Entry


class Claim:
    """The right and duty to compute the outputs of one key; others who ask for it wait until `release`.

    A context manager: what was not stored at its end (a failure) leaves nothing behind and the next one
    computes.
    """

    def __init__(self, cache: Cache, key: CacheKey, lock: locks.Lock | None) -> None:
        self.key = key
        self._cache = cache
        self._lock = lock

    def store(self, outputs: Mapping[str, object], *, run: str = "") -> bool:
        """Keep the outputs and release. False when they could not be kept (a warning says why) or hold a
        failure.
        """
        try:
            return self._cache.write(self.key, outputs, run=run)
        finally:
            self.release()

    def release(self) -> None:
        """Let others compute; nothing happens the second time."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Cache:
    """A folder of cached outputs, safe for any number of threads and processes at once.

    A place of an object store (an fsspec URL) does as well, but for this: nothing can be locked there, so equal
    calls at the same time all compute, and `ls` and `clear` are for folders.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> cache = Cache(folder.name)
    >>> key = cache.key("double", {"x": 2}, {}, [], "inputs")
    >>> with cache.claim(key) as claim:
    ...     claim.store({"result": 4})
    True
    >>> cache.claim(key).outputs
    {'result': 4}
    >>> folder.cleanup()
    """

    def __init__(self, directory: str | os.PathLike[str], *, clock: Callable[[], float] = time.time) -> None:
        self._files = ArtifactStore(directory)
        self.directory = Path(self._files.url)
        self.store = ArtifactStore(os.path.join(self._files.url, "artifacts"))
        self._clock = clock
        self._warned: set[str] = set()

    # ------------------------------------------------------------ keys

    def key(
        self,
        node: str,
        inputs: Mapping[str, object],
        parameters: Mapping[str, object],
        code: Iterable[object] | Mapping[str, str],
        mode: Mode = "code",
    ) -> CacheKey:
        """The key of one call: node, contents of the inputs, parameters and, unless `mode` is "inputs", the
        code.

        `code` is the functions and classes that the node runs, or their `code_parts` where those are at hand.
        The project's own classes of which instances are among the inputs count as code too. Raises
        `StoreError` for an input that cannot be taken apart.
        """
        parts: dict[str, str] = {}
        seen: set[type] = set()
        for name, value in inputs.items():
            parts[f"input {name}"], types = digest_and_types(value)
            seen |= types
        for name, value in parameters.items():
            parts[f"parameter {name}"] = digest(value)
        if mode == "code":
            pieces = dict(code) if isinstance(code, Mapping) else _code_of(code)
            if seen:
                pieces |= code_parts_of_types(seen)
            parts.update((f"code {name}", found) for name, found in pieces.items())
        lines = [f"{name}={parts[name]}" for name in sorted(parts)]
        text = "\n".join((f"{mode} {node}", *lines))
        return CacheKey(sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), node, mode, parts)

    # ------------------------------------------------------------ asking

    def claim(self, key: CacheKey, *, overwrite: bool = False) -> Hit | Claim:
        """The known outputs, or the claim to compute them; waits while another thread or process computes
        them.

        `overwrite` computes anew whatever is known. Must not be called where waiting would keep a claim of
        the same program from being released (an event loop): `try_claim` is for that.
        """
        found = self._claim(key, overwrite, wait=True)
        assert found is not None  # only who does not wait is told to come back
        return found

    def try_claim(self, key: CacheKey, *, overwrite: bool = False) -> Hit | Claim | None:
        """As `claim`, without waiting: None while another computes it."""
        return self._claim(key, overwrite, wait=False)

    def peek(self, key: CacheKey) -> Entry | None:
        """The entry that a claim would hit, without reading its outputs."""
        loaded = self._load(key.digest)
        return loaded and loaded[0]

    def _claim(self, key: CacheKey, overwrite: bool, *, wait: bool) -> Hit | Claim | None:
        if not overwrite:
            hit = self.read(key)
            if hit is not None:
                return hit
        if not self._files.is_local:
            return Claim(self, key, None)
        path = self.directory / "locks" / key.digest
        if wait and locks.is_mine(path):
            return Claim(self, key, None)
        try:
            lock = locks.acquire(path, wait=wait)
        except OSError as error:
            self._warn("cannot be written to", error)
            return Claim(self, key, None)
        if lock is None:
            return None
        claim = Claim(self, key, lock)
        if not overwrite:
            try:
                hit = self.read(key)  # computed by another while we waited
            except BaseException:
                claim.release()
                raise
            if hit is not None:
                claim.release()
                return hit
        return claim

    def read(self, key: CacheKey) -> Hit | None:
        loaded = self._load(key.digest)
        if loaded is None:
            return None
        entry, encoded = loaded
        try:
            outputs = {name: self._decode(value) for name, value in encoded.items()}
        except Exception as error:  # unpickling raises anything; whatever it is, the node can run
            logger.warning("The cached outputs of %s cannot be read; it runs again: %s", key.node, error)
            self._drop_artifacts(entry)
            return None
        return Hit(outputs, entry)

    # ------------------------------------------------------------ entries

    def write(self, key: CacheKey, outputs: Mapping[str, object], *, run: str = "") -> bool:
        """Write an entry over whatever is there. False when it was not possible, or not right (a failure
        inside).
        """
        if any(holds_failure(value) for value in outputs.values()):
            return False
        try:
            encoded = {name: self._encode(value) for name, value in outputs.items()}
            content = {
                "node": key.node,
                "mode": key.mode,
                "run": run,
                "created": self._clock(),
                "parts": dict(key.parts),
                "outputs": encoded,
            }
            body = json.dumps(content, separators=(",", ":")).encode()
            self._put(key.digest, [_MAGIC, sha256(body).hexdigest().encode(), b"\n", body])
        except (OSError, StoreError) as error:
            self._warn(f"keeps no outputs of {key.node}", error)
            return False
        return True

    def ls(self, node: str = "") -> list[Entry]:
        """All entries (of one node), the newest first. Files that are no entries are left out."""
        found = [loaded[0] for digest in self._digests() if (loaded := self._load(digest, quiet=True))]
        wanted = [entry for entry in found if not node or entry.node == node]
        return sorted(wanted, key=lambda entry: (-entry.created, entry.digest))

    def clear(self, node: str = "") -> int:
        """Delete all entries (of one node), with their artifacts; how many there were."""
        try:
            if not node:
                count = len(self._digests())
                for name in ("entries", "artifacts"):
                    _remove_tree(self.directory / name)
                return count
            entries = self.ls()
            doomed = [entry for entry in entries if entry.node == node]
            kept = {reference for entry in entries if entry.node != node for reference in entry.references}
            for entry in doomed:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path(entry.digest))
                for reference in entry.references:
                    if reference not in kept:
                        self.store.delete(reference)
            return len(doomed)
        except OSError as error:
            raise StoreError(
                f"the cache {self.directory} cannot be cleared: {error.strerror or error}",
                fix="Make the folder writable, or delete it by hand.",
            ) from error

    def explain(self, wanted: CacheKey | str) -> Explanation:
        """Why a key misses: what differs from the nearest entry of its node.

        With a node's name, its newest entry is compared with those before it: why it last ran.
        """
        from headwater.values.explain import Explanation, compare

        if isinstance(wanted, str):
            entries = self.ls(wanted)
            if not entries:
                return Explanation(wanted, "miss", None, ())
            newest = entries[0]
            return compare(newest.node, newest.mode, newest.parts, entries[1:])
        if self.peek(wanted) is not None:
            return Explanation(wanted.node, "hit", self.peek(wanted), ())
        return compare(wanted.node, wanted.mode, wanted.parts, self.ls(wanted.node))

    # ------------------------------------------------------------

    def _path(self, digest: str) -> Path:
        return self.directory / _place(digest)

    def _put(self, digest: str, pieces: list[bytes]) -> None:
        path = self._path(digest)
        if not self._files.is_local:
            self._files.write_file(_place(digest), pieces)
            return
        if path.is_dir():
            _remove_tree(path)
        write_atomically(path, pieces)

    def _digests(self) -> list[str]:
        found = (self.directory / "entries").glob(f"??/*{_SUFFIX}")
        return [path.parent.name + path.name.removesuffix(_SUFFIX) for path in found if path.name[0] != "."]

    def _load(self, digest: str, *, quiet: bool = False) -> tuple[Entry, dict[str, Any]] | None:
        path = os.path.join(self._files.url, _place(digest))
        try:
            raw = self._files.read_file(_place(digest))
        except StoreError as error:
            if not quiet:
                logger.warning("Cache entry %s cannot be read; the node runs again: %s", path, error)
            return None
        if raw is None:
            return None
        try:
            head, _, body = raw.partition(b"\n")
            if head != _MAGIC + sha256(body).hexdigest().encode():
                raise ValueError("its content is not what was written")
            return _parse(digest, len(raw), json.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if not quiet:
                logger.warning("Cache entry %s is corrupt; the node runs again: %s", path, error)
            return None

    def _encode(self, value: object) -> dict[str, Any]:
        if codec.is_inline_json(value):
            return {"json": value}
        form, buffers = codec.pack(value)
        size = sum(memoryview(buffer).nbytes for buffer in buffers)
        if size <= _INSIDE:
            return {"inside": binascii.b2a_base64(b"".join(buffers), newline=False).decode(), "format": form}
        return {"ref": self.store.put(buffers), "format": form, "size": size}

    def _decode(self, encoded: Mapping[str, Any]) -> object:
        if "inside" in encoded:
            return codec.unpack(encoded["format"], bytearray(binascii.a2b_base64(encoded["inside"])))
        return codec.decode(encoded, self.store)

    def _drop_artifacts(self, entry: Entry) -> None:
        # They are written again by whoever runs the node now: a corrupt one must not be taken for the new
        # one.
        for reference in entry.references:
            with contextlib.suppress(StoreError):
                self.store.delete(reference)

    def _warn(self, what: str, error: Exception) -> None:
        reason = str(error)
        if reason not in self._warned:
            self._warned.add(reason)
            logger.warning("The cache %s %s: %s", self._files.url, what, reason)


def _place(digest: str) -> str:
    """Where the entry of a key lies below the cache."""
    return f"entries/{digest[:2]}/{digest[2:]}{_SUFFIX}"


def holds_failure(value: object) -> bool:
    """Whether an exception stands in the place of a result, as in the outputs of a map that tolerates
    failures.

    >>> holds_failure([1, [ValueError("no")]]), holds_failure([1, 2])
    (True, False)
    """
    if isinstance(value, BaseException):
        return True
    kind = type(value)
    if kind is not list and kind is not tuple and kind is not dict:
        return False
    inside: Iterable[object] = value.values() if isinstance(value, dict) else value  # type: ignore[assignment]
    kinds = set(map(type, inside))
    if any(issubclass(kind, BaseException) for kind in kinds):
        return True
    if kinds.isdisjoint((list, tuple, dict)):
        return False
    return any(holds_failure(item) for item in inside)


def _remove_tree(folder: Path) -> None:
    import shutil

    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _code_of(objects: Iterable[object]) -> dict[str, str]:
    pieces: dict[str, str] = {}
    for obj in objects:
        pieces |= code_parts(obj)
    return pieces


def _parse(digest: str, size: int, content: dict[str, Any]) -> tuple[Entry, dict[str, Any]]:
    outputs = content["outputs"]
    stored = {value["ref"]: value["size"] for value in outputs.values() if "ref" in value}
    entry = Entry(
        digest=digest,
        node=content["node"],
        mode=content["mode"],
        created=float(content["created"]),
        size=size + sum(stored.values()),
        run=content["run"],
        parts=content["parts"],
        references=tuple(stored),
    )
    return entry, outputs
