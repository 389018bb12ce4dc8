"""A report fits, whatever it holds."""

import json
import random

from headwater.document.unit import MESSAGE_LIMIT, TaskRecord, UnitReport, read_report
from headwater.runtime.pod import report
from hypothesis import given, settings
from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.builds(
    lambda piece, times: piece * times,
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(1, 9000),
)
failures = st.fixed_dictionaries(
    {"type": text, "message": text, "class": st.sampled_from(["Error", "Oom"]), "node": text},
    optional={"traceback": text, "pickle": text},
)
records = st.builds(
    TaskRecord, text, st.sampled_from(["Succeeded", "Failed"]), st.integers(0, 9), st.floats(0, 2e9),
    st.floats(0, 1e6), text, st.none() | st.tuples(st.integers(0), st.integers(0), st.integers(0)),
)  # fmt: skip
reports = st.one_of(
    st.builds(UnitReport, failure=failures, tasks=st.lists(records, max_size=40).map(tuple)),
    st.builds(
        UnitReport,
        items=st.lists(st.integers(0, 10**6), max_size=3000).map(
            lambda them: ",".join(map(str, sorted(them)))
        ),
        failed=st.dictionaries(st.integers(0, 10**6), failures, max_size=20),
        failed_items=st.lists(st.integers(0, 10**6), max_size=1000).map(
            lambda them: ",".join(map(str, them))
        ),
        results=st.none() | st.dictionaries(st.integers(0, 100), st.dictionaries(text, st.just({"json": 1}))),
    ),
)


@settings(max_examples=200, deadline=None)
@given(reports)
def test_any_report_fits_and_reads_back(written):
    message = report.fitted(written)
    assert len(message.encode()) <= MESSAGE_LIMIT
    found = read_report(message)
    assert (found.failure is None) == (written.failure is None)
    if written.failure is not None:
        assert found.failure["class"] == written.failure["class"]
        assert found.failure["message"][:100] == written.failure["message"][:100]
    else:
        assert found.items is not None
        assert set(found.failed) <= set(written.failed)
        assert (written.items or "").startswith(found.items)


def failure(message, **more):
    return {"type": "ValueError", "message": message, "class": "Error", "node": "a", **more}


def noise(length, seed=7):
    return "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))


def test_details_go_before_messages_and_messages_before_indices():
    first = read_report(
        report.fitted(UnitReport(failure=failure("why", traceback=noise(9000), pickle=noise(2000))))
    )
    assert first.failure["message"] == "why"
    assert "pickle" not in first.failure
    assert first.failure["traceback"].endswith(noise(9000)[-200:])
    items = UnitReport(
        items="0-9", failed={i: failure(noise(900, i)) for i in range(50)}, failed_items="10-59"
    )
    found = read_report(report.fitted(items))
    assert (found.items, found.failed_items) == ("0-9", "10-59")
    assert 1 <= len(found.failed) < 50
    assert min(found.failed) == 0


def test_failed_tasks_are_told_before_others_and_the_order_stays():
    tasks = [TaskRecord(f"b/{noise(40, i)}-{i}", "Succeeded", 1, 1e9, 1.0) for i in range(900)]
    tasks[800] = TaskRecord("b/bad", "Failed", 2, 1e9, 1.0, "ValueError: no")
    found = read_report(report.fitted(UnitReport(failure=failure("no"), tasks=tuple(tasks)))).tasks
    assert found[-1].path == "b/bad"
    assert [each.path for each in found[:-1]] == [each.path for each in tasks[: len(found) - 1]]


def test_results_give_way_to_indices():
    results = {i: {"y": {"json": noise(100, i)}} for i in range(100)}
    found = read_report(report.fitted(UnitReport(items="0-99", results=results)))
    assert (found.items, found.results) == ("0-99", None)


def test_a_place_that_cannot_be_written_to_is_said_and_the_report_is_printed(monkeypatch, capsys):
    monkeypatch.setenv("HEADWATER_TERMINATION_LOG", "/nowhere/at/all")
    report.write(UnitReport(answer=True))
    said = capsys.readouterr().err
    assert "the report cannot be written to /nowhere/at/all" in said
    assert json.loads(said.splitlines()[-1])["answer"] is True
