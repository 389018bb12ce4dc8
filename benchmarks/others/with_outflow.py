"""Prints the milliseconds of a chain of 100 tasks or a map of 100 items, run without a database."""

import sys
import time

from outflow.core.commands import Command, RootCommand
from outflow.core.pipeline import Pipeline
from outflow.core.tasks import as_task
from outflow.library.workflows.sequential_map_workflow import SequentialMapWorkflow

calls = []


@as_task
def Start() -> {"x": int}:  # noqa: N802
    """The first number."""
    return {"x": 0}


@as_task
def PlusOne(x: int) -> {"x": int}:  # noqa: N802
    """The next number."""
    calls.append(x)
    return {"x": x + 1}


@as_task
def Numbers() -> {"xs": list}:  # noqa: N802
    """What the map is over."""
    return {"xs": list(range(100))}


@RootCommand.subcommand()
class Chain(Command):
    """A chain of tasks."""

    def setup_tasks(self) -> None:
        """Build it."""
        last = Start()
        for _ in range(100):
            last = last >> PlusOne()


@RootCommand.subcommand()
class Map(Command):
    """A map."""

    def setup_tasks(self) -> None:
        """Build it."""
        with SequentialMapWorkflow(map_on={"xs": "x"}) as mapped:
            PlusOne()
        Numbers() >> mapped


def run() -> float:
    """The milliseconds of one run."""
    calls.clear()
    started = time.perf_counter()
    with Pipeline(
        root_directory=None,
        settings_module="outflow.core.pipeline.default_settings",
        force_dry_run=True,
        argv=["-ll", "ERROR", sys.argv[1]],
    ) as pipeline:
        pipeline.run()
    taken = time.perf_counter() - started
    assert calls == list(range(100)), calls
    return taken * 1000


run()
print(run())
