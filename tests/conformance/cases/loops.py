"""Loops and iterations."""

from __future__ import annotations

from pathlib import Path

from headwater import IterativeWorkflow, LoopWorkflow, MapWorkflow, Workflow, exit_pipeline, task

from tests.conformance.case import Error, case


@task
def count_up(scratch: str) -> {"count": int}:
    path = Path(scratch) / "count"
    count = int(path.read_text()) + 1 if path.exists() else 1
    path.write_text(str(count))
    return count


@case(outputs={"count": 4}, nodes={"loop": "Succeeded", "loop/count_up": "Succeeded"})
def a_loop_gives_its_last_pass(scratch: str) -> Workflow:
    with Workflow() as w, LoopWorkflow(iterations=4, name="loop"):
        count_up(scratch=scratch)
    return w


@task
def after(count: int) -> {"text": str}:
    return f"{count} passes"


@case(outputs={"text": "3 passes"})
def what_follows_a_loop_sees_the_last_pass(scratch: str) -> Workflow:
    with Workflow() as w:
        with LoopWorkflow(iterations=3) as loop:
            count_up(scratch=scratch)
        loop | after()
    return w


@task
def bounded(scratch: str) -> {"count": int}:
    path = Path(scratch) / "count"
    count = int(path.read_text()) + 1 if path.exists() else 1
    path.write_text(str(count))
    if count == 2:
        raise ValueError("a bad pass")
    if count == 5:
        exit_pipeline()
    return count


def _five_passes(scratch: Path) -> None:
    assert (scratch / "count").read_text() == "5"


@case(phase="Succeeded", check=_five_passes)
def an_infinite_loop_outlives_a_bad_pass_and_ends_by_exit_pipeline(scratch: str) -> Workflow:
    with Workflow() as w, LoopWorkflow(infinite=True):
        bounded(scratch=scratch)
    return w


@case(phase="Failed", error=Error("loop[1]/bounded", "ValueError", ("a bad pass",)))
def a_bad_pass_fails_a_finite_loop(scratch: str) -> Workflow:
    with Workflow() as w, LoopWorkflow(iterations=4, name="loop"):
        bounded(scratch=scratch)
    return w


@task
def newton(x: float) -> {"x": float}:
    return (x + 2 / x) / 2


@case(outputs={"x": 1.414213562373095}, inputs={"x": 1.0})
def an_iteration_feeds_its_outputs_back() -> IterativeWorkflow:
    with IterativeWorkflow(max_iterations=50, break_func=lambda x: abs(x * x - 2) < 1e-12) as w:
        newton()
    return w


@case(outputs={"x": 1.5}, inputs={"x": 1.0})
def an_iteration_ends_after_max_iterations() -> IterativeWorkflow:
    with IterativeWorkflow(max_iterations=1, break_func=lambda x: False) as w:
        newton()
    return w


@task
def accumulate(step: int, total: int | None = None) -> {"total": int}:
    return step if total is None else total + step


@case(outputs={"total": 15}, inputs={"step": 5})
def an_optional_input_is_none_on_the_first_pass() -> IterativeWorkflow:
    with IterativeWorkflow(max_iterations=10, break_func=lambda total: total >= 15) as w:
        accumulate()
    return w


@case(outputs={"total": 115}, inputs={"step": 5})
def initial_value() -> IterativeWorkflow:
    with IterativeWorkflow(max_iterations=3, break_func=lambda total: False, initial_value=100) as w:
        accumulate()
    return w


@case(outputs={"total": 30}, inputs={"step": 10}, nodes={"sum/accumulate": "Succeeded"})
def an_iteration_in_a_workflow() -> Workflow:
    with Workflow() as w, IterativeWorkflow(max_iterations=3, break_func=lambda total: False, name="sum"):
        accumulate()
    return w


@task
def spread(total: int | None = None) -> {"xs": list[int]}:
    return [total or 0] * 3


@task
def bump(x: int) -> {"y": int}:
    return x + 1


@task
def gather(y: list[int]) -> {"total": int}:
    return sum(y)


@case(outputs={"total": 39})
def a_map_in_an_iteration() -> IterativeWorkflow:
    # 0 -> 3 -> 12 -> 39
    with IterativeWorkflow(max_iterations=10, break_func=lambda total: total > 30) as w:
        spread() | MapWorkflow(bump(), map_on={"xs": "x"}) | gather()
    return w


@case(outputs={"x": [1.5, 1.5]}, inputs={"xs": [1.0, 2.0]})
def an_iteration_in_a_map() -> MapWorkflow:
    with MapWorkflow(map_on={"xs": "x"}) as m, IterativeWorkflow(max_iterations=1):
        newton()
    return m


@task
def stop_at_three(x: int) -> {"x": int}:
    if x == 3:
        exit_pipeline()
    return x + 1


@case(phase="Succeeded", nodes={"stop_at_three": "Cancelled", "bump": "Cancelled"}, inputs={"x": 3})
def exit_pipeline_ends_the_run_cleanly() -> Workflow:
    with Workflow() as w:
        stop_at_three() | bump()
    return w


@task
def stop_badly(x: int) -> {"x": int}:
    exit_pipeline(3)


@case(phase="Failed", inputs={"x": 3})
def exit_pipeline_with_a_code_fails_the_run() -> Workflow:
    with Workflow() as w:
        stop_badly() | bump()
    return w
