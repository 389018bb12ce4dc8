"""From the references in a document to Python objects, and from an object to a call."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from headwater.blocks.signals import Skipped
from headwater.blocks.task import Task, as_task
from headwater.engine.standins import ItemOf, Pickled
from headwater.errors import DefinitionError, DocumentError, HeadwaterError, TargetError
from headwater.runtime.carry import Stored, StoredList

Outputs = dict[str, object]


class Code:
    """The objects that a document names, and the parameters that its tasks read.

    `objects` maps references to live objects; what is not there is imported (`module:qualname`). It can be
    pickled (with cloudpickle, for objects of `__main__` and of functions) and sent to another process.

    >>> Code({}).resolve("math:sqrt")
    <built-in function sqrt>
    """

    def __init__(
        self,
        objects: Mapping[str, object],
        parameters: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        self.objects = dict(objects)
        self.parameters = parameters or {}
        self._tasks: dict[str, Task] = {}
        self._functions: dict[str, Callable[..., object]] = {}

    def __getstate__(self) -> dict[str, object]:
        return {"objects": self.objects, "parameters": self.parameters}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["objects"], state["parameters"])  # type: ignore[misc]  # same as a new one

    def resolve(self, ref: str) -> object:
        """The object of a reference; importing it if need be."""
        if ref not in self.objects:
            self.objects[ref] = _imported(ref)
        return self.objects[ref]

    def task(self, ref: str) -> Task:
        """The task of a reference; a plain function is made one."""
        known = self._tasks.get(ref)
        if known is not None:
            return known
        found = self.resolve(ref)
        if isinstance(found, type) and issubclass(found, Task):
            found = found()
        elif not isinstance(found, Task) and callable(found):
            found = as_task(found)()
        if not isinstance(found, Task):
            raise DefinitionError(
                f"{ref!r} is a {type(found).__name__}, not a task",
                fix="Name a function or a class made with @task.",
            )
        self._tasks[ref] = found
        return found

    def run_task(self, ref: str, inputs: Mapping[str, object]) -> Outputs | Skipped:
        """Call a task with its inputs and parameters; its targets are checked on both sides."""
        task = self._tasks.get(ref) or self.task(ref)
        if self.parameters:
            return task.call(inputs, self.parameters.get(task.name))
        return task.call(inputs, None)

    def decide(self, ref: str, inputs: Mapping[str, object]) -> bool:
        """Call a condition or an `until` with the inputs that its signature takes."""
        function = self._functions.get(ref)
        if function is None:
            found = self.resolve(ref)
            if (isinstance(found, type) and issubclass(found, Task)) or isinstance(found, Task):
                return self._decided_by_task(ref, inputs)
            if not callable(found):
                raise DefinitionError(f"{ref!r} is not a function", fix="Name a function of the outputs.")
            function = self._functions[ref] = found
        return bool(function(**_accepted(function, inputs)))

    def _decided_by_task(self, ref: str, inputs: Mapping[str, object]) -> bool:
        outputs = self.run_task(ref, inputs)
        if isinstance(outputs, Skipped) or len(outputs) != 1:
            raise TargetError(f"{ref!r} must return one value to decide on", fix="Return True or False.")
        return bool(next(iter(outputs.values())))


def _imported(ref: str) -> object:
    module_name, _, qualname = ref.partition(":")
    qualname = qualname.partition("#")[0]
    try:
        found: object = importlib.import_module(module_name)
    except ImportError as error:
        raise DefinitionError(
            f"cannot import {module_name!r} for {ref!r}: {error}",
            fix="Run where the module is importable, or put its folder on PYTHONPATH.",
        ) from error
    for part in qualname.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            from difflib import get_close_matches

            close = get_close_matches(part, dir(found), 1)
            hint = f"Did you mean {close[0]!r}?" if close else "Check the name after the colon."
            raise DefinitionError(f"module {module_name!r} has no {qualname!r}", fix=hint) from error
    return found


def _accepted(function: Callable[..., object], inputs: Mapping[str, object]) -> Mapping[str, object]:
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return inputs
    names = {parameter.name for parameter in parameters}
    return {name: value for name, value in inputs.items() if name in names}


def unpickled(data: str) -> object:
    """The object of a pickle in base64.

    >>> unpickled("SwMu")
    3
    """
    import base64
    import pickle

    return pickle.loads(base64.b64decode(data))


def inline_objects(spec: Mapping[str, Any], refs: Iterable[str] | None = None) -> dict[str, object]:
    """The objects that a document carries by value; only those of `refs` where it is given.

    Raises:
        DocumentError: one cannot be loaded here.
    """
    carried: Mapping[str, str] = (spec.get("code") or {}).get("inline") or {}
    objects: dict[str, object] = {}
    for ref in carried if refs is None else refs:
        if ref not in carried:
            continue
        try:
            objects[ref] = unpickled(carried[ref])
        except HeadwaterError:
            raise
        except Exception as error:
            raise DocumentError(
                f"spec.code.inline: {ref!r} cannot be loaded: {error}",
                fix="Compile the workflow again with the Python version and packages of this machine.",
            ) from error
    return objects


_CARRIED = frozenset({ItemOf, Pickled, Stored, StoredList})


def live(value: object) -> object:
    """The Python object behind what the engine carried: an item of a collection, a pickled constant."""
    if type(value) is ItemOf:
        return live(element(as_sequence(value.collection), value.index))
    if isinstance(value, Stored | StoredList):
        return value.load()
    if type(value) is Pickled:
        return unpickled(value.data)
    return value


def live_inputs(inputs: Mapping[str, object]) -> Mapping[str, object]:
    """The inputs as Python objects; the mapping itself when nothing had to be unwrapped."""
    for value in inputs.values():
        if type(value) in _CARRIED:
            return {name: live(given) for name, given in inputs.items()}
    return inputs


def as_sequence(value: Any) -> Any:
    """What can be indexed and has a length, from anything that a map may run over."""
    if type(value) is not StoredList:
        value = live(value)
    if isinstance(value, list | tuple | range):
        return value
    if isinstance(value, str | bytes):
        raise TargetError(
            f"a map cannot run over a {type(value).__name__}",
            fix="Give it a list of them, or split it first.",
        )
    if hasattr(value, "iloc") or (hasattr(value, "__len__") and hasattr(value, "__array__")):
        return value
    try:
        return list(value)
    except TypeError:
        raise TargetError(
            f"a map needs a sequence to run over; got {type(value).__name__}",
            fix="Return a list (or any iterable) upstream.",
        ) from None


def element(sequence: Any, index: int) -> object:
    """One element by position, for pandas objects too."""
    return sequence.iloc[index] if hasattr(sequence, "iloc") else sequence[index]
