"""Names that Kubernetes takes, the same each time."""

from __future__ import annotations

import re

from headwater_operator.builders import RunContext, job_name, pod_name, run_label
from hypothesis import given
from hypothesis import strategies as st

LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
LABEL_VALUE = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$")

workflows = st.from_regex(r"\A[a-z0-9]([a-z0-9.-]{0,100}[a-z0-9])?\Z")
nodes = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9_-]{0,60}[A-Za-z0-9])?(\[[0-9]{1,6}\])?\Z")


@given(workflows, st.lists(nodes, min_size=1, max_size=4), st.integers(1, 1000))
def test_names_of_pods_are_names(workflow: str, path: list[str], attempt: int) -> None:
    context = RunContext(workflow, "default", "u1", {})
    for name in (pod_name(context, "/".join(path), attempt), job_name(context, "/".join(path), attempt, 7)):
        assert LABEL.match(name)
        assert len(name) <= 63
        assert name.endswith((f"-{attempt}", f"-{attempt}-7"))


@given(workflows)
def test_a_workflow_of_any_name_has_a_label(workflow: str) -> None:
    assert LABEL_VALUE.match(run_label(workflow))
    assert len(run_label(workflow)) <= 63


def test_names_tell_runs_and_paths_apart() -> None:
    one, two = RunContext("reduce", "d", "u1", {}), RunContext("reduce", "d", "u2", {})
    names = {pod_name(one, "a/b", 1), pod_name(two, "a/b", 1), pod_name(one, "b", 1), pod_name(one, "a_b", 1)}
    assert len(names) == 4
