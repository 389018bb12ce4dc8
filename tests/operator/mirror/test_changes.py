"""What the engine says of a run, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from headwater.document.unit import TaskRecord
from headwater.engine.commands import Collect, Measure, Start, StartItems
from headwater.engine.engine import Engine
from headwater.engine.events import (
    Collected,
    Event,
    Failed,
    Failure,
    ItemFailed,
    ItemsSucceeded,
    Sized,
    Started,
    Stopped,
    Succeeded,
)
from headwater.engine.graph import Block, Call, Const, From, Graph, Loop, Map, Node, Policy, Retry, Task
from headwater.engine.plan import edges_of
from headwater.engine.snapshot import restore, snapshot
from headwater_operator.mirror import NodeRow, Progress, RunChange, RunMeta, change_of
from headwater_operator.mirror.buffer import Buffer
from headwater_operator.mirror.writer import SqliteWriter

from tests.operator.mirror.samples import failure

RUN = RunMeta("u1", "reduce", "lab", 1.0)


def graph_of(*nodes: Node, **blocks: tuple[Node, ...]) -> Graph:
    more = {name: Block(name, some) for name, some in blocks.items()}
    return Graph({"main": Block("main", nodes), **more}, "main")


class Passes:
    """Feeds events to an engine, a pass each, and keeps what each pass changed."""

    def __init__(self, graph: Graph) -> None:
        self.engine = Engine(graph, {}, map_slots=False)
        self.commands = self.engine.start(at=1.0)
        self.changes = [change_of(self.engine, RUN, 1, None)]
        self.engine.take_changes()

    def feed(self, *events: Event, fused: Sequence[TaskRecord] = ()) -> RunChange:
        self.commands = [command for event in events for command in self.engine.handle(event)]
        changed = self.engine.take_changes()
        version = len(self.changes) + 1
        self.changes.append(change_of(self.engine, RUN, version, changed, events=events, fused=fused))
        return self.changes[-1]

    def complete(self) -> RunChange:
        return change_of(self.engine, RUN, len(self.changes) + 1, None)


def shown(nodes: Iterable[NodeRow]) -> dict[str, tuple[str, int]]:
    return {row.path: (row.phase, row.attempt) for row in nodes}


def test_the_first_change_is_all_that_has_begun_with_the_edges() -> None:
    run = Passes(graph_of(Node("gen", Task("m:Gen")), Node("show", Task("m:Show"), {"x": From("gen", "x")})))
    (first,) = run.changes
    assert first.complete
    assert shown(first.nodes) == {"gen": ("Running", 1)}
    assert [(row.path, row.attempt, row.started_at) for row in first.attempts] == [("gen", 1, 1.0)]
    assert first.edges == (("gen", "show"),)
    assert (first.progress_done, first.progress_total) == (0, 2)


def test_a_pass_tells_what_it_changed_and_the_last_one_how_the_run_ended() -> None:
    run = Passes(graph_of(Node("gen", Task("m:Gen")), Node("show", Task("m:Show"), {"x": From("gen", "x")})))
    second = run.feed(Succeeded("gen", 1, {"x": {"json": 3}}, at=4.0))
    assert shown(second.nodes) == {"gen": ("Succeeded", 1), "show": ("Running", 1)}
    assert second.nodes[0].outputs == {"x": {"json": 3}}
    assert (second.phase, second.finished_at, second.outputs, second.edges) == ("Running", None, None, ())
    last = run.feed(Succeeded("show", 1, {"y": {"ref": "sha256:1"}}, at=5.0))
    assert (last.phase, last.finished_at, last.outputs) == ("Succeeded", 5.0, {"y": {"ref": "sha256:1"}})
    assert (last.progress_done, last.progress_total) == (2, 2)


def test_times_that_are_known_better_are_the_attempts() -> None:
    run = Passes(graph_of(Node("gen", Task("m:Gen"))))
    run.engine.handle(Succeeded("gen", 1, {}, at=9.0))
    changed = run.engine.take_changes()
    change = change_of(run.engine, RUN, 2, changed, times={"gen": (6.5, 8.5)})
    (attempt,) = change.attempts
    assert (attempt.started_at, attempt.finished_at) == (6.5, 8.5)


def test_a_failed_attempt_is_told_with_what_was_raised_and_so_is_the_one_after_it() -> None:
    for delay in (0.0, 10.0):
        retry = Policy(retry=Retry(limit=1, initial=delay))
        run = Passes(graph_of(Node("gen", Task("m:Gen"), policy=retry)))
        second = run.feed(Failed("gen", 1, failure("first"), at=4.0))
        told = [(row.attempt, row.phase, row.finished_at) for row in second.attempts]
        assert (1, "Failed", 4.0) in told
        (raised,) = second.exceptions
        assert (raised.path, raised.attempt, raised.failure.message) == ("gen", 1, "first")
        assert second.nodes[0].error is None
        if delay:
            from headwater.engine.events import TimerFired

            third = run.feed(TimerFired("retry:gen:1", at=14.0))
            assert [(row.attempt, row.phase) for row in third.attempts] == [(2, "Running")]
            assert third.exceptions == ()
        last = run.feed(Failed("gen", 2, failure("second"), at=20.0))
        assert [(row.attempt, row.phase) for row in last.attempts] == [(2, "Failed")]
        assert [(row.attempt, row.failure.message) for row in last.exceptions] == [(2, "second")]
        assert (last.phase, last.error and last.error.message) == ("Failed", "second")


def test_an_exception_is_kept_where_it_began_and_not_at_every_block_around_it() -> None:
    run = Passes(graph_of(Node("outer", Call("inner")), inner=(Node("fit", Task("m:Fit")),)))
    last = run.feed(Failed("outer/fit", 1, failure(), at=4.0))
    assert shown(last.nodes) == {"outer/fit": ("Failed", 1), "outer": ("Failed", 1)}
    assert [row.path for row in last.exceptions] == ["outer/fit"]
    assert {row.path: row.error.node for row in last.nodes if row.error} == dict.fromkeys(
        ["outer/fit", "outer"], "outer/fit"
    )


def test_an_exception_inside_a_unit_is_kept_under_the_task_that_raised_it() -> None:
    graph = Graph(
        {
            "main": Block("main", (Node("outer", Call("inner")),)),
            "inner": Block("inner", (Node("fit", Task("m:Fit")),), unit=True),
        },
        "main",
    )
    run = Passes(graph)
    why = Failure("KeyError", "x", node="outer/fit", traceback="Traceback ...")
    records = [TaskRecord("outer/fit", "Failed", 2, 2.0, 1.5, "KeyError: x")]
    last = run.feed(Failed("outer", 1, why, at=4.0), fused=records)
    assert [(row.path, row.failure.traceback) for row in last.exceptions] == [("outer/fit", "Traceback ...")]
    inside = next(row for row in last.nodes if row.path == "outer/fit")
    assert (inside.kind, inside.ref, inside.phase, inside.attempt) == ("task", "m:Fit", "Failed", 2)
    assert (inside.started_at, inside.finished_at) == (2.0, 3.5)
    assert inside.error == Failure("KeyError", "x", node="outer/fit")
    assert ("outer/fit", 2, "Failed") in [(row.path, row.attempt, row.phase) for row in last.attempts]


def mapped(retries: int = 1) -> Passes:
    policy = Policy(retry=Retry(limit=retries))
    run = Passes(graph_of(Node("m", Map(Task("m:f"), {"x": Const({"range": 10})}), policy=policy)))
    assert isinstance(run.commands[0], Measure)
    run.feed(Sized("m", 10, at=2.0))
    assert isinstance(run.commands[0], StartItems)
    return run


def test_items_that_failed_have_rows_and_the_others_are_one_slice() -> None:
    run = mapped()
    third = run.feed(ItemsSucceeded("m", ((0, 4),), 3.0, cached=2), ItemFailed("m", 4, 1, failure(), 3.0))
    assert [(row.path, row.ranges) for row in third.slices] == [("m", "0-3")]
    assert [(row.index, row.phase, row.attempt, row.finished_at) for row in third.items] == [
        (4, "Failed", 1, 3.0)
    ]
    assert [(row.index, row.attempt, row.raised_at) for row in third.exceptions] == [(4, 1, 3.0)]
    (node,) = third.nodes
    assert (node.total, node.succeeded, node.failed, node.cached) == (10, 4, 0, 2)
    fourth = run.feed(ItemsSucceeded("m", ((4, 10),), 5.0))
    assert [(row.index, row.phase, row.attempt, row.failure) for row in fourth.items] == [
        (4, "Succeeded", 2, None)
    ]
    assert isinstance(run.commands[0], Collect)
    last = run.feed(Collected("m", {"y": {"json": [1]}}, at=6.0))
    assert [(row.ranges, row.finished_at) for row in last.slices] == [("0-9", 6.0)]
    assert (last.progress_done, last.progress_total, last.phase) == (10, 10, "Succeeded")


def test_a_map_that_fails_says_how_many_items_failed() -> None:
    run = mapped(retries=0)
    last = run.feed(
        *(ItemFailed("m", i, 1, failure(), 3.0) for i in (1, 7)), ItemsSucceeded("m", ((0, 10),), 4.0)
    )
    assert (last.phase, last.failed_items, last.error and last.error.type) == ("Failed", 2, "MapFailed")
    assert {row.path for row in last.exceptions} == {"m"}


def test_items_that_the_engine_runs_node_by_node_have_rows_too() -> None:
    body = (Node("fit", Task("m:Fit")),)
    policy = Policy(retry=Retry(limit=1))
    node = Node("m", Map(Call("item"), {"x": Const({"range": 2})}), policy=policy)
    run = Passes(graph_of(node, item=body))
    run.feed(Sized("m", 2, at=2.0))
    third = run.feed(Succeeded("m[0]/fit", 1, {}, at=3.0), Failed("m[1]/fit", 1, failure(), at=4.0))
    assert [(row.path, row.index, row.phase, row.attempt) for row in third.items] == [("m", 1, "Failed", 1)]
    (again,) = [command for command in run.commands if isinstance(command, Start)]
    fourth = run.feed(Succeeded("m[1]/fit", again.attempt, {}, at=5.0))
    assert [(row.index, row.phase, row.attempt, row.finished_at) for row in fourth.items] == [
        (1, "Succeeded", 2, 5.0)
    ]
    assert shown(fourth.nodes)["m[1]/fit"] == ("Succeeded", again.attempt)
    assert [(row.path, row.attempt) for row in third.exceptions] == [("m[1]/fit", 1)]
    assert [row.ranges for row in fourth.slices] == ["0-1"]


def test_nothing_of_a_run_that_is_over_stays_running() -> None:
    run = Passes(graph_of(Node("gen", Task("m:Gen")), Node("show", Task("m:Show"), {"x": From("gen", "x")})))
    last = run.feed(Stopped(4.0, kill=True, reason="enough", code=3))
    assert last.phase in ("Failed", "Cancelled")
    assert all(row.finished_at is not None for row in last.nodes)
    assert "Running" not in {row.phase for row in (*last.nodes, *last.attempts)}


def test_edges_of_other_blocks_have_their_name_before_them() -> None:
    body = (Node("a", Task("m:a")), Node("b", Task("m:b"), {"x": From("a", "x")}))
    assert edges_of(graph_of(Node("outer", Call("inner")), inner=body)) == [("inner/a", "inner/b")]


def tables(changes: Sequence[RunChange]) -> dict[str, list[tuple[object, ...]]]:
    writer, buffer = SqliteWriter("sqlite://", 1.0), Buffer(10**9)
    for each in changes:
        buffer.put(each, 0.0)
        batch = buffer.take(10**6, 10**9, 0.0)
        writer.write(batch.rows, batch.run_ids)
        buffer.written(batch)
    assert writer._connection is not None
    columns = {
        "block": "path, kind, phase, attempt, started_at, finished_at, outputs, total, succeeded, failed",
        "attempt": "path, attempt, phase, started_at, finished_at, error_message",
        "map_item": "path, item_index, phase, attempt, error_message",
        "map_slice": "path, ranges",
        "runtime_exception": "path, item_index, attempt, message, traceback, raised_at",
    }
    found = {
        table: sorted(writer._connection.rows(f"SELECT {names} FROM {table}"), key=repr)
        for table, names in columns.items()
    }
    writer.close()
    return found


def test_the_complete_state_after_a_restart_comes_to_the_same_rows() -> None:
    run = mapped(retries=0)
    run.feed(ItemsSucceeded("m", ((0, 4),), 3.0), ItemFailed("m", 4, 1, failure(), 3.0))
    run.engine = restore(run.engine.graph, snapshot(run.engine))
    again = run.complete()
    assert again.complete
    before, after = tables(run.changes), tables([*run.changes, again])
    assert before == after
    alone = tables([again])
    assert {table: alone[table] for table in ("block", "map_item", "map_slice")} == {
        table: after[table] for table in ("block", "map_item", "map_slice")
    }


def test_passes_of_a_loop_stay_recorded_after_the_engine_has_forgotten_them() -> None:
    run = Passes(graph_of(Node("loop", Loop("body", 3)), body=(Node("fit", Task("m:Fit")),)))
    for number in range(3):
        start = next(command for command in run.commands if isinstance(command, Start))
        assert start.path == f"loop[{number}]/fit"
        run.feed(Succeeded(start.path, 1, {"x": {"json": number}}, at=3.0 + number))
    found = {row[0]: row[2] for row in tables([*run.changes, run.complete()])["block"]}
    assert found == {f"loop[{i}]/fit": "Succeeded" for i in range(3)} | {"loop": "Succeeded"}


def test_a_caller_that_has_counted_already_says_so() -> None:
    engine = Engine(graph_of(Node("gen", Task("m:Gen"))), {})
    engine.start(at=1.0)
    change = change_of(engine, RUN, 1, None, progress=Progress(3, 9, 1), phase="Pending", message="queued")
    assert (change.progress_done, change.progress_total, change.failed_items) == (3, 9, 1)
    assert (change.phase, change.message) == ("Pending", "queued")


def test_what_has_been_handed_out_and_does_not_run_says_why() -> None:
    run = Passes(graph_of(Node("gen", Task("m:Gen"))))
    why = {"gen": "Unschedulable: no machine has 64 CPUs free"}
    waits = change_of(run.engine, RUN, 2, None, waiting=why)
    assert [(row.phase, row.message) for row in waits.nodes] == [("Running", why["gen"])]
    run.engine.handle(Started("gen", 1, 7.0))
    begun = change_of(run.engine, RUN, 3, None, waiting={})
    assert [(row.phase, row.message, row.started_at) for row in begun.nodes] == [("Running", "", 7.0)]
    run.engine.handle(Succeeded("gen", 1, {"x": 1}, 9.0))
    (ended,) = change_of(run.engine, RUN, 4, None, waiting=why).nodes
    assert (ended.phase, ended.message) == ("Succeeded", "")
