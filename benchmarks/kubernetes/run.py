"""Measure the operator beside its floors, on fake nodes: `python benchmarks/kubernetes/run.py [CASE…] [--rounds N]`.

It needs the project's test cluster (`make cluster`), makes a namespace of its own, starts an operator for it, and
takes both away again. A floor is the same pods, or the same indexed Job, created directly in the same round: what
the operator has made is read, removed, and made anew.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from headwater_operator.kube.api import Api  # noqa: E402
from headwater_operator.kube.connection import connect  # noqa: E402

from benchmarks.kubernetes import documents as make  # noqa: E402  # the folder is not a package that is installed
from benchmarks.kubernetes.clocks import Bench  # noqa: E402

NAMESPACE = f"headwater-bench-{os.getpid()}"


@dataclass(frozen=True)
class Case:
    """What is measured: our workflows, the floor where there is one, and what is required."""

    name: str
    nodes: Callable[[], list[make.Object]]
    runs: int = 1
    floor: str = ""
    most_seconds: float | None = None
    most_ratio: float | None = None
    most_bytes: int | None = None


CASES = (
    Case("one task", make.one_task, floor="Pod", most_seconds=0.06),
    Case("chain of 10", lambda: make.chain(10), most_seconds=0.4),
    Case("diamond", make.diamond),
    Case("fan-out of 100", lambda: make.fan_out(100), floor="Pod"),
    Case("fan-out of 1,000", lambda: make.fan_out(1000), floor="Pod", most_ratio=1.25, most_bytes=150_000),
    Case("map of 1,000", lambda: make.mapped(1000), floor="Job", most_ratio=1.1, most_bytes=64 * 1024),
    Case("200 runs of one task", make.one_task, runs=200, most_seconds=4.0),
)


@dataclass
class Operator:
    """An operator of our own, as a process."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, kubeconfig: str, *options: str) -> Operator:
        """Start one for our namespace."""
        command = [
            str(Path(sys.executable).with_name("flowctl")), "operator", "run", "--kubeconfig", kubeconfig,
            "--namespace", NAMESPACE, "--store", "none", *options,
        ]  # fmt: skip
        return cls(subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT))

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


async def measure(bench: Bench, case: Case, number: int, operator: Operator) -> dict[str, float]:
    """One round: ours, then the floor."""
    slug = case.name.replace(" ", "-").replace(",", "")
    names = [f"{slug}-{number}-{i}" for i in range(case.runs)]
    before = operator.cpu()
    found = {"seconds": await bench.workflows([make.workflow(name, case.nodes()) for name in names])}
    found["cpu"] = operator.cpu() - before
    found["bytes"] = float(await bench.size(names[0]))
    if case.floor:
        kind = "jobs" if case.floor == "Job" else "pods"
        same = [make.again(each, f"floor-{i}") for i, each in enumerate(await bench.made(kind))]
        await bench.forget(kind)
        found["floor"] = await (bench.job(same[0]) if case.floor == "Job" else bench.pods(same))
    await bench.clear()
    return found


def spread(values: list[float], form: str = "{:.3f}") -> str:
    """The median and the extremes."""
    return f"{form.format(median(values))} ({form.format(min(values))}-{form.format(max(values))})"


def row(case: Case, rounds: list[dict[str, float]]) -> str:
    """A line of the table, with a mark where a limit is exceeded."""
    seconds = [each["seconds"] for each in rounds]
    floors = [each["floor"] for each in rounds if "floor" in each]
    ratios = [ours / floor for ours, floor in zip(seconds, floors, strict=False)]
    exceeded = [
        case.most_seconds is not None and median(seconds) > case.most_seconds,
        case.most_ratio is not None and median(ratios) > case.most_ratio,
        case.most_bytes is not None and rounds[0]["bytes"] > case.most_bytes,
    ]
    cells = [
        case.name,
        spread(seconds),
        spread(floors) if floors else "",
        spread(ratios, "{:.2f}") if ratios else "",
        f"{rounds[0]['bytes'] / 1000:.1f}",
        spread([each["cpu"] for each in rounds], "{:.2f}"),
        "EXCEEDED" if any(exceeded) else "",
    ]
    return "| " + " | ".join(cells) + " |"


async def main(wanted: list[str], rounds: int, kubeconfig: str) -> None:
    """Measure and print."""
    api = Api(connect(kubeconfig))
    bench = Bench(api, NAMESPACE)
    await bench.prepare()
    operator = Operator.start(kubeconfig)
    try:
        await bench.workflows([make.workflow("warm-up", make.one_task())])
        await bench.clear()
        print(
            "| case | seconds | floor | ratio | resource, kB | operator CPU, s | |\n|---|---|---|---|---|---|---|"
        )
        for case in CASES:
            if wanted and not any(case.name.startswith(word) for word in wanted):
                continue
            found = [await measure(bench, case, number, operator) for number in range(rounds)]
            print(row(case, found), flush=True)
        print(f"\noperator memory: {operator.megabytes():.0f} MB")
    finally:
        operator.stop()
        await api.delete(f"/api/v1/namespaces/{NAMESPACE}")
        await api.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="words of the cases' names; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--kubeconfig", default=os.environ.get("KUBECONFIG") or str(ROOT / ".cluster/kubeconfig")
    )
    given = parser.parse_args()
    asyncio.run(main(given.cases, given.rounds, given.kubeconfig))
