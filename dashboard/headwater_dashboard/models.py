"""What the API answers, for OpenAPI and for the page. Times are seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

DEPTH = 100
"""So deep may values be nested; writers of JSON give up at 255."""


def showable(value: Any, depth: int = 0) -> Any:
    """A value that JSON can carry: halves of characters and what is nested too deep are replaced.

    >>> showable({"a": ["b\\ud800"]})
    {'a': ['b?']}
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth >= DEPTH:
        return "… (nested too deep to be shown)"
    if isinstance(value, Mapping):
        return {showable(key): showable(each, depth + 1) for key, each in value.items()}
    return [showable(each, depth + 1) for each in value]


Shown = BeforeValidator(showable)
Json = Annotated[dict[str, Any], Shown]


class Model(BaseModel):
    """A part of an answer, made of the records' own data."""

    model_config = ConfigDict(from_attributes=True)


class Problem(BaseModel):
    """Why a request was refused, and what to do about it."""

    code: str
    message: str
    fix: str


class Error(Model):
    """Why something failed."""

    type: str
    message: str
    error_class: str
    node: str


class Run(Model):
    """A run as the list shows it."""

    run_id: str
    name: str
    phase: str
    backend: str
    target: str
    namespace: str
    project: str | None
    labels: Json
    user: str
    host: str
    message: str
    started_at: float
    finished_at: float | None
    failed_items: int
    exit_code: int | None
    resumed_from: str | None
    error: Error | None
    progress_done: int | None
    progress_total: int | None


class RunDetail(Run):
    """A run with its values, encoded: `{"json": ...}`, or what says where a larger one is."""

    inputs: Json
    outputs: Json
    code: Json


class RunPage(Model):
    """Runs, latest first; `next` is the cursor of the next page."""

    items: list[Run]
    next: str | None


class Document(Model):
    """The document that a run ran."""

    document: Json | None


class Node(Model):
    """A node of a run; `total` to `cached` count the items of a map."""

    path: str
    phase: str
    kind: str
    ref: str
    attempt: int
    message: str
    started_at: float | None
    finished_at: float | None
    inputs: Json | None
    outputs: Json | None
    answer: bool | None
    total: int | None
    succeeded: int | None
    failed: int | None
    cached: int | None
    error: Error | None


class Edge(BaseModel):
    """That one node waits for another."""

    model_config = ConfigDict(populate_by_name=True)

    source: str = Field(alias="from")
    target: str = Field(alias="to")


class Graph(Model):
    """The nodes of a run in the order of their start, and what waits for what."""

    nodes: list[Node]
    edges: list[Edge]


class Attempt(Model):
    """One attempt of a node."""

    path: str
    attempt: int
    phase: str
    started_at: float | None
    finished_at: float | None
    error: Error | None


class Attempts(Model):
    """The attempts of a run or a node, in order."""

    items: list[Attempt]


class Item(Model):
    """An item of a map."""

    index: int
    phase: str
    attempt: int
    finished_at: float | None
    error: Error | None


class ItemPage(Model):
    """Some items of a map; `counts` are those of all."""

    total: int
    counts: dict[str, int]
    items: list[Item]


class ItemRange(Model):
    """Items from `start` up to, but without, `stop`, all in one phase."""

    start: int
    stop: int
    phase: str


class ItemBin(Model):
    """How many items of a map ended from `start` on and before `stop`; those that did not succeed are `failed`."""

    start: float
    stop: float
    succeeded: int
    failed: int


class ItemTimes(Model):
    """When the items of a map ended; `last` ended last, the latest first. When an item began is not recorded."""

    total: int
    bins: list[ItemBin]
    last: list[Item]


class ItemValues(Model):
    """What an item was given and gave, encoded; what is kept in the store as a whole is a reference to the whole."""

    inputs: Json
    outputs: Json


class ItemStates(Model):
    """The state of every item of a map."""

    total: int
    ranges: list[ItemRange]


class Event(Model):
    """Something that happened in a run."""

    at: float
    path: str
    index: int | None
    attempt: int
    phase: str
    message: str


class Events(Model):
    """What happened, in the order of time."""

    items: list[Event]


class ExceptionRecord(Model):
    """An exception that a task raised; `index` is that of a map's item."""

    path: str
    index: int | None
    attempt: int
    type: str
    message: str
    error_class: str
    traceback: str
    raised_at: float | None


class Exceptions(Model):
    """Exceptions, the first first."""

    items: list[ExceptionRecord]


class Example(Model):
    """One exception of a group."""

    path: str
    index: int | None
    attempt: int
    traceback: str


class ErrorGroup(Model):
    """Exceptions that are alike: the same type, and messages that differ in numbers and names only."""

    signature: str
    type: str
    error_class: str
    message: str
    count: int
    first_at: float | None
    nodes: list[str]
    example: Example


class ErrorGroups(Model):
    """Groups of exceptions, the first cause first; `left_out` exceptions are in none of them, as there are too many."""

    groups: list[ErrorGroup]
    left_out: int


class Input(Model):
    """What a template takes under one name."""

    type: str | None = None
    default: Annotated[Any, Shown] = None
    required: bool | None = None
    description: str | None = None


class Template(Model):
    """A registered flow of the cluster."""

    namespace: str
    name: str
    version: int | None
    project: str | None
    description: str | None
    inputs: dict[str, Input]


class Templates(Model):
    """The templates that one may run; `note` says why there are none to be had."""

    items: list[Template]
    note: str


class Submitted(Model):
    """A run that has been created; it is in the list once the operator has mirrored it."""

    run_id: str
    namespace: str
    name: str


class Preview(Model):
    """What an artifact looks like: of `kind` image, table, json, text or none."""

    kind: str
    size: int
    note: str
    text: str
    value: Annotated[Any, Shown]
    columns: list[str]
    rows: list[list[str]]


class LogChunk(Model):
    """A piece of a log; offsets are bytes of the file, `complete` says that nothing more will come,
    `growing` that more may be written.

    `note` says why there is nothing to read from a cluster's pods: they are gone, or wait, or it is out of reach.
    """

    text: str
    offset: int
    next_offset: int
    size: int
    complete: bool
    growing: bool
    note: str = ""


class LogMatch(Model):
    """A line that holds the text: the byte at which it begins, and its number in the log as it is shown, from 0."""

    offset: int
    line: int


class LogMatches(Model):
    """Where a text is found; the search goes on at `next_offset`, which is where the line `next_line` begins.

    `complete`: there is no further line at present.
    """

    matches: list[LogMatch]
    next_offset: int
    next_line: int
    size: int
    complete: bool


class Day(Model):
    """The runs started on a day (UTC); `p50` and `p95` are seconds that those that succeeded took."""

    day: str
    succeeded: int
    failed: int
    other: int
    p50: float | None
    p95: float | None


class Stats(Model):
    """How many runs are in which phase, and how the latest days went.

    `unfollowed` names what of the filter the numbers do not follow: name, project, backend, user, label, text.
    """

    phases: dict[str, int]
    days: list[Day]
    unfollowed: list[str]


class Names(Model):
    """What runs can be filtered by."""

    names: list[str]
    projects: list[str]
    namespaces: list[str]
    backends: list[str]
    users: list[str]


class Me(Model):
    """Who asks, and what they may do; `csrf` goes into the header X-Headwater-CSRF of an action."""

    user: str
    authenticated: bool
    actions: list[str]
    csrf: str


class Told(Model):
    """What has come of an action."""

    message: str


class Health(Model):
    """That the server answers."""

    status: str
