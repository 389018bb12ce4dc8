"""Maps of tasks that do nothing: 1,000 in this process, 10,000 on warm worker processes."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from harness import CORES, Case, Limit, Measure, Peer, timed
from headwater import MapWorkflow, task


@task
def nothing(x: int) -> {"y": int}:
    """Give back what came."""
    return x


def same(x: int) -> int:
    """The same for peers."""
    return x


def ours(items: int, backend: str, track: bool) -> Measure:
    """A map of Headwater's."""
    mapped = MapWorkflow(nothing(), map_on={"xs": "x"}, name="mapped")

    def run(first: int) -> Any:
        return mapped.run(backend=backend, track=track, xs=list(range(first, first + items))).outputs["y"]

    return timed(run, expect=lambda first: list(range(first, first + items)))


def dask_bag(items: int, **options: Any) -> Measure:
    """A bag of dask's."""
    import dask.bag

    bag = dask.bag.from_sequence(range(items)).map(same)
    return timed(lambda _: bag.compute(**options), expect=lambda _: list(range(items)))


def dask_delayed(items: int) -> Measure:
    """One delayed call for each item."""
    import dask

    call = dask.delayed(same)
    calls = [call(i) for i in range(items)]
    return timed(lambda _: list(dask.compute(*calls, scheduler="sync")), expect=lambda _: list(range(items)))


def dask_processes(items: int) -> Measure:
    """Dask's process scheduler, with a pool that is kept."""
    pool = ProcessPoolExecutor(CORES, mp_context=get_context("spawn"))
    return dask_bag(items, scheduler="processes", pool=pool)


def joblib(items: int, jobs: int) -> Measure:
    """Joblib: in this process, or with loky's processes, which it keeps."""
    from joblib import Parallel, delayed

    return timed(
        lambda _: Parallel(n_jobs=jobs)(delayed(same)(i) for i in range(items)),
        expect=lambda _: list(range(items)),
    )


IN_PROCESS = (
    Peer("dask bag, sync", lambda: dask_bag(1000, scheduler="sync")),
    Peer("dask delayed, sync", lambda: dask_delayed(1000)),
    Peer("joblib, sequential", lambda: joblib(1000, 1)),
)


def on_processes(most: float) -> list[Peer]:
    """The peers with worker processes, and the limit beside joblib."""
    return [
        Peer("joblib, warm loky", lambda: joblib(10_000, CORES), Limit("ratio", most)),
        Peer("dask bag, warm processes", lambda: dask_processes(10_000)),
    ]


CASES = [
    Case("map of 1,000, default, untracked", lambda: ours(1000, "default", False), IN_PROCESS),
    Case("map of 1,000, default, tracked", lambda: ours(1000, "default", True), IN_PROCESS),
    Case("map of 10,000, parallel, untracked", lambda: ours(10_000, "parallel", False), on_processes(2)),
    Case("map of 10,000, parallel, tracked", lambda: ours(10_000, "parallel", True), on_processes(4)),
]
