"""Prints the milliseconds of a chain of 100 tasks or a map of 100 items."""

import sys
import time

from headwater import MapWorkflow, Workflow, task


@task
def start() -> {"x": int}:
    """The first number."""
    return 0


@task
def plus_one(x: int) -> {"x": int}:
    """The next number."""
    return x + 1


def chain(count: int) -> Workflow:
    """A chain of tasks."""
    with Workflow(name="chain") as made:
        last = start()
        for _ in range(count):
            last = last | plus_one()
    return made


def run(count: int) -> object:
    """Build it and run it."""
    track = sys.argv[2] == "tracked"
    if sys.argv[1] == "chain":
        return chain(count).run(track=track).outputs["x"]
    mapped = MapWorkflow(plus_one(), map_on={"xs": "x"}, name="mapped")
    return sum(mapped.run(track=track, xs=list(range(count))).outputs["x"])


run(1)
started = time.perf_counter()
found = run(100)
taken = time.perf_counter() - started
assert found == (100 if sys.argv[1] == "chain" else 5050), found
print(taken * 1000)
