"""What the engine decides, one rule a test."""

import pytest
from headwater.engine import Engine, Graph, Known, Phase
from headwater.engine.commands import Cancel, ClearTimer, Finish, SetTimer, Start, StartItems
from headwater.engine.events import (
    Approved,
    Changed,
    Collected,
    Failed,
    Failure,
    ItemFailed,
    ItemsSucceeded,
    Sized,
    Started,
    Stopped,
    Succeeded,
    TimerFired,
    Waiting,
)
from headwater.engine.graph import (
    Block,
    BlockInput,
    Branch,
    Call,
    Condition,
    Const,
    Dependency,
    ErrorClass,
    FirstOf,
    From,
    Input,
    Iterate,
    Loop,
    Map,
    Merge,
    Node,
    Policy,
    Race,
    Retry,
    RunField,
    RunPolicy,
    Suspend,
    Task,
    Test,
)
from world import SKIP, World, phases


def task(name, after=(), *, take=None, **policy):
    inputs = {output: From(node, output) for node, output in (take or {}).items()}
    return Node(name, Task(f"m:{name}"), inputs, tuple(Dependency(n) for n in after), policy=Policy(**policy))


def graph(*nodes, blocks=(), **policy):
    every = [Block("main", nodes), *blocks]
    return Graph({block.name: block for block in every}, "main", RunPolicy(**policy))


def failing(*paths, times=99):
    def behave(path, attempt, inputs):
        if path in paths and attempt <= times:
            raise ValueError(f"{path} is broken")
        return {"x": path}

    return behave


def test_a_chain_runs_in_order_and_passes_outputs_on():
    seen = {}

    def behave(path, attempt, inputs):
        seen[path] = dict(inputs)
        return {"x": path}

    engine = World(behave).run(graph(task("a"), task("b", take={"a": "x"})))
    assert engine.phase == "Succeeded"
    assert seen == {"a": {}, "b": {"x": "a"}}
    assert engine.outputs == {"x": "b"}


def test_after_a_failure_nothing_new_starts():
    engine = World(failing("a")).run(graph(task("a"), task("b", ["a"]), task("c")), slots=1)
    assert engine.phase == "Failed"
    assert engine.error.node == "a"
    assert phases(engine) == {"a": "Failed", "b": "Skipped", "c": "Cancelled"}


def test_without_fail_fast_every_branch_that_can_run_runs():
    engine = World(failing("a")).run(graph(task("a"), task("b", ["a"]), task("c"), fail_fast=False), slots=1)
    assert phases(engine) == {"a": "Failed", "b": "Skipped", "c": "Succeeded"}
    assert engine.phase == "Failed"


def test_a_failure_that_a_node_waits_for_does_not_fail_the_run():
    rescue = Node("rescue", Task("m:r"), {"why": From("a", "error")}, (Dependency("a", "failed"),))
    seen = {}

    def behave(path, attempt, inputs):
        seen[path] = inputs
        return failing("a")(path, attempt, inputs)

    engine = World(behave).run(graph(task("a"), rescue))
    assert engine.phase == "Succeeded"
    assert seen["rescue"]["why"] == {
        "node": "a",
        "type": "ValueError",
        "message": "a is broken",
        "class": "Error",
    }


def test_a_node_that_waits_for_a_failure_is_skipped_when_there_is_none():
    rescue = Node("rescue", Task("m:r"), {}, (Dependency("a", "failed"),))
    assert phases(World().run(graph(task("a"), rescue)))["rescue"] == "Skipped"


def test_a_node_that_waits_for_either_outcome_runs_and_the_failure_still_counts():
    tidy = Node("tidy", Task("m:t"), {}, (Dependency("a", "finished"),))
    engine = World(failing("a")).run(graph(task("a"), tidy))
    assert phases(engine) == {"a": "Failed", "tidy": "Succeeded"}
    assert engine.phase == "Failed"


def test_a_failure_that_may_be_passed_over_is():
    engine = World(failing("a")).run(graph(task("a", continue_on_failure=True), task("b", ["a"])))
    assert phases(engine) == {"a": "Failed", "b": "Succeeded"}
    assert engine.phase == "Succeeded"


def test_a_skipped_task_skips_all_that_come_after_it():
    def behave(path, attempt, inputs):
        return SKIP if path == "a" else {}

    engine = World(behave).run(graph(task("a"), task("b", ["a"]), task("c", ["b"]), task("d")))
    assert phases(engine) == {"a": "Skipped", "b": "Skipped", "c": "Skipped", "d": "Succeeded"}
    assert engine.phase == "Succeeded"


def conditional(answer):
    yes = Node("yes", Task("m:y"), branch=Branch("if", True))
    no = Node("no", Task("m:n"), branch=Branch("if", False))
    merge = Node("merge", Merge(), {}, (Dependency("yes"), Dependency("no")))
    last = Node("last", Task("m:l"), {"x": From("merge", "x")})
    nodes = (task("a"), Node("if", Condition(Task("m:c")), {"x": From("a", "x")}), yes, no, merge, last)
    return World(failing(), lambda path, inputs: answer).run(graph(*nodes))


@pytest.mark.parametrize(("answer", "taken", "left"), [(True, "yes", "no"), (False, "no", "yes")])
def test_a_condition_takes_one_branch_and_a_merge_passes_it_on(answer, taken, left):
    engine = conditional(answer)
    assert phases(engine)[taken] == "Succeeded"
    assert phases(engine)[left] == "Skipped"
    assert engine.states["merge"].outputs == {"x": taken}
    assert phases(engine)["last"] == "Succeeded"


def test_two_live_branches_into_a_merge_are_an_error():
    merge = Node("merge", Merge(), {}, (Dependency("a"), Dependency("b")))
    engine = World().run(graph(task("a"), task("b"), merge))
    assert engine.phase == "Failed"
    assert "2 live branches" in engine.error.message


def test_a_block_output_may_come_from_whichever_branch_is_live():
    yes = Node("yes", Task("m:y"), branch=Branch("if", True))
    no = Node("no", Task("m:n"), branch=Branch("if", False))
    block = Block(
        "main",
        (Node("if", Condition(Task("m:c"))), yes, no),
        outputs={"x": FirstOf((From("yes", "x"), From("no", "x")))},
    )
    engine = World(failing(), lambda path, inputs: False).run(Graph({"main": block}, "main"))
    assert engine.outputs == {"x": "no"}


def test_when_is_asked_before_a_node_runs():
    node = Node("a", Task("m:a"), when=Test(Const(3), "in", (1, 2)))
    engine = World(decide=lambda path, inputs: False).run(graph(node))
    assert phases(engine) == {"a": "Skipped"}


def test_retries_end_with_a_success_or_with_the_last_failure():
    retry = Retry(limit=2)
    good = World(failing("a", times=2))
    assert good.run(graph(task("a", retry=retry))).phase == "Succeeded"
    assert good.started == ["a#1", "a#2", "a#3"]
    bad = World(failing("a", times=3))
    assert bad.run(graph(task("a", retry=retry))).phase == "Failed"


def test_only_the_named_classes_are_retried():
    retry = Retry(limit=5, classes=frozenset({ErrorClass.OOM}), explicit_classes=True)
    world = World(failing("a"))
    assert world.run(graph(task("a", retry=retry))).phase == "Failed"
    assert world.started == ["a#1"]


def test_disruptions_are_retried_five_times_without_counting():
    def behave(path, attempt, inputs):
        raise ConnectionError("node lost")

    world = World(behave)
    assert world.run(graph(task("a"))).phase == "Failed"
    assert len(world.started) == 6


def test_a_retry_waits_for_its_backoff():
    engine = Engine(graph(task("a", retry=Retry(limit=1, initial=10.0))), {})
    engine.start(0.0)
    commands = engine.handle(Failed("a", 1, Failure("E", "no"), 1.0))
    assert commands == [SetTimer("retry:a:1", 10.0)]
    (again,) = engine.handle(TimerFired("retry:a:1", 11.0))
    assert isinstance(again, Start)
    assert again.attempt == 2


def test_a_timeout_counts_from_the_start_and_is_a_failure_of_its_own_class():
    engine = Engine(graph(task("a", timeout=5.0)), {})
    engine.start(0.0)
    assert engine.handle(Started("a", 1, 1.0)) == [SetTimer("timeout:a:1", 5.0)]
    commands = engine.handle(TimerFired("timeout:a:1", 6.0))
    assert Cancel("a", 0, "timeout") in commands
    assert engine.phase == "Failed"
    assert engine.error.error_class is ErrorClass.TIMEOUT


def test_why_something_waits_is_told_while_its_attempt_is_under_way_only():
    engine = Engine(graph(task("a", retry=Retry(limit=1))), {})
    engine.start(0.0)
    engine.handle(Waiting("a", 1, "queued", 1.0))
    assert [(state.path, state.message) for state in engine.changes[-1:]] == [("a", "queued")]
    engine.handle(Waiting("a", 1, "", 2.0))
    assert engine.states["a"].message == ""
    engine.handle(Failed("a", 1, Failure("E", "no"), 3.0))
    engine.handle(Waiting("a", 1, "late", 4.0))
    engine.handle(Succeeded("a", 2, {"x": 2}, 5.0))
    engine.handle(Waiting("a", 2, "late", 6.0))
    assert engine.states["a"].message == ""


def test_an_attempt_that_is_over_cannot_end_again():
    engine = Engine(graph(task("a", retry=Retry(limit=1))), {})
    engine.start(0.0)
    engine.handle(Failed("a", 1, Failure("E", "no"), 1.0))
    assert engine.handle(Succeeded("a", 1, {"x": 1}, 2.0)) == []
    assert engine.handle(Succeeded("a", 2, {"x": 2}, 3.0)) == [Finish("Succeeded")]
    assert engine.outputs == {"x": 2}


def test_parallelism_bounds_what_runs_at_once():
    engine = Engine(graph(*(task(f"t{i}") for i in range(5)), parallelism=2), {})
    first = engine.start(0.0)
    assert [c.path for c in first] == ["t0", "t1"]
    assert [c.path for c in engine.handle(Succeeded("t1", 1, {}, 1.0))] == ["t2"]
    assert len(engine.handle(Changed(2.0, parallelism=4))) == 2


def test_a_suspended_run_starts_nothing_until_it_goes_on():
    engine = Engine(graph(task("a"), task("b", ["a"])), {})
    engine.start(0.0)
    engine.handle(Changed(1.0, suspend=True))
    assert engine.handle(Succeeded("a", 1, {}, 2.0)) == []
    assert [c.path for c in engine.handle(Changed(3.0, suspend=False))] == ["b"]


# ---------------------------------------------------------------- calls


def called(**policy):
    inner = Block(
        "inner",
        (Node("b", Task("m:b"), {"x": BlockInput("x")}), task("c", take={"b": "x"})),
        {"x": Input()},
        {"y": From("c", "x")},
    )
    call = Node("call", Call("inner"), {"x": From("a", "x")}, policy=Policy(**policy))
    return graph(task("a"), call, blocks=[inner])


def test_a_call_runs_its_block_below_it():
    engine = World(failing()).run(called())
    assert engine.outputs == {"y": "call/c"}
    assert phases(engine) == dict.fromkeys(("a", "call", "call/b", "call/c"), "Succeeded")


def test_a_failure_inside_a_call_is_reported_where_it_happened():
    engine = World(failing("call/b")).run(called())
    assert engine.error.node == "call/b"
    assert phases(engine)["call"] == "Failed"
    assert phases(engine)["call/c"] == "Skipped"


def test_a_call_may_be_retried_as_a_whole():
    world = World(failing("call/c", times=1))
    assert world.run(called(retry=Retry(limit=1))).phase == "Succeeded"
    assert world.started == ["a#1", "call/b#1", "call/c#1", "call/b#2", "call/c#2"]


def test_a_unit_is_started_as_one():
    inner = Block("inner", (task("b"),), unit=True)
    world = World(failing())
    world.run(graph(Node("call", Call("inner")), blocks=[inner]))
    assert world.started == ["call#1"]


# ---------------------------------------------------------------- maps


def mapped(total=5, body=None, blocks=(), **options):
    policy = options.pop("policy", Policy())
    parallelism = options.pop("run_parallelism", None)
    node = Node("m", Map(body or Task("m:f"), {"x": Const(list(range(total)))}, **options), policy=policy)
    return graph(node, blocks=blocks, parallelism=parallelism)


@pytest.mark.parametrize("retry", [Retry(limit=0), Retry(limit=3)])
def test_a_map_whose_items_cannot_be_run_at_all_has_failed_whatever_was_under_way(retry):
    engine = Engine(mapped(policy=Policy(retry=retry), run_parallelism=3), {})
    engine.start(0.0)
    engine.handle(Sized("m", 5, 1.0))
    engine.handle(ItemsSucceeded("m", ((0, 1),), 2.0))
    refused = Failure("Invalid", "no such volume", ErrorClass.INVALID)
    withdrawn, finish = engine.handle(Failed("m", 1, refused, 3.0))
    assert (withdrawn, finish) == (Cancel("m", 0, "its items cannot be run"), Finish("Failed"))
    assert (engine.error.message, engine.error.node) == ("no such volume", "m")
    assert engine.running == engine.busy_slots == 0


def test_a_map_that_waits_elsewhere_is_timed_from_its_first_item_on():
    engine = Engine(mapped(policy=Policy(timeout=30)), {}, queued=True)
    begun = engine.start(0.0) + engine.handle(Sized("m", 5, 1.0))
    assert not [command for command in begun if isinstance(command, SetTimer)]
    assert engine.handle(Started("m", 1, 100.0)) == [SetTimer("timeout:m:1", 30)]
    assert engine.handle(Started("m", 1, 101.0)) == []
    assert Cancel("m", 0, "timeout") in engine.handle(TimerFired("timeout:m:1", 130.0))


def test_a_map_that_is_run_at_once_is_timed_from_when_it_is_handed_out():
    engine = Engine(mapped(policy=Policy(timeout=30)), {})
    engine.start(0.0)
    assert SetTimer("timeout:m:1", 30) in engine.handle(Sized("m", 5, 1.0))


def impatient(**options):
    """A map of five items that is to start within 30 s, and has been handed out."""
    engine = Engine(mapped(policy=Policy(queue_timeout=30), **options), {})
    engine.start(0.0)
    *_, timer = engine.handle(Sized("m", 5, 1.0))
    assert timer == SetTimer("queue:m:1", 30)
    return engine


def test_a_map_of_which_nothing_starts_in_time_is_withdrawn_and_has_failed():
    engine = impatient(run_parallelism=5)
    withdrawn, finish = engine.handle(TimerFired("queue:m:1", 31.0))
    assert (withdrawn, finish) == (Cancel("m", 0, "queueTimeout"), Finish("Failed"))
    assert engine.error.message == "did not start within its queueTimeout of 30 s"
    assert engine.running == engine.busy_slots == 0


def test_what_a_node_has_waited_for_in_vain_is_told():
    engine = impatient()
    engine.handle(TimerFired("queue:m:1", 31.0, "secret 'token' is missing"))
    assert engine.error.message.endswith("its queueTimeout of 30 s: secret 'token' is missing")


@pytest.mark.parametrize(
    "news",
    [
        Started("m", 1, 2.0),
        ItemsSucceeded("m", ((2, 3),), 2.0),
        ItemFailed("m", 4, 1, Failure("ValueError", "no"), 2.0),
    ],
)
def test_a_map_has_started_once_anything_of_it_has(news):
    engine = impatient()
    assert ClearTimer("queue:m:1") in engine.handle(news)
    assert engine.handle(TimerFired("queue:m:1", 31.0)) == []


def test_items_that_follow_later_need_no_start_in_time():
    engine = impatient(run_parallelism=2)
    engine.handle(Started("m", 1, 2.0))
    following = engine.handle(ItemsSucceeded("m", ((0, 1),), 3.0))
    assert [type(each) for each in following] == [StartItems]


def test_a_map_that_timed_out_gives_its_places_to_others():
    late = Node(
        "m", Map(Task("m:f"), {"x": Const([1, 2])}), policy=Policy(timeout=10, continue_on_failure=True)
    )
    engine = Engine(graph(late, task("b", after=["m"]), parallelism=2), {})
    engine.start(0.0)
    engine.handle(Sized("m", 2, 1.0))
    withdrawn, started, *_ = engine.handle(TimerFired("timeout:m:1", 11.0))
    assert withdrawn == Cancel("m", 0, "timeout")
    assert (type(started), started.path) == (Start, "b")
    assert engine.running == 1


def test_a_map_is_handed_out_as_ranges():
    engine = Engine(mapped(100_000), {})
    engine.start(0.0)
    (command,) = engine.handle(Sized("m", 100_000, 1.0))
    assert isinstance(command, StartItems)
    assert command.ranges == ((0, 100_000),)
    engine.handle(ItemsSucceeded("m", ((0, 99_999),), 2.0))
    (collect,) = engine.handle(ItemsSucceeded("m", ((99_999, 100_000),), 3.0))
    assert engine.handle(Collected("m", {"y": "ref"}, 4.0)) == [Finish("Succeeded")]
    assert collect.total == 100_000


def test_an_empty_map_has_empty_outputs():
    engine = World().run(mapped(0))
    assert engine.outputs["n"] == 0


def test_a_map_fails_with_every_failed_index():
    engine = World(failing("m[1]", "m[3]")).run(mapped(5))
    assert engine.phase == "Failed"
    assert engine.error.message.startswith("2 of 5 items failed: 1, 3; first m[1]: ValueError")


@pytest.mark.parametrize(
    ("tolerate", "phase"),
    [(1, "Failed"), (2, "Succeeded"), (0.4, "Succeeded"), (0.3, "Failed"), (None, "Succeeded")],
)
def test_failed_items_are_tolerated_up_to_a_count_or_a_share(tolerate, phase):
    assert World(failing("m[1]", "m[3]")).run(mapped(5, tolerate=tolerate)).phase == phase


def test_failed_items_are_retried_in_a_wave_of_their_own():
    world = World(failing("m[1]", "m[3]", times=1))
    engine = world.run(mapped(5, policy=Policy(retry=Retry(limit=1, initial=3.0))))
    assert engine.phase == "Succeeded"
    assert world.started[5:] == ["m[1]#2", "m[3]#2"]


def test_a_repeated_failure_of_an_item_counts_once():
    engine = Engine(mapped(2, policy=Policy(retry=Retry(limit=1))), {})
    engine.start(0.0)
    engine.handle(Sized("m", 2, 0.0))
    failed = ItemFailed("m", 0, 1, Failure("E", "no"), 1.0)
    assert len(engine.handle(failed)) == 1
    assert engine.handle(failed) == []


def test_run_parallelism_counts_items():
    engine = Engine(mapped(5, run_parallelism=2), {})
    engine.start(0.0)
    assert engine.handle(Sized("m", 5, 0.0))[0].ranges == ((0, 2),)
    assert engine.handle(ItemsSucceeded("m", ((0, 1),), 1.0))[0].ranges == ((2, 3),)


def test_a_block_that_is_no_unit_is_expanded_item_by_item():
    inner = Block(
        "inner", (Node("b", Task("m:b"), {"x": BlockInput("x")}),), {"x": Input()}, {"y": From("b", "x")}
    )
    world = World(failing("m[2]/b"))
    engine = world.run(mapped(3, body=Call("inner"), blocks=[inner], tolerate=1))
    assert world.started == ["m[0]/b#1", "m[1]/b#1", "m[2]/b#1"]
    assert engine.outputs["failed"] == [2]
    assert engine.outputs["items"] == {0: {"y": "m[0]/b"}, 1: {"y": "m[1]/b"}}
    assert phases(engine) == {"m": "Succeeded"}


def test_items_that_are_known_do_not_run_again():
    engine = Engine(mapped(5), {})
    engine.start(0.0)
    (command,) = engine.handle(Sized("m", 5, 0.0, ((0, 2), (4, 5))))
    assert command.ranges == ((2, 4),)


# ---------------------------------------------------------------- loops, iterations, races


def test_a_loop_runs_its_block_so_many_times():
    inner = Block("inner", (task("b"),))
    world = World(failing())
    engine = world.run(graph(Node("loop", Loop("inner", 3)), blocks=[inner]))
    assert world.started == ["loop[0]/b#1", "loop[1]/b#1", "loop[2]/b#1"]
    assert engine.outputs == {"x": "loop[2]/b"}


def test_an_infinite_loop_outlives_a_failed_pass_and_ends_when_told():
    inner = Block("inner", (task("b"),))
    engine = Engine(graph(Node("loop", Loop("inner", None)), blocks=[inner]), {})
    engine.start(0.0)
    engine.handle(Failed("loop[0]/b", 1, Failure("E", "no"), 1.0))
    assert "loop[1]/b" in engine.states
    assert "loop[0]/b" not in engine.states
    assert engine.handle(Stopped(2.0, kill=True))[-1] == Finish("Cancelled")


def iterating(until="m:until", maximum=5, initial=None):
    inner = Block("inner", (Node("b", Task("m:b"), {"n": BlockInput("n")}),), {"n": Input()})
    node = Node("it", Iterate("inner", maximum, until, initial or {}), {"n": Const(1)})
    return graph(node, blocks=[inner])


def test_an_iteration_feeds_its_outputs_back_until_it_is_told_to_stop():
    world = World(lambda path, attempt, inputs: {"n": inputs["n"] * 2}, lambda path, inputs: inputs["n"] >= 8)
    assert world.run(iterating()).outputs == {"n": 8}
    assert len(world.started) == 3


def test_an_iteration_without_until_uses_all_its_passes_and_starts_at_initial():
    world = World(lambda path, attempt, inputs: {"n": inputs["n"] + 1})
    assert world.run(iterating(None, 4, {"n": Const(10)})).outputs == {"n": 14}


def test_the_first_runner_to_succeed_wins_and_the_others_are_cancelled():
    blocks = [Block("fast", (task("f"),)), Block("slow", (task("s1"), task("s2", ["s1"])))]
    world = World(failing())
    engine = world.run(graph(Node("race", Race(("slow", "fast"))), blocks=blocks))
    assert engine.outputs == {"x": "race/fast/f"}
    assert phases(engine)["race/slow/s2"] == "Cancelled"


def test_a_race_fails_only_when_every_runner_has():
    blocks = [Block("one", (task("f"),)), Block("two", (task("g"),))]
    race = graph(Node("race", Race(("one", "two"))), blocks=blocks)
    assert World(failing("race/one/f")).run(race).phase == "Succeeded"
    assert World(failing("race/one/f", "race/two/g")).run(race).phase == "Failed"


# ---------------------------------------------------------------- waiting, ending


def test_a_timer_and_an_approval_let_a_run_go_on():
    engine = Engine(graph(Node("wait", Suspend(duration=9.0)), Node("ask", Suspend(approval=True))), {})
    assert SetTimer("suspend:wait", 9.0) in engine.start(0.0)
    engine.handle(TimerFired("suspend:wait", 9.0))
    assert engine.states["ask"].phase == "Suspended"
    engine.handle(Approved("ask", "ada", 10.0))
    assert engine.phase == "Succeeded"
    assert engine.states["ask"].message == "approved by ada"


def test_an_approval_that_is_refused_or_late_fails():
    refused = Engine(graph(Node("ask", Suspend(approval=True))), {})
    refused.start(0.0)
    refused.handle(Approved("ask", "ada", 1.0, granted=False))
    assert refused.error.message == "refused by ada"
    late = Engine(graph(Node("ask", Suspend(approval=True, timeout=5.0))), {})
    late.start(0.0)
    late.handle(TimerFired("approval:ask", 5.0))
    assert late.error.error_class is ErrorClass.TIMEOUT


def test_stop_lets_what_runs_end_and_cancel_does_not():
    stopped = Engine(graph(task("a"), task("b", ["a"])), {})
    stopped.start(0.0)
    assert stopped.handle(Stopped(1.0)) == []
    assert stopped.handle(Succeeded("a", 1, {}, 2.0)) == [Finish("Cancelled")]
    killed = Engine(graph(task("a"), task("b", ["a"])), {})
    killed.start(0.0)
    assert killed.handle(Stopped(1.0, kill=True)) == [
        Cancel("a", 0, "the run was stopped"),
        Finish("Cancelled"),
    ]


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (3, "Failed")])
def test_exit_pipeline_ends_the_run_with_its_code(code, phase):
    engine = Engine(graph(task("a"), task("b", ["a"])), {})
    engine.start(0.0)
    engine.handle(Stopped(1.0, kill=True, code=code))
    assert engine.phase == phase


def test_on_exit_runs_whatever_the_outcome_and_knows_it():
    seen = {}
    notify = Block(
        "notify", (Node("n", Task("m:n"), {"how": RunField("phase"), "why": RunField("failures")}),)
    )

    def behave(path, attempt, inputs):
        seen[path] = inputs
        return failing("a")(path, attempt, inputs)

    engine = World(behave).run(graph(task("a"), blocks=[notify], on_exit="notify"))
    assert engine.phase == "Failed"
    assert seen["on-exit/n"]["how"] == "Failed"
    assert seen["on-exit/n"]["why"][0]["node"] == "a"


def test_a_run_that_takes_too_long_fails():
    engine = Engine(graph(task("a"), timeout=60.0), {})
    assert SetTimer("run", 60.0) in engine.start(0.0)
    engine.handle(TimerFired("run", 60.0))
    assert engine.phase == "Failed"
    assert "timeout of 60 s" in engine.error.message


def test_known_outcomes_are_adopted():
    world = World(failing())
    known = {"a": Known(Phase.SUCCEEDED, {"x": "kept"})}
    engine = world.run(graph(task("a"), task("b", take={"a": "x"})), known=known)
    assert world.started == ["b#1"]
    assert engine.phase == "Succeeded"


def test_a_node_that_does_not_start_in_time_is_withdrawn_and_has_failed():
    engine = Engine(graph(task("a", queue_timeout=30)), {})
    start, timer = engine.start(0.0)
    assert (start.path, timer) == ("a", SetTimer("queue:a:1", 30))
    withdrawn, finish = engine.handle(TimerFired("queue:a:1", 30.0))
    assert (withdrawn, finish) == (Cancel("a", 1, "queueTimeout"), Finish("Failed"))
    assert engine.error.error_class is ErrorClass.TIMEOUT
    assert engine.error.message == "did not start within its queueTimeout of 30 s"
    assert engine.running == engine.busy_slots == 0


def test_a_node_that_has_started_waits_no_longer_for_a_place():
    engine = Engine(graph(task("a", queue_timeout=30)), {})
    engine.start(0.0)
    assert ClearTimer("queue:a:1") in engine.handle(Started("a", 1, 5.0))
    assert engine.handle(TimerFired("queue:a:1", 30.0)) == []
    assert engine.handle(Succeeded("a", 1, {}, 40.0)) == [Finish("Succeeded")]


def test_a_node_that_did_not_start_in_time_is_tried_again_and_gets_as_long_again():
    retry = Retry(limit=1, classes=frozenset({ErrorClass.TIMEOUT}))
    engine = Engine(graph(task("a", queue_timeout=30, retry=retry)), {})
    engine.start(0.0)
    again = engine.handle(TimerFired("queue:a:1", 30.0))
    assert SetTimer("queue:a:2", 30) in again
    assert [command.attempt for command in again if isinstance(command, Start)] == [2]
    assert engine.handle(TimerFired("queue:a:2", 60.0))[-1] == Finish("Failed")
