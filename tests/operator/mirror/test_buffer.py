"""What waits for the database: the newest row of each thing, in bounded memory."""

from __future__ import annotations

from headwater.records.statements import UPSERTS
from headwater_operator.mirror import AttemptRow, SliceRow
from headwater_operator.mirror.buffer import Buffer
from headwater_operator.mirror.encoding import OUTPUTS_LIMIT, rows_of

from tests.operator.mirror.samples import change, failed_items, meta, node

LOTS = 10**9


def test_every_row_has_a_value_for_every_column() -> None:
    everything = change(
        1,
        nodes=(node("gen"),),
        attempts=(AttemptRow("gen", 1, "Running"),),
        slices=(SliceRow("process", "0-3"),),
        edges=(("gen", "process"),),
        **failed_items(1),
    )
    tables = {table: row for table, _, row in rows_of(everything)}
    assert {table: len(row) for table, row in tables.items()} == {
        table: len(UPSERTS[table].columns) for table in tables
    }
    assert len(tables) == 8
    named = dict(zip(UPSERTS["run"].columns, tables["run"], strict=True))
    assert (named["namespace"], named["pid"], named["version"], named["labels"]) == ("lab", 0, 1, "{}")
    assert dict(zip(UPSERTS["block"].columns, tables["block"], strict=True))["version"] == 1


def test_only_the_newest_row_of_a_thing_waits() -> None:
    buffer = Buffer(LOTS)
    for version in range(1, 1001):
        buffer.put(change(version, nodes=(node("gen", message=str(version)),)), 0.0)
    buffer.put(change(7, nodes=(node("gen", message="late"),)), 0.0)
    batch = buffer.take(100, LOTS, 0.0)
    assert [row[6] for row in batch.rows["block"]] == ["1000"]
    assert (len(buffer), batch.whole) == (3, [("u1", 1000)])


def test_what_changes_while_a_batch_is_written_waits_for_the_next() -> None:
    buffer = Buffer(LOTS)
    buffer.put(change(1, nodes=(node("gen"), node("other"))), 0.0)
    batch = buffer.take(100, LOTS, 5.0)
    buffer.put(change(2, nodes=(node("gen", "Succeeded"),)), 6.0)
    buffer.written(batch)
    assert buffer.waits_for("u1") == 2
    rest = buffer.take(100, LOTS, 7.0)
    assert {table: [row[1] for row in rows] for table, rows in rest.rows.items()} == {
        "block": ["gen"],
        "run": ["reduce"],
    }
    buffer.written(rest)
    assert (len(buffer), buffer.weight, buffer.waits_for("u1"), buffer.runs) == (0, 0, None, 0)


def test_a_large_run_goes_in_several_batches_its_own_row_last_and_keeps_nobody_waiting() -> None:
    buffer = Buffer(LOTS)
    buffer.put(change(1, "large", nodes=tuple(node(f"n{i}") for i in range(25))), 0.0)
    buffer.put(change(1, "small"), 1.0)
    batches = []
    while len(batch := buffer.take(10, LOTS, 2.0)):
        buffer.written(batch)
        batches.append(batch)
    assert [[row[0] for row in batch.rows.get("run", [])] for batch in batches] == [[], ["small"], ["large"]]
    assert [batch.whole for batch in batches] == [[], [("small", 1)], [("large", 1)]]
    assert max(map(len, batches)) == 10


def test_a_document_is_written_once_until_the_database_may_be_another() -> None:
    buffer = Buffer(LOTS)

    def documents(version: int, run_id: str) -> int:
        buffer.put(change(version, run_id), 0.0)
        batch = buffer.take(100, LOTS, 0.0)
        buffer.written(batch)
        return len(batch.rows.get("document", []))

    assert [documents(1, "u1"), documents(2, "u1"), documents(1, "u2")] == [1, 0, 0]
    buffer.documents_unknown()
    assert documents(2, "u2") == 1


def test_over_its_bound_it_lets_go_of_the_largest_runs_and_says_which() -> None:
    buffer = Buffer(200_000)
    for i in range(40):
        buffer.put(change(1, f"small{i}", complete=True), 0.0)
    buffer.put(change(4, "large", **failed_items(300)), 0.0)
    assert buffer.missing == {"large": 4}
    assert (buffer.runs, buffer.waits_for("large")) == (40, 4)
    assert buffer.weight <= buffer.limit
    buffer.put(change(5, "large", nodes=(node("gen"),)), 0.0)
    assert (buffer.missing, buffer.runs) == ({"large": 5}, 40)
    buffer.put(change(5, "large", complete=True), 0.0)
    assert (buffer.missing, buffer.waits_for("large")) == ({}, 5)


def test_one_complete_state_is_kept_however_large() -> None:
    buffer = Buffer(10_000)
    buffer.put(change(1, complete=True, **failed_items(300)), 0.0)
    assert buffer.missing == {}
    assert buffer.weight > buffer.limit


def test_a_run_let_go_while_it_is_written_counts_for_nothing_afterwards() -> None:
    buffer = Buffer(LOTS)
    buffer.put(change(1, nodes=(node("gen"),)), 0.0)
    batch = buffer.take(100, LOTS, 0.0)
    buffer.forget("u1")
    buffer.put(change(2), 0.0)
    buffer.written(batch)
    assert buffer.waits_for("u1") == 2
    buffer.forget("u1")
    assert buffer.weight == 0


def test_a_thousand_runs_of_one_workflow_bring_its_document_once_in_a_batch() -> None:
    buffer = Buffer(LOTS)
    for i in range(100):
        buffer.put(change(1, f"u{i}"), float(i))
    assert len(buffer.take(1000, LOTS, 0.0).rows["document"]) == 1


def test_secrets_among_the_parameters_are_not_kept() -> None:
    run = meta(document={"spec": {"parameters": {"db": {"password": "hunter2"}}}})
    assert "hunter2" not in repr(list(rows_of(change(1, run))))


def test_outputs_that_are_far_too_large_are_left_out() -> None:
    outputs = {"x": {"json": "a" * OUTPUTS_LIMIT}}
    rows = {table: row for table, _, row in rows_of(change(1, nodes=(node("gen", outputs=outputs),)))}
    assert rows["block"][UPSERTS["block"].columns.index("outputs")] is None
