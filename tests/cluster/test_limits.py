"""How many pods run at once, who waits for whom, and what people change while a run goes on."""

from __future__ import annotations

import pytest

from tests.cluster.api import ApiError
from tests.cluster.workflows import ON_PODS, Run, most_at_once, until_true, workflow

pytestmark = ON_PODS


# ---------------------------------------------------------------- parallelism


@workflow("""
parallelism: 2
nodes:
- {name: a, container: !sh sleep 1}
- {name: b, container: !sh sleep 1}
- {name: c, container: !sh sleep 1}
- {name: d, container: !sh sleep 1}
""")
def test_no_more_units_run_at_once_than_the_run_allows(run: Run) -> None:
    run.ended("Succeeded")
    assert most_at_once(run.pods()) <= 2


@workflow("""
nodes:
- name: each
  map: {container: !sh sleep 1, over: {x: {range: 4}}, parallelism: 2}
""")
def test_no_more_items_run_at_once_than_the_map_allows(run: Run) -> None:
    run.ended("Succeeded")
    assert most_at_once(run.pods()) <= 2
    assert len(run.pods()) == 4


@workflow("""
parallelism: 1
nodes:
- {name: first, container: !sh sleep 3600}
- {name: second, container: !sh exit 0}
""")
def test_the_parallelism_of_a_run_can_be_raised(run: Run) -> None:
    started = run.until(lambda status: "Running" in [node["phase"] for node in status["nodes"].values()])
    (waits,) = [path for path, node in started["nodes"].items() if node["phase"] == "Pending"]
    assert run.until_node(waits, lambda node: "waiting" in node)["waiting"] == (
        "parallelism: 1 units run already"
    )
    run.change(parallelism=2)
    run.until_node("second", "Succeeded")
    run.change(terminate="Cancel")
    run.ended("Cancelled")


# ---------------------------------------------------------------- mutex and semaphore

HOLD = """
synchronization: {mutex: database}
priority: %d
suspend: %s
nodes:
- name: use
  container: !sh sleep 2
"""


@workflow(HOLD % (0, "true"))
def test_runs_take_turns_for_a_mutex_by_priority(run: Run) -> None:
    """The first holds the mutex and is suspended until the others wait."""
    run.until(lambda status: status.get("phase") == "Suspended")
    low = run.another(suspend=False, priority=1)
    low.until(lambda status: status.get("phase") == "Pending")
    high = run.another(suspend=False, priority=9)
    waits = high.until(lambda status: status.get("phase") == "Pending")
    assert waits["message"] == f"waits for mutex 'database', held by {run.name}"
    run.change(suspend=False)
    for each in (run, high, low):
        each.ended("Succeeded")
    ends = [
        each.pods()[0]["status"]["containerStatuses"][0]["state"]["terminated"] for each in (run, high, low)
    ]
    assert ends[0]["finishedAt"] <= ends[1]["startedAt"]
    assert ends[1]["finishedAt"] <= ends[2]["startedAt"]


@workflow("""
synchronization: {semaphore: {name: seats, limit: 2}}
suspend: true
nodes:
- name: use
  container: !sh exit 0
""")
def test_a_semaphore_lets_two_in(run: Run) -> None:
    run.until(lambda status: status.get("phase") == "Suspended")
    second, third = run.another(), run.another(suspend=False)
    second.until(lambda status: status.get("phase") == "Suspended")
    waits = third.until(lambda status: status.get("phase") == "Pending")
    assert waits["message"].startswith("waits for semaphore 'seats', held by ")
    second.change(suspend=False)
    second.ended("Succeeded")
    third.ended("Succeeded")
    run.change(terminate="Cancel")
    run.ended("Cancelled")


# ---------------------------------------------------------------- what people do to a run

LONG = """
onExit: at-the-end
nodes:
- name: long
  container: !sh trap 'exit 1' TERM; %s
- name: after
  container: !sh exit 0
  dependsOn: [long]
blocks:
- name: at-the-end
  nodes:
  - name: say
    container: !sh echo "$INPUT_PHASE"
    inputs: {phase: {from: run.phase}}
"""


@workflow(LONG % "sleep 3600 & wait")
def test_a_cancelled_run_ends_its_pods_and_runs_its_last_block(run: Run) -> None:
    run.until_node("long", "Running")
    run.change(terminate="Cancel")
    run.ended("Cancelled")
    assert run.phases == {"long": "Cancelled", "after": "Cancelled", "on-exit/say": "Succeeded"}
    assert run.log("on-exit/say") == "Cancelled\n"
    run.until_no_pod_runs()


@workflow(f"suspend: true\n{LONG % 'sleep 15 & wait'}")
def test_a_stopped_run_lets_end_what_runs_and_starts_nothing_more(run: Run) -> None:
    run.change(suspend=False)
    run.until_node("long", "Running")
    run.change(terminate="Stop")
    run.ended("Cancelled")
    assert run.phases["long"] == "Succeeded"
    assert run.pods("after") == []
    assert run.phases["on-exit/say"] == "Succeeded"


@workflow("""
suspend: true
nodes:
- name: first
  container: !sh sleep 8
- name: second
  container: !sh exit 0
  dependsOn: [first]
""")
def test_a_suspended_run_starts_nothing_new_until_it_goes_on(run: Run) -> None:
    run.until(lambda status: status.get("phase") == "Suspended")
    assert run.pods() == []
    run.change(suspend=False)
    run.until_node("first", "Running")
    run.change(suspend=True)
    run.until(lambda status: status["phase"] == "Suspended")
    run.until_node("first", "Succeeded")
    assert run.until_node("second", lambda node: "suspended" in node.get("waiting", ""))["phase"] == "Pending"
    assert run.pods("second") == []
    run.change(suspend=False)
    run.ended("Succeeded")


@workflow("""
ttlSecondsAfterFinished: 2
nodes:
- name: a
  container: !sh exit 0
""")
def test_a_run_that_has_ended_goes_after_its_time_to_live_with_its_pods(run: Run) -> None:
    until_true(lambda: _is_gone(run), "the Workflow is still there")
    until_true(lambda: run.pods() == [], "its pods are still there")


def _is_gone(run: Run) -> bool:
    try:
        run.api.get(run.path)
    except ApiError as error:
        return error.code == 404
    return False


@workflow("""
nodes:
- name: a
  container: !sh sleep 3600
""")
def test_a_run_that_is_deleted_leaves_no_pod(run: Run) -> None:
    run.until_node("a", "Running")
    run.api.delete(run.path)
    until_true(lambda: _is_gone(run), "the Workflow is still there")
    until_true(lambda: run.pods() == [], "its pods are still there")


@workflow("""
nodes:
- name: a
  suspend: {approval: {message: wait}}
""")
def test_what_a_run_is_made_of_cannot_be_changed(run: Run) -> None:
    run.until_node("a", "Suspended")
    with pytest.raises(ApiError, match="blocks"):
        run.change(blocks=[{"name": "main", "nodes": [{"name": "b", "suspend": {"duration": "1s"}}]}])
    run.change(terminate="Cancel")
    run.ended("Cancelled")
