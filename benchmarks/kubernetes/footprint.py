"""What an operator costs that looks after much and has nothing to do: memory and idle CPU.

`python benchmarks/kubernetes/footprint.py [--finished 10000] [--running 500]`, on the test cluster (`make cluster`).
Required: under 150 MB with 10,000 finished and 500 running runs, and under 1 % of a core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from headwater_operator.kube.api import Api  # noqa: E402
from headwater_operator.kube.connection import connect  # noqa: E402

from benchmarks.kubernetes import documents as make  # noqa: E402  # the folder is not a package that is installed
from benchmarks.kubernetes.clocks import Bench  # noqa: E402
from benchmarks.kubernetes.run import NAMESPACE, Operator  # noqa: E402

STATUS = {
    "phase": "Succeeded",
    "settled": "true",
    "progress": "1/1",
    "nodes": {"a": {"phase": "Succeeded", "attempts": 1, "at": [1763849723.1, 0.4, 2.1]}},
}
ENDLESS = {"fake.headwater.dev/outcome": "manual"}
SETTLING_SECONDS = 20
"""A node that has run for 5 s is written down as running; until all are, the operator is not idle."""
IDLE_SECONDS = 30


async def all_of(calls: list[Coroutine[Any, Any, object]], at_once: int = 24) -> None:
    """Await all, some at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(call: Coroutine[Any, Any, object]) -> None:
        async with gate:
            await call

    await asyncio.gather(*(one(call) for call in calls))


async def finished(bench: Bench, name: str) -> None:
    """A run that ended long ago."""
    await bench.api.create(bench.path("workflows"), make.workflow(name, make.one_task()))
    await bench.api.patch(f"{bench.path('workflows')}/{name}/status", {"status": STATUS})


async def main(finished_runs: int, running_runs: int, kubeconfig: str) -> None:
    """Fill the cluster, start an operator, look at it."""
    api = Api(connect(kubeconfig))
    bench = Bench(api, NAMESPACE)
    await bench.prepare()
    print(f"making {finished_runs:,} finished runs …", flush=True)
    await all_of([finished(bench, f"done-{i}") for i in range(finished_runs)])
    nodes = [{**make.one_task()[0], "annotations": ENDLESS}]
    running = [make.workflow(f"runs-{i}", nodes) for i in range(running_runs)]
    await all_of([api.create(bench.path("workflows"), each) for each in running])
    operator = Operator.start(kubeconfig)
    try:
        print(f"{running_runs:,} runs are started …", flush=True)
        while True:
            found = await api.get(bench.path("pods"), {"fieldSelector": "status.phase=Running"})
            if len(found["items"]) >= running_runs:
                break
            await asyncio.sleep(1)
        await asyncio.sleep(SETTLING_SECONDS)
        before = operator.cpu()
        await asyncio.sleep(IDLE_SECONDS)
        share = (operator.cpu() - before) / IDLE_SECONDS
        print(f"memory: {operator.megabytes():.0f} MB; idle: {share:.2%} of a core")
    finally:
        operator.stop()
        await bench.clear()
        await api.delete(f"/api/v1/namespaces/{NAMESPACE}")
        await api.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--running", type=int, default=500)
    parser.add_argument(
        "--kubeconfig", default=os.environ.get("KUBECONFIG") or str(ROOT / ".cluster/kubeconfig")
    )
    given = parser.parse_args()
    asyncio.run(main(given.finished, given.running, given.kubeconfig))
