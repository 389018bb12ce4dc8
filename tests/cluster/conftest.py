"""Tests that are marked with a Workflow share a namespace and an operator, so they run one after the other."""

from __future__ import annotations

import pytest

from tests.cluster.workflows import OPEN, run, workflows  # noqa: F401


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


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After the last of them nothing is left of their Workflows, so that others may have the cluster alone."""
    follows = nextitem is not None and nextitem.get_closest_marker("workflow")
    if not follows and (opened := item.session.stash.get(OPEN, None)):
        del item.session.stash[OPEN]
        opened.close()
