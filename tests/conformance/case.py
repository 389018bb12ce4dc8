"""A conformance case: a pipeline together with what every backend has to make of it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headwater.backends.result import RunResult


@dataclass(frozen=True)
class Error:
    """What is expected of an error: the node that it names, the exception's type, words of its message."""

    node: str
    type: str
    says: tuple[str, ...] = ()
    error_class: str = "Error"


@dataclass(frozen=True)
class Refusal:
    """What is expected of a workflow that cannot run: it is refused before anything has run."""

    type: type[Exception]
    says: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A pipeline, and what it must come to.

    `build` makes the workflow; when it takes `scratch` it is given a folder. `outputs` are compared by type
    and value. `nodes` gives the phases of some nodes; `attempts` how often they were tried; `items` the
    counts (total, succeeded, failed, cached) of maps.
    """

    name: str
    build: Callable[..., Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] | None = None
    phase: str = "Succeeded"
    nodes: Mapping[str, str] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    items: Mapping[str, tuple[int, int, int, int]] = field(default_factory=dict)
    error: Error | None = None
    refusal: Refusal | None = None
    config: Mapping[str, Any] | None = None
    check: Callable[[Path], None] | None = None

    def workflow(self, scratch: Path) -> Any:
        """The workflow, made anew."""
        if "scratch" in inspect.signature(self.build).parameters:
            return self.build(scratch=str(scratch))
        return self.build()


CASES: dict[str, Case] = {}
ENDING_PROCESSES: dict[str, Case] = {}
"""Cases whose tasks end the process that they run in: not for a backend where that is the process of the run."""


def case(
    *, ends_processes: bool = False, **expected: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a conformance case of the function that builds its workflow."""
    cases = ENDING_PROCESSES if ends_processes else CASES

    def register(build: Callable[..., Any]) -> Callable[..., Any]:
        module = build.__module__.rpartition(".")[2]
        name = f"{module}/{build.__name__}"
        assert name not in CASES | ENDING_PROCESSES, f"two cases are called {name}"
        cases[name] = Case(name, build, **expected)
        return build

    return register


def difference(expected: Any, actual: Any, where: str = "outputs") -> str | None:
    """How two values differ in type or content, in words; None when they do not."""
    import numpy as np  # a pod that runs a case does without

    if type(expected) is not type(actual):
        return f"{where}: expected {expected!r} ({type(expected).__name__}), got {actual!r} ({type(actual).__name__})"
    if isinstance(expected, BaseException):
        return None if str(expected) == str(actual) else f"{where}: expected {expected!r}, got {actual!r}"
    if isinstance(expected, np.ndarray):
        same = expected.dtype == actual.dtype and np.array_equal(expected, actual)
        return None if same else f"{where}: expected {expected!r}, got {actual!r}"
    if isinstance(expected, dict):
        if list(map(repr, sorted(expected, key=repr))) != list(map(repr, sorted(actual, key=repr))):
            return f"{where}: expected the keys {list(expected)}, got {list(actual)}"
        pairs = [(f"{where}[{key!r}]", expected[key], actual[key]) for key in expected]
    elif isinstance(expected, list | tuple):
        if len(expected) != len(actual):
            return f"{where}: expected {expected!r}, got {actual!r}"
        pairs = [(f"{where}[{at}]", *both) for at, both in enumerate(zip(expected, actual, strict=True))]
    elif isinstance(expected, float) and math.isnan(expected):
        return None if math.isnan(actual) else f"{where}: expected nan, got {actual!r}"
    else:
        return None if expected == actual else f"{where}: expected {expected!r}, got {actual!r}"
    return next((found for each in pairs if (found := difference(each[1], each[2], each[0]))), None)


def check_result(case: Case, result: RunResult, scratch: Path) -> None:
    """Assert that a result is what the case expects."""
    if case.error is None:
        assert str(result.error) == "None"
    else:
        assert result.error is not None
        found = (result.error.node, result.error.type, result.error.error_class)
        assert found == (case.error.node, case.error.type, case.error.error_class)
        assert [words for words in case.error.says if words not in result.error.message] == []
    assert result.phase == case.phase
    if case.outputs is not None:
        assert difference(dict(case.outputs), dict(result.outputs)) is None
    assert {path: result.nodes[path].phase for path in case.nodes} == dict(case.nodes)
    assert {path: result.nodes[path].attempts for path in case.attempts} == dict(case.attempts)
    for path, expected in case.items.items():
        items = result.nodes[path].items
        assert items is not None
        assert (items.total, items.succeeded, items.failed, items.cached) == expected
    if case.check is not None:
        case.check(scratch)
