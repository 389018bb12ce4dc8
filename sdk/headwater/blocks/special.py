"""Workflows that run their blocks more than once: over a sequence, so many times, or until enough is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from headwater.blocks.workflow import Workflow
from headwater.errors import DefinitionError


class MapWorkflow(Workflow):
    """Runs its blocks once for each element of a sequence.

    `map_on`: sequence name -> inner input (found by itself when there is one candidate). `raise_exceptions`:
    fail the map when items fail, else their exceptions sit in their places. `flatten_output`: a list for each
    output, else one list named `output_name`. `simultaneous_tasks`: how many items run at once.

    >>> from headwater.blocks.task import task
    >>> @task
    ... def square(x: int) -> {"y": int}:
    ...     return x * x
    >>> @MapWorkflow.as_workflow(map_on={"xs": "x"})
    ... def squares():
    ...     square()
    >>> list(squares().input_targets)
    ['xs']
    """

    OPTIONS: ClassVar[tuple[str, ...]] = (
        "map_on", "raise_exceptions", "no_outputs", "flatten_output", "simultaneous_tasks", "items_per_pod",
        "partition", "account", "qos", "time", "mem", "mem_per_cpu", "cpus_per_task", "cpu_per_task", "gres",
        "nodes", "ntasks", "constraint", "exclude", "reservation", "sbatch",
    )  # fmt: skip

    map_on: dict[str, str] | None = None

    def configure(self) -> None:
        map_on = self.options.get("map_on")
        if isinstance(map_on, str):
            map_on = {map_on: map_on}
        if map_on is not None and not isinstance(map_on, dict):
            raise DefinitionError(
                f"map {self.name!r}: map_on must be a dict; got {type(map_on).__name__}",
                fix='Write map_on={"sequence": "input of the first task"}.',
            )
        self.map_on = map_on
        simultaneous = self.options.get("simultaneous_tasks")
        if simultaneous is not None and (not isinstance(simultaneous, int) or simultaneous < 1):
            raise DefinitionError(
                f"map {self.name!r}: simultaneous_tasks must be a positive int; got {simultaneous!r}",
                fix="Leave it out for no limit.",
            )


class LoopWorkflow(Workflow):
    """Runs its blocks `iterations` times, or with `infinite=True` until something ends the run.

    >>> LoopWorkflow.as_workflow(lambda: None)
    Traceback (most recent call last):
    headwater.errors.DefinitionError: loop '<lambda>': give iterations=N or infinite=True. One of the two.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("iterations", "infinite")

    @classmethod
    def check_definition(cls) -> None:
        _check_loop(cls.name, cls.defaults.get("iterations"), cls.defaults.get("infinite", False))

    def configure(self) -> None:
        _check_loop(self.name, self.options.get("iterations"), self.options.get("infinite", False))


def _check_loop(name: str, iterations: Any, infinite: Any) -> None:
    if (iterations is None) == (not infinite):
        raise DefinitionError(f"loop {name!r}: give iterations=N or infinite=True", fix="One of the two.")
    if iterations is not None and (
        not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 0
    ):
        raise DefinitionError(
            f"loop {name!r}: iterations must be a number of passes; got {iterations!r}",
            fix="Write iterations=3.",
        )


class IterativeWorkflow(Workflow):
    """Runs its blocks again and again, feeding its outputs back as inputs.

    It ends when `break_func(**outputs)` is true, or after `max_iterations` passes. `initial_value` stands for
    the fed-back inputs on the first pass: a value where there is one such input, else a dict.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("max_iterations", "break_func", "initial_value")

    @classmethod
    def check_definition(cls) -> None:
        _check_iterations(cls.name, cls.defaults)

    def configure(self) -> None:
        _check_iterations(self.name, self.options)

    @property
    def break_func(self) -> Callable[..., object] | None:
        """The function that says whether another pass is needed."""
        found: Callable[..., object] | None = self.options.get("break_func")
        return found


def _check_iterations(name: str, options: Any) -> None:
    passes = options.get("max_iterations")
    if not isinstance(passes, int) or isinstance(passes, bool) or passes < 1:
        raise DefinitionError(
            f"iteration {name!r}: max_iterations must be a positive number of passes; got {passes!r}",
            fix="Write max_iterations=10.",
        )
    if options.get("break_func") is not None and not callable(options["break_func"]):
        raise DefinitionError(
            f"iteration {name!r}: break_func is not a function", fix="It takes the outputs as keywords."
        )
