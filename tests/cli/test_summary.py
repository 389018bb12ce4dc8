"""What is said when a run has ended, and what it says to do next."""

from __future__ import annotations

from headwater.backends.result import ItemCounts, NodeRecord, Nodes, RunError, RunResult
from headwater.cli.views.summary import summary

TRACE = (
    'Traceback (most recent call last):\n  File "/p/a.py", line 3, in fit\n    1 / 0\nZeroDivisionError: no\n'
)


def run(phase: str, error: RunError | None = None, **nodes: NodeRecord) -> RunResult:
    return RunResult("r1", phase, {}, Nodes(nodes), error, 10.0, 12.0)


def test_a_cancelled_run_can_be_resumed_and_a_succeeded_one_need_not() -> None:
    assert "flowctl resume r1" in summary(run("Cancelled")).replace("../", "")
    assert "resume" not in summary(run("Succeeded"))


def test_a_replay_is_offered_where_a_line_of_a_task_failed() -> None:
    assert "replay r1 fit --pdb" in summary(
        run("Failed", RunError("fit", "ZeroDivisionError", "no", "Error", TRACE))
    )
    late = RunError("fit", "Timeout", "ran longer than its timeout of 3 s", "Timeout")
    assert "replay r1 fit --pdb" in summary(run("Failed", late))
    for error in (
        RunError("publish", "NotApproved", "ada said no"),
        RunError("squares", "TargetError", "sequences of unequal length"),
        RunError("train[2]/fit", "ZeroDivisionError", "no", "Error", TRACE),  # inside of a pass or an item
        RunError("", "RunFailed", "the run was too slow"),
    ):
        said = summary(run("Failed", error))
        assert "replay" not in said
        assert "resume r1" in said


def test_all_kinds_of_failed_items_are_shown_but_not_hundreds() -> None:
    failures = {
        n: RunError(f"m[{n}]", "ValueError", f"bad {n}\n\x1b[31m!", "Error", TRACE) for n in range(100)
    }
    items = ItemCounts(200, 100, 100, failures=failures)
    said = summary(run("Succeeded", m=NodeRecord("Succeeded", 1, items)))
    assert "m: failed items: 100 of 200" in said
    assert "m[2]: ValueError: bad 2 !" in said
    assert 'in "/p/a.py", line 3, in fit' in said
    assert "… and 97 more" in said
    assert "m[3]" not in said


def test_in_a_cluster_a_missing_module_points_to_the_image_and_a_refused_document_is_not_tried_again() -> (
    None
):
    missing = summary(
        run("Failed", RunError("a", "ModuleNotFoundError", "No module named 'x'")), in_cluster=True
    )
    assert "name one that has it with --image" in missing
    assert "retry r1" in missing
    refused = summary(run("Failed", RunError("", "InvalidSpec", "spec: no", "InvalidSpec")), in_cluster=True)
    assert "retry" not in refused
