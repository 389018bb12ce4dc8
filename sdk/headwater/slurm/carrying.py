"""Values between a store that only pods see (a claim) and one that only the nodes see: copied by the bridge.

By ssh what a unit refers to goes to `workdir/store` before it is submitted, and what its report refers to comes back
before it is reported. By slurmrestd, which carries no files, the job brings along what it reads; what comes back is
what a report holds. Artifacts have names by content, so nothing is copied twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from headwater.document.unit import ItemFiles, UnitReport, UnitSpec, items_file, unit_folder
from headwater.slurm.merging import shares
from headwater.slurm.shell import Files
from headwater.values.store import ArtifactStore


def must_carry(transport: str, store: str) -> bool:
    """Whether the nodes cannot see this store: it is a folder of pods, and Slurm is at the other end of a network.

    >>> must_carry("ssh", "/headwater/store"), must_carry("ssh", "s3://bucket/x"), must_carry("local", "/scratch/x")
    (True, False, False)
    """
    return transport != "local" and bool(store) and ("://" not in store or store.startswith("file://"))


def references(value: object) -> Iterator[str]:
    """The artifacts that an encoded value, or anything made of such values, refers to.

    >>> list(references({"x": {"list": [{"ref": "sha256:1"}, {"json": 3}]}}))
    ['sha256:1']
    """
    if isinstance(value, Mapping):
        found = value.get("ref")
        if isinstance(found, str) and found.startswith("sha256:"):
            yield found
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from references(part)


class Carrier:
    """Carries between the store at hand and the one below the cluster's work folder."""

    def __init__(self, store: str, files: Files, workdir: str) -> None:
        self._store = ArtifactStore(store)
        self._files = files
        self.there = f"{workdir}/store"

    def push(self, unit: UnitSpec) -> UnitSpec:
        """Copy what the unit refers to; the unit as the nodes are told."""
        told = [unit.inputs, unit.over, unit.value]
        for place in _item_files(told):
            content = self._store.read_file(place)
            if content is not None:
                self._files.put(f"{self.there}/{place}", content)
                told.append(json.loads(content))
        for reference in dict.fromkeys(references(told)):
            place = _place(reference)
            folder, _, name = place.rpartition("/")
            if name not in self._files.names(f"{self.there}/{folder}"):
                self._files.put(f"{self.there}/{place}", self._store.read(reference))
        return replace(unit, store=self.there)

    def pull(self, unit: UnitSpec, report: UnitReport) -> None:
        """Copy back what the unit has left in the store there: outputs, files of items, the journal of a block."""
        told: list[object] = [report.outputs, report.results]
        places = []
        if unit.does == "items":
            firsts = (next(iter(share), 0) for share in shares(unit.items, unit.per_pod))
            places = [items_file(unit.run, unit.path, unit.attempt, first) for first in firsts]
        elif unit.does == "block":
            folder = unit_folder(unit.run, unit.path)
            places = [f"{folder}/{name}" for name in self._files.names(f"{self.there}/{folder}")]
        for path, content in self._files.get([f"{self.there}/{place}" for place in places]).items():
            self._store.write_file(path.removeprefix(f"{self.there}/"), [content])
            told.append(json.loads(content))
        for reference in dict.fromkeys(references(told)):
            if not self._store.exists(reference):
                self._pull_one(reference)

    def keep(self, unit: UnitSpec, reports: Mapping[int, UnitReport]) -> None:
        """Write what the reports of a map's tasks say of its items where those who collect them look."""
        for task, share in enumerate(shares(unit.items, unit.per_pod)):
            report = reports[task]
            entries: dict[str, object] = {
                str(i): {"failure": dict(each)} for i, each in report.failed.items()
            }
            entries |= {str(index): {"outputs": each} for index, each in (report.results or {}).items()}
            place = items_file(unit.run, unit.path, unit.attempt, next(iter(share), 0))
            self._store.write_file(place, [json.dumps(entries).encode()])

    def _pull_one(self, reference: str) -> None:
        path = f"{self.there}/{_place(reference)}"
        content = self._files.get([path]).get(path)
        if content is not None:
            self._store.put(content)


class Luggage:
    """Files that the script of a job brings along: what is `put` is kept until then."""

    def __init__(self) -> None:
        self.packed: dict[str, bytes] = {}

    def put(self, path: str, content: bytes) -> None:
        """Take a file along."""
        self.packed[path] = content

    def names(self, folder: str) -> list[str]:
        """What is in a folder there; nobody can tell."""
        return []

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Nothing comes back this way."""
        return {}

    def remove(self, folder: str) -> None:
        """There is nothing to take away."""


def _place(reference: str) -> str:
    digest = reference.partition(":")[2]
    return f"sha256/{digest[:2]}/{digest[2:]}"


def _item_files(told: Iterable[object]) -> Iterator[str]:
    """The files of items that values refer to."""
    for value in told:
        if isinstance(value, Mapping):
            if isinstance(value.get("items"), Mapping):
                files = ItemFiles.from_encoded(value)
                for attempt, items, per_pod in files.waves:
                    for share in shares(items, per_pod):
                        yield items_file(files.run, files.path, attempt, next(iter(share), 0))
            else:
                yield from _item_files(value.values())
        elif isinstance(value, list | tuple):
            yield from _item_files(value)
