"""How long the dashboard's API takes over a database of a million runs: `python benchmarks/dashboard/run.py`.

Starts a PostgreSQL of its own, seeds it, asks through the whole application, prints medians and 95th percentiles
in milliseconds beside the limits, and exits 1 where one is exceeded. `--runs 10000` is quick.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from headwater.records.trends import quantile
from headwater.testing.postgres import server
from headwater_dashboard.app import create_app
from headwater_dashboard.options import Options
from seed import DAYS, GRAPH, LARGE, NOW, seed

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

LIST_MS = 300.0
OPEN_MS = 1000.0
Ask = Callable[[str], None]


def questions(chance: random.Random, runs: int) -> dict[str, tuple[float, Callable[[], list[str]]]]:
    """By name: the limit, and what makes the requests of one measurement."""

    def some(kind: str, count: int) -> str:
        return f"{kind}-{chance.randrange(count)}"

    def at() -> int:
        return NOW - chance.randrange(DAYS * 86_400)

    run = f"/runs/{LARGE}"
    return {
        "list: latest": (LIST_MS, lambda: ["/runs"]),
        "list: anywhere": (LIST_MS, lambda: [f"/runs?until={at()}"]),
        "filter: phase": (LIST_MS, lambda: [f"/runs?phase={chance.choice(['Failed', 'Running', 'Lost'])}"]),
        "filter: two phases": (LIST_MS, lambda: [f"/runs?phase=Failed&phase=Lost&until={at()}"]),
        "filter: name": (LIST_MS, lambda: [f"/runs?name={some('flow', 220)}"]),
        "filter: user": (LIST_MS, lambda: [f"/runs?user={some('user', 330)}"]),
        "filter: project and phase": (LIST_MS, lambda: [f"/runs?project={some('project', 110)}&phase=Failed"]),
        "filter: namespace and name": (
            LIST_MS, lambda: [f"/runs?namespace={some('team', 44)}&name={some('flow', 220)}"]
        ),
        "filter: nothing fits": (LIST_MS, lambda: [f"/runs?phase=Lost&user={some('user', 300)}&backend=none"]),
        "filter: label": (LIST_MS, lambda: [f"/runs?label=team=t{chance.randrange(25)}"]),
        "search: common": (LIST_MS, lambda: ["/runs?text=detector"]),
        "search: a name": (LIST_MS, lambda: [f"/runs?text={some('flow', 200)}"]),
        "search: nothing": (LIST_MS, lambda: [f"/runs?text=nothing-{chance.random()}"]),
        "search: an id": (LIST_MS, lambda: [f"/runs?text=run-{chance.randrange(1, runs):08}"]),
        "names, first time": (LIST_MS, lambda: ["/names"]),
        "a run of 10,000 items": (
            OPEN_MS, lambda: [run, f"{run}/nodes", f"{run}/items/states?path=node-1", f"{run}/items?path=node-1",
                              f"{run}/errors", f"{run}/attempts"],
        ),
        "a run of 5,000 nodes": (OPEN_MS, lambda: [f"/runs/{GRAPH}", f"/runs/{GRAPH}/nodes"]),
        "statistics, first time": (OPEN_MS, lambda: ["/stats?days=30"]),
        "statistics of a workflow": (OPEN_MS, lambda: [f"/stats?days=30&name={some('flow', 220)}"]),
        "statistics of a backend": (OPEN_MS, lambda: ["/stats?days=30&backend=kubernetes"]),
        "statistics of two filters": (
            OPEN_MS, lambda: [f"/stats?days=30&name={some('flow', 220)}&label=team=t{chance.randrange(25)}"]
        ),
    }  # fmt: skip


def measured(ask: Ask, requests: Callable[[], list[str]], times: int) -> list[float]:
    """Milliseconds of each measurement, in order."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        for path in requests():
            ask(path)
        took.append((time.perf_counter() - began) * 1000)
    return sorted(took)


def rows(url: str, runs: int, times: int) -> Iterator[tuple[str, float, float, float]]:
    """For each question: its name, median, 95th percentile and limit."""
    app = create_app(Options(url, requests_per_second=1e6))
    app.state.store.kept = lambda _, compute: compute()  # numbers are made anew each time
    with TestClient(app, base_url="http://127.0.0.1") as client:

        def ask(path: str) -> None:
            answer = client.get(f"/api/v1{path}")
            assert answer.status_code == 200, answer.text

        for name, (limit, requests) in questions(random.Random(1), runs).items():
            ask(requests()[0])
            took = measured(ask, requests, times)
            yield name, quantile(took, 0.5) or 0.0, quantile(took, 0.95) or 0.0, limit


def main() -> int:
    """Seed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=40, help="measurements of each question")
    given = parser.parse_args()
    exceeded = 0
    with server() as running, running.database() as section:
        name = section["database"]
        url = f"postgresql+psycopg2://{section['admin']}@{section['address']}/{name}"
        seed(running, name, url, given.runs, print)
        print(f"{'milliseconds':28} {'p50':>8} {'p95':>8} {'limit':>8}")
        for question, p50, p95, limit in rows(url, given.runs, given.times):
            exceeded += p95 > limit
            mark = "  exceeded" if p95 > limit else ""
            print(f"{question:28} {p50:8.1f} {p95:8.1f} {limit:8.0f}{mark}", flush=True)
    return int(exceeded > 0)


if __name__ == "__main__":
    sys.exit(main())
