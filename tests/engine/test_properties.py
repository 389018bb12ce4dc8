"""Whatever the order of events, repeated, replayed, and wherever the state was saved: the same end."""

import json
import random

from headwater.engine import Engine
from headwater.engine.graph import (
    Block,
    Branch,
    Call,
    Condition,
    Const,
    Dependency,
    From,
    Graph,
    Iterate,
    Loop,
    Map,
    Merge,
    Node,
    Policy,
    Retry,
    RunPolicy,
    Suspend,
    Task,
    Test,
)
from headwater.engine.snapshot import restore, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from world import SKIP, World, phases

INNER = Block("inner", (Node("p", Task("m:p")), Node("q", Task("m:q"), {"x": From("p", "x")})))
UNIT = Block("unit", INNER.nodes, unit=True)


@st.composite
def graphs(draw):
    nodes = []
    conditions = []
    for i in range(draw(st.integers(1, 8))):
        name = f"n{i}"
        upstream = [node.name for node in nodes]
        chosen = draw(st.lists(st.sampled_from(upstream), unique=True, max_size=3)) if upstream else []
        outcome = draw(st.sampled_from(["succeeded"] * 6 + ["failed", "finished"]))
        after = tuple(Dependency(u, outcome) for u in chosen)
        kind = draw(
            st.sampled_from(
                ["task"] * 5
                + ["call", "unit", "map", "expanded", "loop", "iterate", "condition", "merge", "suspend"]
            )
        )
        made = {
            "task": Task(f"m:{name}"),
            "call": Call("inner"),
            "unit": Call("unit"),
            "map": Map(Task("m:item"), {"x": Const([1, 2, 3])}, tolerate=draw(st.sampled_from([0, 1, None]))),
            "expanded": Map(Call("inner"), {"x": Const([1, 2])}, tolerate=draw(st.sampled_from([0, None]))),
            "loop": Loop("inner", draw(st.integers(0, 2))),
            "iterate": Iterate("inner", 2, draw(st.sampled_from([None, "m:until"]))),
            "condition": Condition(Task("m:cond")),
            "merge": Merge() if chosen else Task(f"m:{name}"),
            "suspend": Suspend(duration=1.0),
        }[kind]
        branch = None
        if conditions and draw(st.booleans()):
            branch = Branch(draw(st.sampled_from(conditions)), draw(st.booleans()))
        policy = Policy(
            retry=Retry(limit=draw(st.integers(0, 2)), initial=draw(st.sampled_from([0.0, 1.0]))),
            cache=draw(st.sampled_from(["off", "off", "code"])),
            continue_on_failure=draw(st.sampled_from([False, False, False, True])),
        )
        when = Test(Const(1), "exists") if draw(st.integers(0, 5)) == 0 else None
        nodes.append(Node(name, made, {}, after, branch, when, policy))
        if kind == "condition":
            conditions.append(name)
    blocks = {"main": Block("main", tuple(nodes)), "inner": INNER, "unit": UNIT}
    policy = RunPolicy(parallelism=draw(st.sampled_from([None, 1, 3])), fail_fast=False)
    return Graph(blocks, "main", policy)


def behaviour(seed):
    """A fixed outcome for each path and attempt, whatever the order in which they are asked for."""

    def behave(path, attempt, inputs):
        luck = random.Random(f"{seed}/{path}/{attempt}").random()
        if luck < 0.2:
            raise ValueError(f"{path} is unlucky")
        return SKIP if luck < 0.25 and "[" not in path else {"x": path}

    return behave


def decision(seed):
    return lambda path, inputs: random.Random(f"{seed}?{path}").random() < 0.5


def outcome(engine: Engine) -> dict[str, object]:
    return {"run": str(engine.phase), "nodes": phases(engine), "outputs": engine.outputs}


def run(graph, seed, **options):
    return outcome(World(behaviour(seed), decision(seed), **options).run(graph))


@settings(max_examples=150, deadline=None)
@given(graphs(), st.integers(0, 1000), st.integers(0, 1000))
def test_the_order_of_events_does_not_change_the_end(graph, seed, order):
    expected = run(graph, seed)
    assert expected["run"] in ("Succeeded", "Failed")
    assert run(graph, seed, chooser=random.Random(order)) == expected


@settings(max_examples=100, deadline=None)
@given(graphs(), st.integers(0, 1000), st.integers(0, 1000))
def test_repeated_events_change_nothing(graph, seed, order):
    assert run(graph, seed, chooser=random.Random(order), repeat=True) == run(graph, seed)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 1000), st.integers(0, 1000))
def test_the_state_survives_being_written_down_at_any_point(graph, seed, order):
    def reboot(engine):
        return restore(graph, json.loads(json.dumps(snapshot(engine))))

    # JSON has no integer keys, so what an expanded map gathered is compared as JSON.
    once = json.loads(json.dumps(run(graph, seed)))
    assert json.loads(json.dumps(run(graph, seed, chooser=random.Random(order), reboot=reboot))) == once


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 1000), st.integers(0, 40))
def test_a_run_that_is_stopped_ends_and_leaves_nothing_unfinished(graph, seed, moment):
    from headwater.engine.events import Stopped

    world = World(behaviour(seed), decision(seed))
    engine = Engine(graph, {})
    world.pending, world.maps = [], {}
    for command in engine.start(0.0):
        world.take(command)
    for _ in range(moment):
        if world.pending and not engine.ended:
            world.step(engine)
    already = engine.ended
    for command in engine.handle(Stopped(99.0, kill=True)):
        world.take(command)
    assert engine.ended
    assert already or str(engine.phase) == "Cancelled"
    assert not [
        path for path, phase in phases(engine).items() if phase in ("Pending", "Running", "Suspended")
    ]
