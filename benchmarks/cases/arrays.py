"""An array of 100 MB that one task makes and another adds up."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from harness import CORES, Case, Measure, Peer, timed
from headwater import Workflow, task

NUMBERS = 12_500_000


def make_array(value: int) -> Any:
    """100 MB of one number; another one in each round, so that no store has it yet."""
    import numpy as np

    return np.full(NUMBERS, float(value))


def add_up(array: Any) -> float:
    """Their sum."""
    return float(array.sum())


def expected(value: int) -> float:
    """What comes out."""
    return float(NUMBERS * value)


@task
def make(value: int) -> {"array": object}:
    """100 MB of one number."""
    return make_array(value)


@task
def total(array: object) -> {"total": float}:
    """Their sum."""
    return add_up(array)


def ours(backend: str, track: bool) -> Measure:
    """Two tasks of Headwater's."""
    with Workflow(name="arrays") as arrays:
        make() | total()
    return timed(
        lambda n: arrays.run(backend=backend, track=track, value=n).outputs["total"], expect=expected
    )


def dask_graph(**options: Any) -> Measure:
    """Two delayed calls."""
    import dask

    def compute(value: int) -> float:
        graph = dask.delayed(add_up)(dask.delayed(make_array)(value))
        found: float = graph.compute(**options)
        return found

    return timed(compute, expect=expected)


def dask_processes() -> Measure:
    """Dask's process scheduler, with a pool that is kept."""
    pool = ProcessPoolExecutor(CORES, mp_context=get_context("spawn"))
    return dask_graph(scheduler="processes", pool=pool)


def joblib(jobs: int) -> Measure:
    """Joblib: each task one call, the array goes by way of this process."""
    from joblib import Parallel, delayed

    def compute(value: int) -> float:
        (array,) = Parallel(n_jobs=jobs)([delayed(make_array)(value)])
        (found,) = Parallel(n_jobs=jobs)([delayed(add_up)(array)])
        return float(found)

    return timed(compute, expect=expected)


IN_PROCESS = [
    Peer("dask threads", lambda: dask_graph(scheduler="threads")),
    Peer("joblib, sequential", lambda: joblib(1)),
]
PROCESSES = [
    Peer("dask, warm processes", dask_processes),
    Peer("joblib, warm loky", lambda: joblib(CORES)),
]
CASES = [
    Case("100 MB array, default, untracked", lambda: ours("default", False), IN_PROCESS),
    Case("100 MB array, parallel, untracked", lambda: ours("parallel", False), PROCESSES),
    Case("100 MB array, parallel, tracked", lambda: ours("parallel", True), PROCESSES),
]
