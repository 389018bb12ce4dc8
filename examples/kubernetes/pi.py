"""Estimates pi: random points in many pods, each batch a task, and one task that puts them together.

flowctl submit examples/kubernetes/pi.py -p batches=8 --watch
"""

import random

from headwater import MapWorkflow, task, workflow


@task
def seeds(batches: int = 4) -> {"seed": list[int]}:
    return list(range(batches))


@task
def throw(seed: int, points: int = 200_000) -> {"inside": int}:
    dice = random.Random(seed)
    inside = sum(dice.random() ** 2 + dice.random() ** 2 < 1 for _ in range(points))
    print(f"batch {seed}: {inside} of {points} points are inside")
    return inside


@task
def estimate(inside: list, points: int = 200_000) -> {"pi": float}:
    return 4 * sum(inside) / (points * len(inside))


@workflow
def pi():
    seeds() | MapWorkflow(throw(), map_on={"seed": "seed"}) | estimate()
