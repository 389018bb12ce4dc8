"""A change as rows of the run database: tuples in the order of `records/statements.py`."""

from __future__ import annotations

from collections.abc import Iterator

from headwater.engine.events import Failure
from headwater.records.batch import TRACEBACK_LIMIT, clean, encode_json
from headwater.records.connection import Row
from headwater.records.contents import digested, without_secrets

from headwater_operator.mirror.rows import (
    AttemptRow,
    ExceptionRow,
    ItemRow,
    NodeRow,
    RunChange,
    SliceRow,
    Values,
)

BACKEND = "kubernetes"
OUTPUTS_LIMIT = 1024 * 1024
"""Bytes of a node's outputs that are kept; larger ones belong into the artifact store and are left out here."""

Key = tuple[object, ...]
"""The table, then the values of its primary key, as far as they tell rows of one run apart."""

_NAME_LIMIT = 1024
_NO_ERROR = (None, None, None, None)


def rows_of(change: RunChange, *, with_document: bool = True) -> Iterator[tuple[str, Key, Row]]:
    """Every row of a change, as (table, key, row); the run's own row is the last.

    >>> from headwater_operator.mirror.rows import RunMeta
    >>> change = RunChange(RunMeta("u1", "reduce"), 1, "Running", nodes=(NodeRow("gen", "task", "m:Gen", "Running"),))
    >>> [key for _, key, _ in rows_of(change)]
    [('block', 'gen'), ('run',)]
    """
    run_id, version, run = change.run.run_id, change.version, change.run
    if with_document and run.document is not None:
        text, digest = digested(without_secrets(run.document))
        yield "document", ("document", digest), (digest, text, run.created_at)
    for source, target in change.edges:
        yield "edge", ("edge", source, target), (run_id, source, target)
    for node in change.nodes:
        yield "block", ("block", node.path), _block(run_id, version, node)
    for attempt in change.attempts:
        key: Key = ("attempt", attempt.path, attempt.attempt)
        yield "attempt", key, _attempt(run_id, version, attempt)
    for item in change.items:
        yield "map_item", ("map_item", item.path, item.index), _item(run_id, version, item)
    for piece in change.slices:
        yield "map_slice", ("map_slice", piece.path), _slice(run_id, version, piece)
    for raised in change.exceptions:
        place = -1 if raised.index is None else raised.index
        key = ("runtime_exception", raised.path, place, raised.attempt)
        yield "runtime_exception", key, _exception(run_id, version, place, raised)
    yield "run", ("run",), _run(change)


def _run(change: RunChange) -> Row:
    run = change.run
    code, inputs, labels = run.texts
    return (
        *(run.run_id, clean(run.name, _NAME_LIMIT), BACKEND, clean(run.target), change.phase),
        *(clean(change.message), run.document_digest, None, code, inputs, _outputs(change.outputs)),
        *(*_error(change.error), None, change.failed_items, run.resumed_from, "", 0, "", clean(run.user)),
        change.started_at if change.started_at is not None else run.created_at,
        *(change.finished_at, None, change.version, run.namespace, run.project, labels),
        *(change.progress_done, change.progress_total),
    )


def _block(run_id: str, version: int, node: NodeRow) -> Row:
    return (
        *(run_id, node.path, node.kind, clean(node.ref, _NAME_LIMIT), node.phase, node.attempt),
        *(clean(node.message), node.started_at, node.finished_at, _outputs(node.inputs)),
        *(_outputs(node.outputs), node.answer, node.total, node.succeeded, node.failed, node.cached),
        *(*_error(node.error), version),
    )


def _attempt(run_id: str, version: int, row: AttemptRow) -> Row:
    times = (row.started_at, row.finished_at)
    return (run_id, row.path, row.attempt, row.phase, *times, *_error(row.failure)[1:], version)


def _item(run_id: str, version: int, row: ItemRow) -> Row:
    failure = row.failure
    if failure is None:
        return (
            run_id,
            row.path,
            row.index,
            row.phase,
            row.attempt,
            None,
            None,
            None,
            row.finished_at,
            version,
        )
    return (
        *(run_id, row.path, row.index, row.phase, row.attempt, clean(failure.type, _NAME_LIMIT)),
        *(clean(failure.message), str(failure.error_class), row.finished_at, version),
    )


def _slice(run_id: str, version: int, row: SliceRow) -> Row:
    return (run_id, row.path, 0, row.ranges, None, row.finished_at, version)


def _exception(run_id: str, version: int, place: int, row: ExceptionRow) -> Row:
    failure = row.failure
    return (
        *(run_id, row.path, place, row.attempt, clean(failure.type, _NAME_LIMIT), clean(failure.message)),
        *(str(failure.error_class), clean(failure.traceback, TRACEBACK_LIMIT), row.raised_at),
        # One that does not know its time never replaces one that does.
        0 if row.raised_at is None else version,
    )


def _error(failure: Failure | None) -> tuple[str | None, str | None, str | None, str | None]:
    if failure is None:
        return _NO_ERROR
    kind = clean(failure.type, _NAME_LIMIT)
    return failure.node, kind, clean(failure.message), str(failure.error_class)


def _outputs(values: Values | None) -> str | None:
    if values is None:
        return None
    text = encode_json(values)
    return text if len(text) <= OUTPUTS_LIMIT else None
