"""Any order, any repetition, any cut into batches, several writers: the tables come out the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from headwater.records.connection import Row
from headwater_operator.mirror import AttemptRow, ExceptionRow, ItemRow, NodeRow, RunChange, SliceRow
from headwater_operator.mirror.buffer import Buffer
from headwater_operator.mirror.postgres import PostgresWriter
from headwater_operator.mirror.writer import SqliteWriter, Writer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.operator.mirror.samples import change, failure, meta
from tests.operator.mirror.servers import TABLES, Server, content

PATHS = st.sampled_from(["gen", "process", "loop[0]/fit"])
TEXTS = st.text(max_size=12) | st.sampled_from(["a\x00b", "\ud800", "\\N", "\t\n\\", "é", "\\."])
TIMES = st.none() | st.sampled_from([12.0, 13.5])
LIVE = st.sampled_from(["Pending", "Running", "Suspended", "Succeeded", "Failed"])
FAILURES = st.none() | st.builds(failure, TEXTS)
ATTEMPTS = st.integers(1, 2)

ROWS = st.fixed_dictionaries(
    {
        "nodes": st.lists(
            st.builds(
                NodeRow,
                PATHS,
                st.just("task"),
                st.just("m:f"),
                LIVE,
                ATTEMPTS,
                TIMES,
                TIMES,
                TEXTS,
                outputs=st.none() | st.dictionaries(st.just("x"), st.builds(lambda t: {"json": t}, TEXTS)),
                answer=st.none() | st.booleans(),
                total=st.none() | st.integers(0, 9),
                error=FAILURES,
            ),
            max_size=3,
            unique_by=lambda row: row.path,
        ).map(tuple),
        "attempts": st.lists(
            st.builds(AttemptRow, PATHS, ATTEMPTS, LIVE, TIMES, TIMES, FAILURES),
            max_size=3,
            unique_by=lambda row: (row.path, row.attempt),
        ).map(tuple),
        "items": st.lists(
            st.builds(ItemRow, PATHS, st.integers(0, 3), LIVE, ATTEMPTS, FAILURES, TIMES),
            max_size=4,
            unique_by=lambda row: (row.path, row.index),
        ).map(tuple),
        "slices": st.lists(
            st.builds(SliceRow, PATHS, st.sampled_from(["0", "0-3", "0-1,3"]), TIMES),
            max_size=2,
            unique_by=lambda row: row.path,
        ).map(tuple),
        "exceptions": st.lists(
            st.builds(
                ExceptionRow, PATHS, st.none() | st.integers(0, 3), ATTEMPTS, st.builds(failure), TIMES
            ),
            max_size=2,
            unique_by=lambda row: (row.path, row.index, row.attempt),
        ).map(tuple),
        "edges": st.just(()) | st.just((("gen", "process"),)),
        "complete": st.booleans(),
        "message": TEXTS,
    }
)


@st.composite
def histories(draw: st.DrawFn) -> list[RunChange]:
    """The changes of one or two runs, in the order in which they happened; a run's end is its last change."""
    changes: list[RunChange] = []
    for run_id in draw(st.sampled_from([["u1"], ["u1", "u2"]])):
        some = [
            change(i, run_id, **rows)
            for i, rows in enumerate(draw(st.lists(ROWS, min_size=1, max_size=5)), 1)
        ]
        if draw(st.booleans()):
            some[-1] = replace(some[-1], phase="Succeeded", finished_at=100.0)
        changes += some
    return changes


def write(writer: Writer, groups: Sequence[Sequence[RunChange]], most_rows: int) -> None:
    """Write each group as an operator of its own would, cut into small transactions."""
    for group in groups:
        buffer = Buffer(10**9)
        for each in group:
            buffer.put(each, 0.0)
        while len(batch := buffer.take(most_rows, 10**9, 0.0)):
            assert writer.write(batch.rows, batch.run_ids) == 0
            buffer.written(batch)


@st.composite
def mixed(draw: st.DrawFn) -> tuple[list[RunChange], list[list[RunChange]], int]:
    """A history; the same in any order, repeated at will, cut into groups; rows to a transaction."""
    history = draw(histories())
    order = draw(st.permutations(history)) + draw(st.lists(st.sampled_from(history), max_size=4))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=3)))
    groups = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return history, groups, draw(st.integers(1, 20))


def rows_in(writer: SqliteWriter) -> dict[str, list[Row]]:
    assert writer._connection is not None
    return {table: sorted(writer._connection.rows(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


@given(mixed())
@settings(max_examples=70, deadline=None)
def test_any_order_and_repetition_comes_to_the_same_as_the_order_in_which_it_happened(
    case: tuple[list[RunChange], list[list[RunChange]], int],
) -> None:
    history, groups, most_rows = case
    found = []
    for some, most in (([[each] for each in history], 10**6), (groups, most_rows)):
        writer = SqliteWriter("sqlite://", 1.0)
        try:
            write(writer, some, most)
            found.append(rows_in(writer))
        finally:
            writer.close()
    assert found[0] == found[1]


@given(mixed())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_postgresql_ends_with_the_same_rows_as_sqlite(
    server: Server, case: tuple[list[RunChange], list[list[RunChange]], int]
) -> None:
    history, groups, most_rows = case
    reference = SqliteWriter("sqlite://", 1.0)
    write(reference, [[each] for each in history], 10**6)
    with server.database() as name:
        writer = PostgresWriter(server.url(name), 5.0)
        try:
            write(writer, groups, most_rows)
            assert content(server.url(name)) == rows_in(reference)
        finally:
            writer.close()
            reference.close()


@pytest.mark.parametrize("first", ["Succeeded", "Running"])
def test_what_an_ended_run_left_unfinished_is_lost_whoever_comes_last(first: str) -> None:
    run = meta()
    stale = change(3, run, nodes=(NodeRow("loop[0]/fit", "task", "m:f", "Running"),))
    end = change(9, run, "Succeeded", nodes=(NodeRow("gen", "task", "m:f", "Succeeded"),))
    writer = SqliteWriter("sqlite://", 1.0)
    write(writer, [[end], [stale]] if first == "Succeeded" else [[stale], [end]], 100)
    phases = {row[1]: row[4] for row in rows_in(writer)["block"]}
    writer.close()
    assert phases == {"gen": "Succeeded", "loop[0]/fit": "Lost"}
