"""Tasks: a Python function, or a class with `run`, with checked inputs and outputs."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar, overload

from headwater.blocks.block import Block
from headwater.blocks.names import camel_case, snake_case
from headwater.blocks.policies import check_options, hint
from headwater.blocks.signals import Skipped
from headwater.blocks.targets import MISSING, Scan, Target, scan
from headwater.blocks.typecheck import Check, check_of, type_name
from headwater.errors import ConfigError, DefinitionError, TargetError

Outputs = dict[str, object]
OPTIONS = (
    "image", "resources", "retries", "retry", "timeout", "queue_timeout", "cache", "executor", "slurm",
    "pod_template", "node_selector", "tolerations", "labels", "annotations",
    "continue_on_failure",
)  # fmt: skip
"""What `@task(...)` takes beside `name`, `with_self` and `plugin_name`; it becomes the node's policy."""


class Task(Block):
    """The smallest block: subclass it with a `run` method, or decorate a function with `@task`.

    Calling an instance runs it directly and returns its outputs:

    >>> class Add(Task):
    ...     def run(self, a: int, b: int) -> {"result": int}:
    ...         return a + b
    >>> Add()(a=2, b=4)
    {'result': 6}
    """

    name: str = ""
    plugin_name: ClassVar[str | None] = None
    options: ClassVar[Mapping[str, Any]] = {}
    added_inputs: ClassVar[Mapping[str, Target]] = {}
    added_outputs: ClassVar[Mapping[str, Target]] = {}
    added_parameters: ClassVar[Mapping[str, Target]] = {}
    function: ClassVar[Callable[..., object] | None] = None
    with_self: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" not in cls.__dict__:
            cls.name = snake_case(cls.__name__)
        cls._scanned = None
        cls._class_targets = None
        if "options" in cls.__dict__:
            check_options(cls.options, f"In task {cls.name!r}")
        if "run" in cls.__dict__:
            cls.scanned()  # keyword-only arguments are refused here, at the definition

    _scanned: ClassVar[Scan | None] = None
    _class_targets: ClassVar[tuple[dict[str, Target], dict[str, Target], dict[str, Target]] | None] = None

    def __init__(self, *given: Any, **bound: Any) -> None:
        cls = type(self)
        if given:
            raise DefinitionError(
                f"task {self.name!r} takes its inputs by name; got {', '.join(map(repr, given))}",
                fix=f"Write {self.name}(NAME={given[0]!r}), or pipe into it what makes the value.",
            )
        if cls.setup_targets is Task.setup_targets:
            shared = cls._class_targets
            if shared is None or cls.__dict__.get("_targets_of") != _added(cls):
                self.inputs: dict[str, Target] = {}
                self.outputs: dict[str, Target] = {}
                self.parameters: dict[str, Target] = {}
                self.setup_targets()
                cls._class_targets = shared = (self.inputs, self.outputs, self.parameters)
                cls._targets_of = _added(cls)  # type: ignore[attr-defined]  # kept beside what it belongs to
            self.inputs, self.outputs, self.parameters = shared
            self._own_targets = False
        else:
            self.inputs, self.outputs, self.parameters = {}, {}, {}
            self._own_targets = True
            self.setup_targets()
        self._plan: _CallPlan | None = None
        super().__init__()
        if bound:
            self.bind(**bound)

    # ------------------------------------------------------------------ targets

    @classmethod
    def scanned(cls) -> Scan:
        """What the function's signature and returns say."""
        if cls._scanned is None:
            function = cls.function or cls.run
            cls._scanned = scan(function, cls.name, skip_self=cls.function is None or cls.with_self)
        return cls._scanned

    def setup_targets(self) -> None:
        """Find the targets; override it to add some with `add_input`, `add_output`, `add_parameter`.

        Raises:
            DefinitionError: nothing says what the outputs are.
        """
        cls = type(self)
        found = self.scanned()
        for name, target in {**found.inputs, **cls.added_inputs}.items():
            self.inputs.setdefault(name, target)
        for name, target in {**found.parameters, **cls.added_parameters}.items():
            self.parameters.setdefault(name, target)
            self.inputs.pop(name, None)
        if found.outputs is not None:
            for name, target in found.outputs.items():
                self.outputs.setdefault(name, target)
        elif not self.outputs and not cls.added_outputs:
            raise DefinitionError(
                f"Could not automatically determine outputs of task {self.name!r}",
                fix=_how_to_name(cls.function or cls.run)
                + ", return a literal dict, or add them with Target.output or setup_targets().",
            )
        self.outputs.update(cls.added_outputs)

    def _make_own(self) -> None:
        if not self._own_targets:
            self.inputs, self.outputs = dict(self.inputs), dict(self.outputs)
            self.parameters = dict(self.parameters)
            self._own_targets = True
        self._plan = None
        if hasattr(self, "upstreams"):
            self.changed()

    def add_input(self, name: str, type: Any = Any, default: Any = MISSING) -> None:
        """Add an input, or give one that exists another type."""
        if hasattr(self, "_own_targets"):
            self._make_own()
        self.inputs[name] = Target(name, type, default)

    def add_output(self, name: str, type: Any = Any) -> None:
        """Add an output."""
        if hasattr(self, "_own_targets"):
            self._make_own()
        self.outputs[name] = Target(name, type)

    def add_parameter(self, name: str, type: Any = Any) -> None:
        """Add a parameter: an input that comes from the config file."""
        if hasattr(self, "_own_targets"):
            self._make_own()
        self.inputs.pop(name, None)
        self.parameters[name] = Target(name, type)

    @property
    def input_targets(self) -> Mapping[str, Target]:
        return self.inputs

    @property
    def output_targets(self) -> Mapping[str, Target]:
        return self.outputs

    # ------------------------------------------------------------------ running

    def run(self, *args: Any, **inputs: Any) -> Any:
        """What the task does."""
        raise DefinitionError(f"Task {self.name!r} has no `run`", fix="Define one.")

    def __call__(self, *args: Any, **inputs: Any) -> Outputs | Skipped:
        """Run the task directly. Inputs by keyword, or by position as in its signature.

        An upstream's outputs dict may be given whole, as the only positional argument.
        """
        if args:
            names = self.scanned().positional
            if len(args) == 1 and isinstance(args[0], dict) and self._is_outputs(args[0]):
                inputs = {**args[0], **inputs}
            elif len(args) > len(names):
                raise TargetError(f"In task {self.name!r}: takes {len(names)} inputs; got {len(args)}")
            else:
                inputs = {**dict(zip(names, args, strict=False)), **inputs}
        return self._execute(inputs)

    def _is_outputs(self, given: Mapping[Any, object]) -> bool:
        return bool(given) and all(name in self.inputs for name in given)

    def call(
        self, inputs: Mapping[str, object], parameters: Mapping[str, object] | None = None
    ) -> Outputs | Skipped:
        """Run the task for a workflow: the inputs that came, and the parameters of its config section."""
        if parameters and self.parameters:
            inputs = {**inputs, **{n: v for n, v in parameters.items() if n in self.parameters}}
        if type(self).__call__ is Task.__call__:
            return self._execute(inputs)
        return self(**inputs)

    def _execute(self, inputs: Mapping[str, object]) -> Outputs | Skipped:
        plan = self._plan
        if plan is None:
            plan = self._plan = _CallPlan(self)
        arguments = {}
        taken = 0
        for name, check, default, what in plan.arguments:
            if name in inputs:
                value = inputs[name]
                taken += 1
                if check is not None:
                    wrong = check(value)
                    if wrong is not None and not (value is None and default is None):
                        self._refuse(what, name, wrong)
            elif default is not MISSING:
                value = default
            elif name in self.bound:
                value = self.bound[name]
            else:
                value = self._missing(name, what)
            arguments[name] = value
        if taken < len(inputs) or plan.takes_any:
            for name in inputs:
                if name not in arguments:
                    if not plan.takes_any:
                        known = ", ".join(arguments) or "none"
                        raise TargetError(
                            f"In task {self.name!r}: there is no input {name!r}", fix=f"Its inputs: {known}."
                        )
                    arguments[name] = inputs[name]
        return self._checked_outputs(plan, plan.function(**arguments))

    def _missing(self, name: str, what: str) -> object:
        if what == "parameter":
            from headwater.configuration import config

            section = (config.get("parameters") or {}).get(self.name) or {}
            if name in section:
                return section[name]
            raise ConfigError(
                f"In task {self.name!r}: parameter {name!r} is not in the config",
                fix=f"Add it under parameters: {self.name}: {name}.",
            )
        raise TargetError(f"In task {self.name!r}: input {name!r} is missing")

    def _refuse(self, what: str, name: str, wrong: str) -> None:
        target = {**self.inputs, **self.outputs, **self.parameters}[name]
        if what == "output":
            target = self.outputs[name]
        raise TargetError(
            f'In task {self.name!r}: {what} "{name}" must be {type_name(target.type)}; got {wrong}'
        )

    def _checked_outputs(self, plan: _CallPlan, returned: object) -> Outputs | Skipped:
        if type(returned) is Skipped:
            return returned
        if returned is Skipped:
            return Skipped()
        checks = plan.outputs
        if type(returned) is not dict or (plan.single is not None and plan.single not in returned):
            returned = self._as_outputs(plan, returned)
        assert isinstance(returned, dict)
        if returned.keys() != checks.keys():
            self._refuse_names(returned)
        for name, check in checks.items():
            if check is not None:
                wrong = check(returned[name])
                if wrong is not None:
                    self._refuse("output", name, wrong)
        return returned

    def _as_outputs(self, plan: _CallPlan, returned: object) -> object:
        if plan.single is not None:
            if isinstance(returned, dict) and len(returned) > 0 and not self._may_be_dict(plan.single):
                return returned
            return {plan.single: returned}
        if isinstance(returned, Mapping):
            return dict(returned)
        if returned is None and not plan.outputs:
            return {}
        names = ", ".join(plan.outputs)
        if not plan.outputs:
            raise TargetError(
                f"In task {self.name!r}: returned {type(returned).__name__} but has no outputs",
                fix="Declare an output, or return nothing.",
            )
        raise TargetError(
            f"In task {self.name!r}: must return a dict with {names}; got {type(returned).__name__}"
        )

    def _may_be_dict(self, name: str) -> bool:
        check = check_of(self.outputs[name].type)
        annotation = self.outputs[name].type
        return (annotation is not Any and (check is None or check({}) is None)) or (
            annotation is Any and type(self).scanned().outputs is None
        )

    def _refuse_names(self, returned: Mapping[str, object]) -> None:
        missing = [name for name in self.outputs if name not in returned]
        extra = [name for name in returned if name not in self.outputs]
        said = []
        if missing:
            said.append(f"missing output{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))}")
        if extra:
            said.append(f"extra output{'s' if len(extra) > 1 else ''} {', '.join(map(repr, extra))}")
        declared = ", ".join(f"{name}: {type_name(target.type)}" for name, target in self.outputs.items())
        raise TargetError(f"In task {self.name!r}: {' and '.join(said)}; declared are {{{declared}}}")

    # ------------------------------------------------------------------ decorators

    @classmethod
    def as_task(cls, function: Any = None, **options: Any) -> Any:
        """Make a task of a function, as a subclass of this class. With or without parentheses."""
        if function is None:
            return lambda decorated: _task_class(cls, decorated, options)
        return _task_class(cls, function, options)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def __getstate__(self) -> dict[str, object]:
        # Only what a call needs: its place in the graph stays where the graph is.
        return {
            **{k: v for k, v in self.__dict__.items()
               if k not in ("upstreams", "downstreams", "parent", "_plan")},
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, upstreams=[], downstreams=[], parent=None, _plan=None)


def _how_to_name(function: Callable[..., object]) -> str:
    """How to annotate outputs: those that are annotated by a type alone have no name."""
    returned = getattr(function, "__annotations__", {}).get("return")
    if returned is None:
        return 'Annotate what it returns (-> {"x": int})'
    kind = returned if isinstance(returned, str) else type_name(returned)
    return f'Give what it returns a name (-> {{"x": {kind}}})'


def _added(cls: type[Task]) -> tuple[object, ...]:
    return (cls.added_inputs, cls.added_outputs, cls.added_parameters)


class _CallPlan:
    """What a call of a task does, worked out once: arguments with checks and defaults, output checks."""

    __slots__ = ("arguments", "function", "outputs", "single", "takes_any")

    def __init__(self, task: Task) -> None:
        cls = type(task)
        self.function: Callable[..., object] = task.run
        if cls.function is not None and cls.run is cls.__dict__.get("run", None) and not cls.with_self:
            self.function = cls.function
        self.takes_any = cls.scanned().takes_any
        self.arguments: list[tuple[str, Check | None, Any, str]] = [
            (name, check_of(target.type), target.default, "input") for name, target in task.inputs.items()
        ] + [
            (name, check_of(target.type), target.default, "parameter")
            for name, target in task.parameters.items()
        ]
        self.outputs = {name: check_of(target.type) for name, target in task.outputs.items()}
        self.single = next(iter(self.outputs)) if len(self.outputs) == 1 else None


def _task_class(base: type[Task], function: Callable[..., object], options: dict[str, Any]) -> type[Task]:
    if not callable(function):
        raise DefinitionError(f"cannot make a task of {function!r}", fix="Decorate a function.")
    name = options.pop("name", None)
    with_self = bool(options.pop("with_self", False))
    plugin_name = options.pop("plugin_name", None)
    written = name or getattr(function, "__name__", "task")
    unknown = [option for option in options if option not in OPTIONS]
    if unknown:
        raise DefinitionError(
            f"In task {snake_case(written)!r}: unknown option {', '.join(map(repr, unknown))}",
            fix=hint(unknown[0], ("name", "with_self", "plugin_name", *OPTIONS), "Options"),
        )
    body: dict[str, Any] = {
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": function.__doc__,
        "name": snake_case(written),
        "options": {**base.options, **options},
        "plugin_name": plugin_name or base.plugin_name,
        "function": staticmethod(function),
        "with_self": with_self,
        "run": function if with_self else staticmethod(function),
        "__wrapped__": function,
    }
    made: type[Task] = types.new_class(
        camel_case(getattr(function, "__name__", written)),
        (base,),
        exec_body=lambda space: space.update(body),
    )
    return made


T = TypeVar("T", bound=Callable[..., Any])


@overload
def task(function: T) -> type[Task]: ...


@overload
def task(*, name: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], type[Task]]: ...


def task(function: Any = None, **options: Any) -> Any:
    """Turn a function into a task. With or without parentheses.

    Options: `name`, `with_self` (the function takes the task as its first argument), `plugin_name`, and the
    node's policy: `retries`, `retry`, `timeout` (seconds or "2m"), `cache` (True, "inputs", False), `image`,
    `resources`, `executor`, `slurm` and others.

    >>> @task(retries=2)
    ... def gen_data() -> {"raw_data": int}:
    ...     return 42
    >>> gen_data.name, gen_data()()
    ('gen_data', {'raw_data': 42})
    """
    return Task.as_task(function, **options)


as_task = task
