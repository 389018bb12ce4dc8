"""Graphs that cannot run are refused before anything does."""

from __future__ import annotations

from headwater import LoopWorkflow, MapWorkflow, Parameter, Workflow, task
from headwater.errors import ConfigError, DefinitionError, GraphError, TargetError, UsageError

from tests.conformance.case import Refusal, case


@task
def make() -> {"x": int}:
    return 1


@task
def other() -> {"x": int}:
    return 2


@task
def use(x: int) -> {"y": int}:
    return x


@task
def text(x: str) -> {"y": str}:
    return x


@task
def feed_back(y: int) -> {"x": int}:
    return y


@case(refusal=Refusal(GraphError, ("use", "x", "make", "other", "bind")))
def an_ambiguous_input() -> Workflow:
    with Workflow() as w:
        [make(), other()] | use()
    return w


@case(refusal=Refusal(GraphError, ("use", "feed_back")))
def a_cycle_is_named() -> Workflow:
    with Workflow() as w:
        a, b = use(), feed_back()
        a | b
        b | a
    return w


@case(refusal=Refusal(GraphError, ("text", "x", "str", "int")))
def types_that_never_match() -> Workflow:
    with Workflow() as w:
        make() | text()
    return w


@task
def both(x: int, z: int) -> {"w": int}:
    return x + z


@case(refusal=Refusal(GraphError, ("both", "z")))
def an_input_that_nobody_gives() -> Workflow:
    with Workflow() as w:
        make() | both()
    return w


@case(refusal=Refusal(GraphError, ("x", "make", "other")))
def two_outputs_of_one_name() -> Workflow:
    with Workflow() as w:
        make()
        other()
    return w


@case(refusal=Refusal(UsageError, ("nonsense", "x")), inputs={"nonsense": 1, "x": 1})
def an_unknown_input() -> Workflow:
    with Workflow() as w:
        use()
    return w


@case(refusal=Refusal(UsageError, ("missing", "x")))
def a_missing_input() -> Workflow:
    with Workflow() as w:
        use()
    return w


@task
def configured(factor: Parameter(int)) -> {"y": int}:
    return factor


@case(refusal=Refusal(ConfigError, ("parameters", "configured", "factor")))
def a_missing_parameter() -> Workflow:
    with Workflow() as w:
        configured()
    return w


@case(
    refusal=Refusal(TargetError, ("configured", "factor", "int", "str")),
    config={"parameters": {"configured": {"factor": "four"}}},
)
def a_parameter_of_a_wrong_type() -> Workflow:
    with Workflow() as w:
        configured()
    return w


@case(refusal=Refusal(GraphError, ("unknown keyword", "colour")))
def an_unknown_keyword_of_a_workflow() -> Workflow:
    return Workflow(colour="red")


@case(refusal=Refusal(DefinitionError, ("iterations", "infinite")))
def a_loop_needs_an_end_or_none() -> Workflow:
    return LoopWorkflow(iterations=3, infinite=True)


@task
def two_lists() -> {"a": list[int], "b": list[int]}:
    return {"a": [1], "b": [2]}


@task
def pair(a: int, b: int) -> {"c": int}:
    return a + b


@case(refusal=Refusal(GraphError, ("map_on", "a", "b")))
def an_ambiguous_map_lists_the_candidates() -> Workflow:
    with Workflow() as w:
        two_lists() | MapWorkflow(pair())
    return w


@case(refusal=Refusal(DefinitionError, ("keyword_only", "keyword-only", "x")))
def keyword_only_arguments() -> Workflow:
    @task
    def keyword_only(*, x: int) -> {"y": int}:
        return x

    with Workflow() as w:
        keyword_only()
    return w


@case(refusal=Refusal(DefinitionError, ("untold", "Annotate", "literal dict", "setup_targets")))
def outputs_that_cannot_be_told() -> Workflow:
    @task
    def untold(x: int):
        return make_something(x)

    with Workflow() as w:
        untold()
    return w


@case(refusal=Refusal(DefinitionError, ("has no blocks",)))
def an_empty_workflow() -> Workflow:
    return Workflow()
