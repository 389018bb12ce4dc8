"""Targets: the named, typed inputs, outputs and parameters of a task, and how they are found."""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater.errors import DefinitionError

if TYPE_CHECKING:
    from headwater.blocks.task import Task


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()
"""Stands for "no default"."""


class Parameter:
    """The annotation of an input that comes from the config file: `multiplier: Parameter(int)`.

    >>> Parameter(int).type
    <class 'int'>
    """

    def __init__(self, type: object = Any) -> None:
        self.type = type

    def __call__(self) -> None:
        """Makes typing accept an instance where it expects a type."""


@dataclass(frozen=True, slots=True)
class Target:
    """One named, typed input, output or parameter.

    The class methods are decorators that add a target to a task:

    >>> from headwater.blocks.task import task
    >>> @Target.output("answer", type=int)
    ... @task
    ... def Think():
    ...     return compute()
    >>> list(Think().outputs)
    ['answer']
    """

    name: str
    type: Any = Any
    default: Any = MISSING

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is MISSING

    @staticmethod
    def input(name: str, type: Any = Any, default: Any = MISSING) -> Callable[[type[Task]], type[Task]]:
        """Add an input to a task class."""
        return _adding("added_inputs", Target(name, type, default))

    @staticmethod
    def output(name: str, type: Any = Any) -> Callable[[type[Task]], type[Task]]:
        """Add an output to a task class."""
        return _adding("added_outputs", Target(name, type))

    @staticmethod
    def parameter(name: str, type: Any = Any) -> Callable[[type[Task]], type[Task]]:
        """Add a parameter to a task class."""
        return _adding("added_parameters", Target(name, type))


def _adding(attribute: str, target: Target) -> Callable[[type[Task]], type[Task]]:
    def add(cls: type[Task]) -> type[Task]:
        if not isinstance(cls, type):
            raise DefinitionError(
                f"@Target.{attribute[6:-1]}({target.name!r}) stands on something that is not a task",
                fix="Put it above @task, so that it is applied to the task.",
            )
        setattr(cls, attribute, {**getattr(cls, attribute, {}), target.name: target})
        return cls

    return add


@dataclass(frozen=True, slots=True)
class Scan:
    """What a function says about its targets. `outputs` is None when it does not tell."""

    inputs: Mapping[str, Target]
    parameters: Mapping[str, Target]
    outputs: Mapping[str, Target] | None
    takes_any: bool
    positional: tuple[str, ...]


def scan(function: Callable[..., object], task_name: str, *, skip_self: bool) -> Scan:
    """Read a function's signature, annotations and return statements.

    Raises:
        DefinitionError: it has keyword-only or positional-only parameters.
    """
    inputs: dict[str, Target] = {}
    parameters: dict[str, Target] = {}
    takes_any = False
    positional = []
    for index, parameter in enumerate(inspect.signature(function).parameters.values()):
        if index == 0 and skip_self:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            raise DefinitionError(
                f"In task {task_name!r}: {parameter.name!r} is keyword-only, which a task cannot have",
                fix="Take the `*` out of the signature.",
            )
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            takes_any = takes_any or parameter.kind is parameter.VAR_KEYWORD
            continue
        annotation = _evaluated(parameter.annotation, function)
        positional.append(parameter.name)
        default = MISSING if parameter.default is parameter.empty else parameter.default
        if isinstance(annotation, Parameter):
            kind = _evaluated(annotation.type, function)
            parameters[parameter.name] = Target(parameter.name, kind, default)
            continue
        kind = Any if annotation is parameter.empty else annotation
        inputs[parameter.name] = Target(parameter.name, kind, default)
    outputs = _outputs_of_annotation(function)
    if outputs is None:
        outputs = _outputs_of_returns(function)
    return Scan(inputs, parameters, outputs, takes_any, tuple(positional))


def _evaluated(annotation: Any, function: Callable[..., object]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    plain = inspect.unwrap(function)
    names: dict[str, Any] = dict(getattr(plain, "__globals__", {}))
    names.update(_closure_of(plain))
    try:
        return eval(annotation, names)
    except Exception:  # a name that exists only for type checkers: nothing can be checked against it
        return Any


def _closure_of(function: Any) -> dict[str, Any]:
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    found = {}
    for name, cell in zip(code.co_freevars if code else (), cells or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # the cell is still empty
            continue
    return found


def _outputs_of_annotation(function: Callable[..., object]) -> dict[str, Target] | None:
    plain = inspect.unwrap(function)
    annotations = getattr(plain, "__annotations__", {})
    if "return" not in annotations:
        return None
    returned = _evaluated(annotations["return"], function)
    if returned is None or returned is type(None):
        return {}
    if isinstance(returned, dict):
        return {name: Target(name, _evaluated(kind, function)) for name, kind in returned.items()}
    if typing.is_typeddict(returned):
        hints = typing.get_type_hints(returned)
        return {name: Target(name, kind) for name, kind in hints.items()}
    return None


def _outputs_of_returns(function: Callable[..., object]) -> dict[str, Target] | None:
    """The keys of the literal dicts that a function returns; {} when it returns nothing at all."""
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    definition = next(
        (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)), None
    )
    if not isinstance(definition, ast.FunctionDef):
        return None
    names: dict[str, None] = {}
    for value in _returned_values(definition.body):
        keys = _literal_keys(value)
        if keys is None:
            return None
        names.update(dict.fromkeys(keys))
    return {name: Target(name) for name in names}


def _returned_values(body: list[ast.stmt]) -> list[ast.expr]:
    found: list[ast.expr] = []
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Return) and node.value is not None:
            found.append(node.value)
        pending.extend(ast.iter_child_nodes(node))
    return found[::-1]


def _literal_keys(value: ast.expr) -> list[str] | None:
    if isinstance(value, ast.Constant) and value.value is None:
        return []
    if isinstance(value, ast.IfExp):
        first, second = _literal_keys(value.body), _literal_keys(value.orelse)
        return None if first is None or second is None else first + second
    if isinstance(value, ast.Call):
        called = value.func.id if isinstance(value.func, ast.Name) else getattr(value.func, "attr", "")
        if called in ("Skipped", "exit_pipeline"):
            return []
        if called == "dict" and not value.args and all(keyword.arg for keyword in value.keywords):
            return [str(keyword.arg) for keyword in value.keywords]
        return None
    if isinstance(value, ast.Name) and value.id == "Skipped":
        return []
    if isinstance(value, ast.Dict):
        keys = [key.value for key in value.keys if isinstance(key, ast.Constant)]
        if len(keys) == len(value.keys) and all(isinstance(key, str) for key in keys):
            return [str(key) for key in keys]
    return None
