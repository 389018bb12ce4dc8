"""Workflows: blocks made of blocks, defined by a decorator, a `with` statement, or start() and stop()."""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from headwater.blocks.block import Block, open_workflows
from headwater.blocks.names import camel_case, snake_case
from headwater.blocks.policies import check_options, hint
from headwater.blocks.targets import MISSING, Target
from headwater.errors import DefinitionError, GraphError

if TYPE_CHECKING:
    from headwater.blocks.compile import Compiled
    from headwater.blocks.matching import Wiring

RUNNER = "headwater.backends"
"""The module whose `run` carries a workflow out. It stands above this room, so it is found by its name."""


class _RunMethod:
    """`run` of an instance runs it; `run` of a decorated workflow's class makes an instance and runs that."""

    def __get__(self, instance: Workflow | None, owner: type[Workflow]) -> Callable[..., Any]:
        return (instance if instance is not None else owner())._run_here


class Workflow(Block):
    """A sequence of blocks as one block; a subclass may make its blocks in `setup_tasks(self)`.

    >>> from headwater.blocks.task import task
    >>> @task
    ... def double(x: int) -> {"y": int}:
    ...     return 2 * x
    >>> with Workflow() as w:
    ...     first = double()
    >>> list(w.input_targets), list(w.output_targets)
    (['x'], ['y'])
    """

    name: str = "workflow"
    definition: ClassVar[Callable[..., object] | None] = None
    defaults: ClassVar[Mapping[str, Any]] = {}
    OPTIONS: ClassVar[tuple[str, ...]] = (
        "name", "cache", "output_name", "placement", "retries", "retry", "timeout", "resources", "image",
        "executor", "slurm", "continue_on_failure",
    )  # fmt: skip

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "name" not in cls.__dict__:
            cls.name = snake_case(cls.__name__)

    def __init__(self, *blocks: Any, **keywords: Any) -> None:
        keywords = {**type(self).defaults, **keywords}
        self.blocks: list[Block] = []
        self.returned: list[Block] | None = None  # of a command: the blocks whose outputs are its result
        self.extra_inputs: dict[str, Target] = {}
        self._compiled: Compiled | None = None
        self._compiled_inside: Compiled | None = None
        self._wirings: dict[object, Wiring] = {}
        self.options: dict[str, Any] = {
            key: keywords.pop(key) for key in list(keywords) if key in self._known_options()
        }
        self.name = snake_case(self.options.pop("name", None) or type(self).name)
        check_options(self.options, f"workflow {self.name!r}")
        self.configure()
        super().__init__()
        self._build(blocks, keywords)

    @classmethod
    def _known_options(cls) -> tuple[str, ...]:
        return tuple(option for base in cls.__mro__ for option in base.__dict__.get("OPTIONS", ()))

    def configure(self) -> None:
        """Check the options of a special workflow; nothing here."""

    def _build(self, blocks: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        define = type(self).definition or getattr(self, "setup_tasks", None)
        if define is None:
            for block in blocks:
                self.adopt(block() if isinstance(block, type) else block)
            unknown = sorted(keywords) if not self.blocks else []
        else:
            taken = inspect.signature(define).parameters
            given = {name: keywords.pop(name) for name in list(keywords) if name in taken}
            self._refuse_arguments(define, blocks, given)
            self.start()
            try:
                define(*blocks, **given)
            finally:
                self.stop()
            unknown = []
        if keywords and not unknown:
            unknown = [name for name in keywords if name not in self.input_targets]
        if unknown:
            raise GraphError(
                f"workflow {self.name!r}: unknown keyword {', '.join(map(repr, unknown))}",
                fix=hint(unknown[0], (*self._known_options(), *self.input_targets), "Options and inputs"),
            )
        self.bound.update(keywords)

    def _refuse_arguments(
        self, define: Callable[..., object], blocks: tuple[Any, ...], given: Mapping[str, Any]
    ) -> None:
        try:
            inspect.signature(define).bind(*blocks, **given)
        except TypeError as error:
            raise DefinitionError(
                f"workflow {self.name!r} cannot be made: {error}",
                fix="What its tasks take and nobody gives them are the workflow's inputs, without being named: "
                "a parameter of its function is for blocks, which whoever makes the workflow has to give.",
            ) from None

    # ------------------------------------------------------------------ building

    def adopt(self, block: Block) -> None:
        """Make a block part of this workflow."""
        if block.parent is not None:
            block.parent.blocks.remove(block)
            block.parent.forget_compiled()
        block.parent = self
        self.blocks.append(block)
        self.forget_compiled()

    def start(self) -> Workflow:
        """From here on every block that is made belongs to this workflow, until `stop()`."""
        open_workflows().append(self)
        return self

    def stop(self) -> None:
        """End what `start()` began."""
        stack = open_workflows()
        if not stack or stack[-1] is not self:
            raise DefinitionError(
                f"workflow {self.name!r} is not the one being built", fix="Call stop() once for each start()."
            )
        stack.pop()
        self.forget_compiled()

    def __enter__(self) -> Workflow:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def add_input(self, name: str, type: Any = Any, default: Any = MISSING) -> None:
        """Offer one more input to the blocks inside."""
        self.extra_inputs[name] = Target(name, type, default)
        self.forget_compiled()
        self.changed()

    def forget_compiled(self) -> None:
        """The graph has changed: what was compiled of it no longer holds."""
        self._compiled = None
        self._compiled_inside = None
        self._wirings.clear()

    # ------------------------------------------------------------------ targets

    @property
    def input_targets(self) -> Mapping[str, Target]:
        from headwater.blocks.matching import outer_inputs

        return outer_inputs(self)

    @property
    def output_targets(self) -> Mapping[str, Target]:
        from headwater.blocks.matching import outer_outputs

        return outer_outputs(self)

    @property
    def inputs(self) -> Mapping[str, Target]:
        """The inputs by name."""
        return self.input_targets

    @property
    def outputs(self) -> Mapping[str, Target]:
        """The outputs by name."""
        return self.output_targets

    # ------------------------------------------------------------------ running

    def compiled(self) -> Compiled:
        """The workflow as a document, with the live objects it names; worked out once for each graph."""
        if self._compiled is None:
            from headwater.blocks.compile import compile_workflow

            self._compiled = compile_workflow(self)
        elif self._compiled.tasks:
            self._compiled = self._compiled.with_present_parameters()
        return self._compiled

    def _run_here(
        self,
        backend: str | None = None,
        check: bool = True,
        track: bool = True,
        **inputs: Any,
    ) -> Any:
        """Run the workflow and return its result.

        `backend`: "default", "parallel" or another registered one. `check`: raise when the run fails.
        `track=False` writes no database. The rest are the workflow's inputs.
        """
        runner = importlib.import_module(RUNNER)
        return runner.run(self.compiled(), backend=backend, check=check, track=track, inputs=inputs)

    run = _RunMethod()

    def _run(self, **inputs: Any) -> dict[str, Any]:
        """Run what is inside, in this process. Override it to decide whether, or around it."""
        from headwater.errors import RunFailed

        runner = importlib.import_module(RUNNER)
        try:
            result = runner.run(self._inside(), backend="default", track=False, inputs=inputs)
        except RunFailed as error:
            raise (error.__cause__ or error) from None
        return dict(result.outputs)

    def _inside(self) -> Compiled:
        from headwater.blocks.compile import compile_workflow

        if self._compiled_inside is None:
            self._compiled_inside = compile_workflow(self, as_hook=False)
        return self._compiled_inside

    @classmethod
    def has_hook(cls) -> bool:
        """Whether a subclass has its own `_run`."""
        return cls._run is not Workflow._run

    def __getstate__(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "_compiled_inside": self._inside(),
            "options": self.options,
            "_targets": (dict(self.input_targets), dict(self.output_targets)),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        from headwater.blocks.matching import Wiring

        inputs, outputs = state.pop("_targets")
        self.__dict__.update(
            state, blocks=[], extra_inputs={}, upstreams=[], downstreams=[], bound={}, parent=None
        )
        self._wirings = {frozenset(): Wiring.of_targets(inputs, outputs)}

    def __call__(self, **inputs: Any) -> dict[str, Any]:
        """Run the workflow in this process and return its outputs."""
        return dict(self._run_here(backend="default", track=False, **inputs).outputs)

    # ------------------------------------------------------------------ decorators

    @classmethod
    def as_workflow(cls, function: Any = None, **options: Any) -> Any:
        """Make a workflow of a function that makes its blocks. With or without parentheses."""
        if function is None:
            return lambda decorated: cls._of_function(decorated, options)
        return cls._of_function(function, options)

    @classmethod
    def _of_function(cls, function: Callable[..., object], options: dict[str, Any]) -> type[Workflow]:
        if not callable(function):
            raise DefinitionError(f"cannot make a workflow of {function!r}", fix="Decorate a function.")
        unknown = [option for option in options if option not in cls._known_options()]
        if unknown:
            raise DefinitionError(
                f"workflow {function.__name__!r}: unknown option {', '.join(map(repr, unknown))}",
                fix=hint(unknown[0], cls._known_options(), "Options"),
            )
        check_options(options, f"workflow {function.__name__!r}")
        body = {
            "__module__": function.__module__,
            "__qualname__": function.__qualname__,
            "__doc__": function.__doc__,
            "__wrapped__": function,
            "name": snake_case(function.__name__),
            "definition": staticmethod(function),
            "defaults": {**cls.defaults, **options},
        }
        name = camel_case(function.__name__)
        made: type[Workflow] = types.new_class(name, (cls,), exec_body=lambda space: space.update(body))
        made.check_definition()
        return made

    @classmethod
    def check_definition(cls) -> None:
        """Refuse options that can never work, where they are written; nothing here."""

    def __repr__(self) -> str:
        return f"<Workflow {self.name}>"


def workflow(function: Any = None, **options: Any) -> Any:
    """Turn a function that makes blocks into a workflow. With or without parentheses.

    Options: `name`, `cache` (True, "inputs" or False), `retries`, `timeout` and the other node policies; `placement`,
    which says how a cluster runs it: "nodes" (a pod for each task, the default), "unit" (all of it in one pod, one
    task after the other) or "auto" (one pod where it is a chain).

    >>> from headwater.blocks.task import task
    >>> @task
    ... def double(x: int) -> {"x": int}:
    ...     return 2 * x
    >>> @workflow
    ... def four_times():
    ...     double() | double()
    >>> four_times().name
    'four_times'
    """
    return Workflow.as_workflow(function, **options)


as_workflow = workflow
