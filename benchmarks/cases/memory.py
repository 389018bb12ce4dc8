"""The peak memory of a process that maps over 100,000 items."""

import resource
import sys
from importlib.util import find_spec
from pathlib import Path

from harness import Case, Limit, Measure, NotInstalled, Peer, printed
from headwater import MapWorkflow, task

ITEMS = 100_000


@task
def nothing(x: int) -> {"y": int}:
    """Give back what came."""
    return x


def same(x: int) -> int:
    """The same for peers."""
    return x


def print_peak(which: str) -> None:
    """Run it, and print the megabytes of this process and its workers, each at its own peak, added up."""
    xs = list(range(ITEMS))
    if which == "dask":
        import dask.bag

        found = dask.bag.from_sequence(xs).map(same).compute(scheduler="sync")
    elif which == "joblib":
        from joblib import Parallel, delayed

        found = Parallel(n_jobs=1)(delayed(same)(x) for x in xs)
    else:
        backend, kept = which.split()
        mapped = MapWorkflow(nothing(), map_on={"xs": "x"}, name="mapped")
        found = mapped.run(backend=backend, track=kept == "tracked", xs=xs).outputs["y"]
    assert found == xs
    print(_peak())


def _peak() -> float:
    import psutil

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for worker in psutil.Process().children(recursive=True):
        kilobytes += int(Path(f"/proc/{worker.pid}/status").read_text().split("VmHWM:")[1].split()[0])
    return kilobytes / 1024


def peak(which: str, needs: str = "headwater") -> Measure:
    """Megabytes at the peak, in a process of its own. This one stays small: a child begins with its size."""
    if find_spec(needs) is None:
        raise NotInstalled(needs)
    return printed([sys.executable, "-c", f"from cases.memory import print_peak; print_peak({which!r})"])


PEERS = [
    Peer("dask bag, sync", lambda: peak("dask", "dask")),
    Peer("joblib, sequential", lambda: peak("joblib", "joblib")),
]
CASES = [
    Case(
        f"peak memory, map of 100,000, {backend}, {kept}",
        lambda which=f"{backend} {kept}": peak(which),
        PEERS if (backend, kept) == ("default", "untracked") else (),
        Limit("value", 300),
        unit="MB",
        warm_up=False,
        rounds=2,
    )
    for backend in ("default", "parallel")
    for kept in ("untracked", "tracked")
]
