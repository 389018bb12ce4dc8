"""What the pages about Kubernetes show is what happens on a real cluster, in a namespace of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.fixtures import Cluster
from tests.docs.on_cluster import Console, is_for_cluster
from tests.docs.test_docs import PAGES, ROOT, blocks_of

pytestmark = pytest.mark.timeout(900)


def _on_cluster(page: Path) -> bool:
    return any(is_for_cluster(page, block) for block in blocks_of(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _on_cluster(page)], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_what_the_page_shows_happens_on_a_cluster(
    page: Path, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    Console(cluster, namespace, tmp_path).run_page(page)
