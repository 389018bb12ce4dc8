"""Tests that are marked with a Workflow share a namespace and an operator, so they run one after the other."""

from __future__ import annotations

import os

import pytest

from tests.cluster.workflows import run, workflows  # noqa: F401

# Written, but never yet run to their end on a quiet machine: HEADWATER_NODE_TESTS=1 runs them. Once they have passed
# there, this goes.
if not os.environ.get("HEADWATER_NODE_TESTS"):
    collect_ignore = [
        "test_diagnosis.py",
        "test_limits.py",
        "test_policies.py",
        "test_refusals.py",
        "test_units.py",
    ]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "workflow(spec, metadata): the Workflow that the test looks at")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have them next to each other: no test that harms the cluster comes between them."""
    marked = [item for item in items if item.get_closest_marker("workflow")]
    if not marked:
        return
    first = items.index(marked[0])
    before = [item for item in items[:first] if item not in marked]
    after = [item for item in items[first:] if item not in marked]
    items[:] = before + marked + after
