"""Prints the milliseconds of a chain of 100 tasks or a map of 100 items, once its server is up."""

import sys
import time

from prefect import flow, task


@task
def plus_one(x: int) -> int:
    """The next number."""
    return x + 1


@flow
def chain(count: int) -> int:
    """A chain of tasks."""
    x = 0
    for _ in range(count):
        x = plus_one(x)
    return x


@flow
def mapped(count: int) -> int:
    """A map."""
    return sum(future.result() for future in plus_one.map(list(range(count))))


run = chain if sys.argv[1] == "chain" else mapped
run(1)
started = time.perf_counter()
found = run(100)
taken = time.perf_counter() - started
assert found == (100 if sys.argv[1] == "chain" else 5050), found
print(taken * 1000, flush=True)
