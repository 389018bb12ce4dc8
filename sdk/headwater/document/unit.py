"""What the operator tells a pod, and what the pod answers: the contract between the two. Standard library only.

A pod is told one `UnitSpec` in the environment variable `HEADWATER_UNIT` (or, when it is large, in a mounted
file), and answers with one `UnitReport` in its termination message, of which Kubernetes keeps 4,096 bytes.

Values travel *encoded*, as a mapping with exactly one of these keys (`KINDS`); whoever passes them on never
looks inside:

- `{"json": …}`: what JSON carries exactly.
- `{"pickle": "base64"}`: a small Python object. Only a runtime opens it.
- `{"ref": "sha256:…", "format", "size", "length"}`: an artifact in the run's store.
- `{"range": n}`: the numbers from 0 up to, but without, n.
- `{"list": [encoded, …]}` and `{"dict": {NAME: encoded}}`: a list or a dict of encoded values.
- `{"items": {…}, "length": n}`: the outputs of a map, which lie in the store in one file a pod; see `ItemFiles`.
- `{"file": "path", "length": n}`: JSON in a file that the operator mounts (a ConfigMap); also
  `{"file": …, "config": NAME, "key": KEY}` before the builder has decided on the path.
- `{"item": [encoded, index]}`: one element of an encoded sequence.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from headwater.engine.data import data

Encoded = Mapping[str, Any]

KINDS = frozenset({"json", "pickle", "ref", "range", "list", "dict", "items", "file", "item"})

ENVIRONMENT = "HEADWATER_UNIT"
MESSAGE_LIMIT = 4096
"""Bytes that Kubernetes keeps of a termination message."""

PLAIN_LIMIT = 16 * 1024
"""A unit's text up to this size stays readable in the environment; above, it is compressed."""

_COMPRESSED = "z:"
_FILE = "@"


def is_encoded(value: object) -> bool:
    """Whether this is an encoded value.

    >>> is_encoded({"json": 3}), is_encoded({"type": "ValueError"}), is_encoded(3)
    (True, False, False)
    """
    return isinstance(value, Mapping) and not KINDS.isdisjoint(value)


def length_of(value: Encoded) -> int | None:
    """How many elements a map would find in an encoded value; None where only a runtime can tell.

    >>> length_of({"json": [1, 2]}), length_of({"range": 5}), length_of({"pickle": "gASVBA=="})
    (2, 5, None)
    """
    if "json" in value:
        found = value["json"]
        return len(found) if isinstance(found, list) else None
    if "range" in value:
        return int(value["range"])
    if "list" in value:
        return len(value["list"])
    length = value.get("length")
    return int(length) if isinstance(length, int) else None


@data
class UnitSpec:
    """One unit of work, as a pod is told.

    `does`: "task" runs one Python task; "block" a whole block with an engine inside; "items" this pod's share of
    a map; "decide" answers a question (`stage` as in the engine's `Decide`); "measure" says how long the
    sequences in `over` are.
    `document` is the part of the Workflow's spec that is needed: `blocks`, `defaults`, `parameters`, `code`.
    `block` and `node` say where in it the node stands. For "items", `items` are the indices of this wave
    ("0-41,43"), `per_pod` of them to each pod, in order; `JOB_COMPLETION_INDEX` says which share is this pod's.
    `store` is the URL of the artifact store, "" where there is none. With `overwrite_cache` nothing is taken
    from the cache in it.
    """

    run: str
    name: str
    path: str
    attempt: int
    does: Literal["task", "block", "items", "decide", "measure"]
    document: Mapping[str, Any]
    block: str = "main"
    node: str = ""
    inputs: Mapping[str, Encoded] = field(default_factory=dict)
    over: Mapping[str, Encoded] = field(default_factory=dict)
    items: str = ""
    per_pod: int = 1
    stage: str = ""
    value: Encoded | None = None
    store: str = ""
    overwrite_cache: bool = False

    def to_json(self) -> dict[str, Any]:
        """As plain data, without what is left at its default."""
        found: dict[str, Any] = {
            "v": 1, "run": self.run, "name": self.name, "path": self.path, "attempt": self.attempt,
            "does": self.does, "document": self.document, "block": self.block, "node": self.node,
            "inputs": self.inputs, "over": self.over, "items": self.items, "perPod": self.per_pod,
            "stage": self.stage, "value": self.value, "store": self.store,
            "overwriteCache": self.overwrite_cache or None,
        }  # fmt: skip
        return {key: value for key, value in found.items() if value not in ("", {}, None)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> UnitSpec:
        """Read what `to_json` wrote.

        >>> spec = UnitSpec("u1", "reduce", "gen", 1, "task", {"blocks": []}, node="gen")
        >>> UnitSpec.from_json(spec.to_json()) == spec
        True
        """
        return cls(
            data["run"], data.get("name", ""), data.get("path", ""), data["attempt"], data["does"],
            data.get("document", {}), data.get("block", "main"), data.get("node", ""),
            data.get("inputs", {}), data.get("over", {}), data.get("items", ""),
            data.get("perPod", 1), data.get("stage", ""), data.get("value"), data.get("store", ""),
            data.get("overwriteCache", False),
        )  # fmt: skip


def write_unit(spec: UnitSpec) -> str:
    """The text of `HEADWATER_UNIT`: readable JSON where it is small, compressed where it is not.

    The caller puts it into a file, and `@FILE` into the variable, where it is too large for an environment.
    """
    text = json.dumps(spec.to_json(), separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= PLAIN_LIMIT else _compress(text)


def read_unit(text: str) -> UnitSpec:
    """Read the value of `HEADWATER_UNIT`, wherever it says that the unit is.

    >>> spec = UnitSpec("u1", "reduce", "gen", 1, "task", {"blocks": ["x" * 90_000]}, node="gen")
    >>> len(write_unit(spec)) < 2000, read_unit(write_unit(spec)) == spec
    (True, True)
    """
    if text.startswith(_FILE):
        with open(text[1:], encoding="utf-8") as file:
            text = file.read()
    return UnitSpec.from_json(json.loads(_expand(text)))


@data
class TaskRecord:
    """How one task inside a unit ended: its whole path, phase, attempts, start (epoch) and run time in seconds."""

    path: str
    phase: str
    attempts: int
    started_at: float
    seconds: float
    error: str = ""
    items: tuple[int, int, int] | None = None
    """Of a map inside the unit: total, succeeded, failed."""
    error_class: str = "Error"
    error_node: str = ""
    """Where it was raised, below this task; "" where it was here."""


@data
class UnitReport:
    """What a unit came to. Exactly one of `outputs`, `skipped`, `answer`, `length`, `failure`, `exit_code`,
    `items` says how; none of them while it is under way, when a report only lists the tasks that have ended.

    `failure` has `type`, `message`, `class`, `node` and perhaps `traceback` and `pickle`. For "items":
    `items` are the indices that ended well, `cached` how many of those came from the cache, `failed` the failures
    by index as far as there was room, `failed_items` the indices of all that failed; `results` their outputs by
    index (encoded, by name; None for a skipped one) where all of them fit. Indices of the pod's share in neither
    set found no room (thousands of failures with gaps between them): they are to be run again.
    `exit_code` is what a task asked `exit_pipeline` for; the process itself then leaves with 0.
    """

    outputs: Mapping[str, Encoded] | None = None
    cached: int = 0
    skipped: bool = False
    answer: bool | None = None
    length: int | None = None
    failure: Mapping[str, Any] | None = None
    exit_code: int | None = None
    items: str | None = None
    failed: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    failed_items: str = ""
    results: Mapping[int, Mapping[str, Encoded] | None] | None = None
    tasks: tuple[TaskRecord, ...] = ()
    at: tuple[float, float] = (0.0, 0.0)
    """When the unit began its work and ended it, seconds since the epoch on the pod's clock."""

    @property
    def final(self) -> bool:
        """Whether it says how the unit ended: one that was killed leaves a report that does not.

        >>> UnitReport(outputs={}).final, UnitReport().final
        (True, False)
        """
        ends = (self.outputs, self.answer, self.length, self.failure, self.exit_code, self.items)
        return self.skipped or bool(self.failed_items) or any(end is not None for end in ends)

    def to_json(self) -> dict[str, Any]:
        """As plain data, without what is left at its default."""
        found: dict[str, Any] = {"v": 1, "at": [round(each, 3) for each in self.at]}
        if self.outputs is not None:
            found["outputs"] = self.outputs
        for key, value in (
            ("answer", self.answer), ("length", self.length), ("failure", self.failure),
            ("exit", self.exit_code), ("items", self.items),
        ):  # fmt: skip
            if value is not None:
                found[key] = value
        if self.cached:
            found["cached"] = self.cached
        if self.skipped:
            found["skipped"] = True
        if self.failed:
            found["failed"] = {str(index): failure for index, failure in self.failed.items()}
        if self.failed_items:
            found["failedItems"] = self.failed_items
        if self.results is not None:
            found["results"] = {str(index): outputs for index, outputs in self.results.items()}
        if self.tasks:
            found["tasks"] = [
                [t.path, t.phase, t.attempts, round(t.started_at, 3), round(t.seconds, 3), t.error,
                 list(t.items) if t.items else None, *([t.error_class, t.error_node] if t.error else [])]
                for t in self.tasks
            ]  # fmt: skip
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> UnitReport:
        """Read what `to_json` wrote."""
        results = data.get("results")
        return cls(
            outputs=data.get("outputs"),
            cached=data.get("cached", 0),
            skipped=data.get("skipped", False),
            answer=data.get("answer"),
            length=data.get("length"),
            failure=data.get("failure"),
            exit_code=data.get("exit"),
            items=data.get("items"),
            failed={int(index): failure for index, failure in data.get("failed", {}).items()},
            failed_items=data.get("failedItems", ""),
            results=None if results is None else {int(index): each for index, each in results.items()},
            tasks=tuple(
                TaskRecord(t[0], t[1], t[2], t[3], t[4], t[5], tuple(t[6]) if t[6] else None, *t[7:9])
                for t in data.get("tasks", ())
            ),
            at=(data["at"][0], data["at"][1]) if "at" in data else (0.0, 0.0),
        )


def write_report(report: UnitReport) -> str:
    """The termination message of a report: at most `MESSAGE_LIMIT` bytes, compressed where it must be.

    Raises:
        ValueError: it does not fit; leave something out and try again.

    >>> read_report(write_report(UnitReport(outputs={"x": {"json": 3}}))).outputs
    {'x': {'json': 3}}
    """
    text = json.dumps(report.to_json(), separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > MESSAGE_LIMIT:
        text = _compress(text)
    if len(text) > MESSAGE_LIMIT:
        raise ValueError(f"the report has {len(text)} bytes; {MESSAGE_LIMIT} fit")
    return text


def read_report(message: str) -> UnitReport:
    """Read a termination message that a runtime wrote.

    Raises:
        ValueError: it is something else: empty, cut off, or a program's own text.
    """
    try:
        data = json.loads(_expand(message))
        if not isinstance(data, dict) or data.get("v") != 1:
            raise ValueError("it is not a report")
        return UnitReport.from_json(data)
    except (TypeError, KeyError, IndexError, AttributeError, zlib.error) as error:
        raise ValueError(f"the termination message is not a report: {error}") from error


def items_file(run: str, path: str, attempt: int, first: int) -> str:
    """The place below the store of what one pod made of its share of a map; `first` is the share's first index.

    >>> items_file("u1", "process", 1, 40)
    'runs/u1/items/19ed40bf62c399b8/1-40.json'
    """
    return f"runs/{run}/items/{_folder(path)}/{attempt}-{first}.json"


def unit_folder(run: str, path: str) -> str:
    """The folder below the store where a fused unit keeps its journal and, at its end, `tasks.json`.

    >>> unit_folder("u1", "process")
    'runs/u1/units/19ed40bf62c399b8'
    """
    return f"runs/{run}/units/{_folder(path)}"


def _folder(path: str) -> str:
    import hashlib  # loads OpenSSL, which most pods do without

    return hashlib.sha256(path.encode()).hexdigest()[:16]


@data
class ItemFiles:
    """Where the outputs of a map's items lie, so that any pod can read them.

    Each pod writes one file, `items_file(…)` below the store:
    `{"INDEX": {"outputs": {NAME: encoded} | null, "failure": {…}}}`; null stands for an item that was skipped.
    `waves` lists for each attempt the indices that it was given and how many to a pod; an item's last attempt
    counts. `output` names the output of a flat collection; None stands for whole items in groups.
    """

    run: str
    path: str
    total: int
    waves: tuple[tuple[int, str, int], ...]
    output: str | None = None
    groups: tuple[tuple[str, ...], ...] = ()

    def to_encoded(self) -> dict[str, Any]:
        """As an encoded value."""
        written: dict[str, Any] = {
            "run": self.run, "path": self.path, "total": self.total, "waves": [list(w) for w in self.waves],
        }  # fmt: skip
        if self.output is not None:
            written["output"] = self.output
        if self.groups:
            written["groups"] = [list(group) for group in self.groups]
        return {"items": written, "length": self.total}

    @classmethod
    def from_encoded(cls, value: Encoded) -> ItemFiles:
        """Read what `to_encoded` wrote.

        >>> files = ItemFiles("u1", "process", 100, ((1, "0-99", 10), (2, "7", 1)), "x")
        >>> ItemFiles.from_encoded(files.to_encoded()) == files
        True
        """
        written = value["items"]
        return cls(
            written["run"], written["path"], written["total"],
            tuple((w[0], w[1], w[2]) for w in written["waves"]),
            written.get("output"), tuple(tuple(group) for group in written.get("groups", ())),
        )  # fmt: skip


def _compress(text: str) -> str:
    return _COMPRESSED + base64.b64encode(zlib.compress(text.encode(), 6)).decode()


def _expand(text: str) -> str:
    if text.startswith(_COMPRESSED):
        try:
            return zlib.decompress(base64.b64decode(text[len(_COMPRESSED) :], validate=True)).decode()
        except (ValueError, zlib.error) as error:
            raise ValueError(f"it is cut off or not ours: {error}") from error
    return text
