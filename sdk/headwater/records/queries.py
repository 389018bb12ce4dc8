"""Read the run database. A database that does not exist yet holds no runs; that is no error.

Every function takes the URL of the database (`headwater.configuration.database_url()`); those about one run take a
`Pool` too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from headwater.engine.intervals import IntervalSet, Range
from headwater.errors import RecordsError, UsageError
from headwater.records.connection import Connection, Row, shown
from headwater.records.lost import mark_lost_in
from headwater.records.model import (
    Attempt,
    Error,
    Event,
    ExceptionRecord,
    Item,
    KnownNode,
    Node,
    Run,
    Slice,
)
from headwater.records.reading import Database, reading
from headwater.records.rows import (
    ATTEMPT,
    EXCEPTION,
    ITEM,
    NODE,
    RUN,
    exception_of,
    fields_of,
    is_time,
    item_of,
    names,
    node_of,
    parsed,
    ranges_of,
    run_of,
)

logger = logging.getLogger("headwater.records")

MESSAGE = 2_000
"""Characters of a message that a list of what happened shows."""

# ---------------------------------------------------------------- runs


def list_runs(
    url: str,
    *,
    phase: str | None = None,
    name: str | None = None,
    backend: str | None = None,
    namespace: str | None = None,
    since: float | None = None,
    limit: int | None = None,
) -> list[Run]:
    """The recorded runs, the latest first. Runs whose process is gone are `Lost`.

    >>> list_runs("sqlite:////nowhere/headwater.db")
    []
    """
    wanted = {"phase": phase, "name": name, "backend": backend, "namespace": namespace}
    parts = [f"{column} = :{column}" for column, value in wanted.items() if value is not None]
    if since is not None:
        parts.append("started_at >= :since")
    where = f" WHERE {' AND '.join(parts)}" if parts else ""
    sql = f"SELECT {names(RUN)} FROM run{where} ORDER BY started_at DESC, run_id DESC"
    if limit is not None:
        sql += f" LIMIT {int(limit)}"
    with reading(url) as connection:
        if connection is None:
            return []
        lost = mark_lost_in(connection)
        given = {key: value for key, value in {**wanted, "since": since}.items() if value is not None}
        return [run_of(RUN, row, lost) for row in connection.rows(sql, given)]


def get_run(url: str, run: str) -> Run:
    """The run with this id, the latest of this name (or NAMESPACE/NAME), the one whose id begins so, or `last`.

    Where several runs have the name, the log says which one it is.

    Raises:
        UsageError: there is no such run, or there are several.
    """
    with reading(url) as connection:
        if connection is None:
            raise UsageError(f"no run is recorded in {shown(url)}", fix="Run something first.")
        lost = mark_lost_in(connection)
        rows = _found(connection, run)
    if not rows:
        raise UsageError(f"there is no run {run!r} in {shown(url)}", fix="`flowctl list` shows the runs.")
    if len(rows) > 1:
        listed = ", ".join(row[0] for row in rows[:5]) + (", ..." if len(rows) > 5 else "")
        raise UsageError(f"several runs begin with {run!r}: {listed}", fix="Give more of the id.")
    return run_of(RUN, rows[0], lost)


def _found(connection: Connection, run: str) -> list[Row]:
    sql = f"SELECT {names(RUN)} FROM run"
    latest = "ORDER BY started_at DESC, run_id DESC LIMIT"
    if run == "last":
        return connection.rows(f"{sql} {latest} 1")
    rows = connection.rows(f"{sql} WHERE run_id = :run", {"run": run})
    if not rows:
        rows = _named(connection, run, sql, latest)
    if not rows and run:
        begins = "WHERE substr(run_id, 1, :length) = :run ORDER BY run_id LIMIT 6"
        rows = connection.rows(f"{sql} {begins}", {"run": run, "length": len(run)})
    return rows


def _named(connection: Connection, run: str, sql: str, latest: str) -> list[Row]:
    namespace, _, name = run.rpartition("/")
    where = "WHERE name = :name" + (" AND namespace = :namespace" if namespace else "")
    given = {"name": name, **({"namespace": namespace} if namespace else {})}
    rows = connection.rows(f"{sql} {where} {latest} 2", given)
    if len(rows) > 1:
        ((count,),) = connection.rows(f"SELECT count(*) FROM run {where}", given)
        logger.warning(
            "%d runs are named %r; this is the latest, %s. `flowctl list --name %s` shows all of them.",
            *(count, run, rows[0][0], name),
        )
    return rows[:1]


def document(url: Database, run: Run) -> dict[str, Any] | None:
    """The document that the run ran, or None where none was recorded."""
    return _content(url, "document", run.document_digest)


def configuration(url: str, run: Run) -> dict[str, Any] | None:
    """The configuration of the run, its secrets masked, or None where none was recorded."""
    return _content(url, "configuration", run.configuration_digest)


def _content(url: Database, table: str, digest: str | None) -> dict[str, Any] | None:
    if digest is None:
        return None
    rows = _select(url, f"SELECT content FROM {table} WHERE digest = :digest", digest=digest)
    if not rows:
        return None
    try:
        content = json.loads(rows[0][0])
    except (ValueError, TypeError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise RecordsError(f"the {table} {digest} is damaged: no JSON object", fix="Restore the database.")
    return content


# ---------------------------------------------------------------- what is in a run


def nodes(url: Database, run_id: str) -> dict[str, Node]:
    """The nodes of a run by path, in the order in which they started."""
    sql = f"SELECT {names(NODE)} FROM block WHERE run_id = :run ORDER BY started_at IS NULL, started_at, path"
    return {row[0]: node_of(row) for row in _select(url, sql, run=run_id)}


def node(url: Database, run_id: str, path: str) -> Node | None:
    """One node of a run; None where it has none of this path."""
    sql = f"SELECT {names(NODE)} FROM block WHERE run_id = :run AND path = :path"
    rows = _select(url, sql, run=run_id, path=path)
    return node_of(rows[0]) if rows else None


def paths(url: Database, run_id: str) -> list[str]:
    """The paths of a run's nodes, in the order in which they started."""
    sql = "SELECT path FROM block WHERE run_id = :run ORDER BY started_at IS NULL, started_at, path"
    return [path for (path,) in _select(url, sql, run=run_id)]


def edges(url: Database, run_id: str) -> list[tuple[str, str]]:
    """Which node depends on which: (from, to)."""
    sql = "SELECT from_path, to_path FROM edge WHERE run_id = :run ORDER BY from_path, to_path"
    return [(source, target) for source, target in _select(url, sql, run=run_id)]


def attempts(url: Database, run_id: str, path: str | None = None) -> list[Attempt]:
    """The attempts of a run, or of one node, in order."""
    sql = f"SELECT {names(ATTEMPT)} FROM attempt WHERE run_id = :run{_at(path)} ORDER BY path, attempt"
    return [Attempt(**fields_of(ATTEMPT, row)) for row in _select(url, sql, run=run_id, path=path)]


def exceptions(
    url: Database,
    run_id: str,
    path: str | None = None,
    *,
    index: int | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> list[ExceptionRecord]:
    """The exceptions raised in a run, or in one node, or in one item of a map, the first first."""
    item = "" if index is None else " AND item_index = :item"
    cut = "" if limit is None else " LIMIT :limit OFFSET :offset"
    sql = (
        f"SELECT {names(EXCEPTION)} FROM runtime_exception WHERE run_id = :run{_at(path)}{item} "
        f"ORDER BY raised_at, path, item_index, attempt{cut}"
    )
    given = {"run": run_id, "path": path, "item": index}
    if limit is not None:
        given |= {"limit": limit, "offset": offset}
    return [exception_of(row) for row in _select(url, sql, **given)]


def events(
    url: Database, run_id: str, path: str | None = None, *, offset: int = 0, limit: int
) -> list[Event]:
    """What happened in a run, or in one node, in the order of time; of long messages the beginning."""
    at = f"WHERE run_id = :run{_at(path)} AND"
    said = f"substr({{}}, 1, {MESSAGE})"
    # The exception of a node itself is the end of its attempt already.
    sql = (
        f"SELECT started_at, path, -1, attempt, 'Running', NULL, '' FROM attempt {at} started_at IS NOT NULL "
        f"UNION ALL SELECT finished_at, path, -1, attempt, phase, error_type, {said.format('error_message')} "
        f"FROM attempt {at} finished_at IS NOT NULL "
        f"UNION ALL SELECT raised_at, path, item_index, attempt, 'Failed', type, {said.format('message')} "
        f"FROM runtime_exception {at} raised_at IS NOT NULL AND item_index >= 0 "
        "ORDER BY 1, 2, 3, 4 LIMIT :limit OFFSET :offset"
    )
    rows = _select(url, sql, run=run_id, path=path, limit=limit, offset=offset)
    return [
        Event(time, where, None if index < 0 else index, number, phase, f"{kind}: {message}" if kind else "")
        for time, where, index, number, phase, kind, message in rows
        if is_time(time)
    ]


def items(url: Database, run_id: str, path: str, phase: str | None = None) -> list[Item]:
    """The items of a map that ended, in order: all of them, or those of one phase."""
    found: dict[int, Item] = {}
    sql = "SELECT ranges, finished_at FROM map_slice WHERE run_id = :run AND path = :path"
    for ranges, at in _select(url, sql, run=run_id, path=path):
        for start, stop in ranges_of(ranges):
            found.update((index, Item(index, "Succeeded", 1, at)) for index in range(start, stop))
    # Items that failed once have a row of their own, which knows more.
    sql = f"SELECT {names(ITEM)} FROM map_item WHERE run_id = :run AND path = :path"
    found.update((row[0], item_of(row)) for row in _select(url, sql, run=run_id, path=path))
    return [found[index] for index in sorted(found) if phase in (None, found[index].phase)]


# ---------------------------------------------------------------- resuming


def known(url: str, run_id: str) -> dict[str, KnownNode]:
    """What a resume can build on, by path: every node that ended, and every map of which some items did."""
    slices: dict[str, list[Slice]] = {}
    failed: dict[str, dict[int, Error]] = {}
    sql = "SELECT path, ranges, outputs FROM map_slice WHERE run_id = :run ORDER BY path, first_index"
    for path, ranges, outputs in _select(url, sql, run=run_id):
        slices.setdefault(path, []).append(Slice(ranges_of(ranges), parsed(outputs)))
    sql = (
        "SELECT path, item_index, error_type, error_message, error_class "
        "FROM map_item WHERE run_id = :run AND phase = 'Failed' ORDER BY path, item_index"
    )
    for path, index, kind, message, error_class in _select(url, sql, run=run_id):
        failed.setdefault(path, {})[index] = Error(kind, message, error_class, path)
    result = {}
    for path, node in nodes(url, run_id).items():
        ended = node.finished_at is not None and node.phase != "Lost"
        if ended or path in slices or path in failed:
            pieces = tuple(slices.get(path, ()))
            result[path] = KnownNode(
                node.phase,
                node.outputs,
                node.answer,
                node.total,
                _union(pieces),
                pieces,
                failed.get(path, {}),
            )
    return result


def _union(slices: Sequence[Slice]) -> tuple[Range, ...]:
    done = IntervalSet()
    for piece in slices:
        for start, stop in piece.ranges:
            done.add(start, stop)
    return done.ranges()


# ---------------------------------------------------------------- rows to data


def _select(url: Database, sql: str, **parameters: object) -> list[Row]:
    with reading(url) as connection:
        if connection is None:
            return []
        return connection.rows(sql, {name: value for name, value in parameters.items() if value is not None})


def _at(path: str | None) -> str:
    return "" if path is None else " AND path = :path"
