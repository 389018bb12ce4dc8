"""From what a user names to a workflow that can run: `module:workflow`, a `.py` file, a document."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from headwater.blocks.compile import Compiled
from headwater.blocks.task import Task
from headwater.blocks.workflow import Workflow
from headwater.document.problems import as_declared, nearest, wrong_type
from headwater.errors import HeadwaterError, UsageError
from headwater.runtime.tracebacks import place_of, traceback_of

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_EXAMPLES = {"int": "3", "float": "1.5", "bool": "true", "list": "'[1, 2]'", "dict": "'{\"a\": 1}'"}
DOCUMENTS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Found:
    """A target: ready to run, and the text by which it can be found again."""

    compiled: Compiled
    target: str


def find_target(target: str) -> Found:
    """Load a target.

    Raises:
        UsageError: there is no such file, module or workflow; the message lists what there is.
    """
    place, _, name = target.partition(":")
    is_file = place.endswith(".py")
    if is_file and Path(place).stem in sys.stdlib_module_names:
        make_importable(
            Path(place).parent, last=True
        )  # Python must go on finding its own module of that name
        make_importable(Path.cwd(), last=True)
    else:
        make_importable(Path.cwd())
    if Path(target).suffix in DOCUMENTS:
        from headwater.backends import compiled_document
        from headwater.document import load

        document = load(Path(target))
        if calls_templates(document):
            from headwater.flows.registry import find_anywhere
            from headwater.flows.templates import expand

            document = expand(document, find_anywhere)
        return Found(compiled_document(document), str(Path(target).absolute()))
    if is_file:
        with _loading(place):
            compiled = _workflow_in(_module_of_file(Path(place)), name, target).compiled()
        path = str(Path(place).absolute())
        return Found(compiled, f"{path}:{name}" if name else path)
    if not name:
        hint = " It is a folder." if Path(target).is_dir() else ""
        meant = next(
            (f"{target}{end}" for end in (".py", *DOCUMENTS) if Path(f"{target}{end}").is_file()), ""
        )
        raise UsageError(
            f"{target!r} is not a target.{hint}",
            fix=f"Did you mean {meant}?"
            if meant
            else "Give module:workflow, a .py file, or a .yaml, .yml or .json document.",
        )
    with _loading(place):
        return Found(_workflow_in(_module_named(place), name, target).compiled(), target)


def make_importable(folder: Path, *, last: bool = False) -> None:
    """Have Python find modules in a folder: before all others, or after them."""
    path = str(folder.resolve())
    if path not in sys.path:
        sys.path.insert(len(sys.path) if last else 0, path)


def calls_templates(document: Mapping[str, Any]) -> bool:
    """Whether a document runs registered templates."""
    spec = document["spec"]
    nodes = [node for block in spec.get("blocks") or () for node in block["nodes"]]
    kinds = [kind for node in nodes for kind in (node, node.get("map") or {})]
    return bool(spec.get("template")) or any((kind.get("call") or {}).get("template") for kind in kinds)


@contextmanager
def _loading(what: str) -> Iterator[None]:
    """Errors of the author's own code name the line that they come from.

    Raises:
        UsageError: it cannot be loaded.
    """
    try:
        yield
    except SyntaxError as error:
        where = f"{_shown(error.filename or what)}:{error.lineno}"
        raise _traced(UsageError(f"{where}: {error.msg}", fix=(error.text or "").strip()), error) from error
    except HeadwaterError as error:
        frame = place_of(error)
        if frame is not None:
            error.message = f"{_shown(frame.filename)}:{frame.lineno}: {error.message}"
            _traced(error, error)
        raise
    except Exception as error:
        frame = place_of(error)
        where = f"{_shown(frame.filename)}:{frame.lineno}" if frame is not None else what
        said = f"{where}: {type(error).__name__}: {error}"
        line = frame.line if frame is not None and frame.line else ""
        install = "Install it, or run where it is importable." if isinstance(error, ImportError) else ""
        raise _traced(UsageError(said, fix=install or line), error) from error


def _traced(error: HeadwaterError, cause: Exception) -> HeadwaterError:
    """The error, with the lines that led to its cause: here they are those of the author alone."""
    error.__dict__["__headwater_traceback__"] = traceback_of(cause)
    return error


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _module_named(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(
                f"there is no module {name!r}", fix="Run where it is importable, or set PYTHONPATH."
            ) from None
        raise


def _module_of_file(path: Path) -> ModuleType:
    """The module of a file, importable by its stem wherever that is possible, so that workers find it too."""
    if not path.is_file():
        close = get_close_matches(path.name, [each.name for each in path.parent.glob("*.py")], 1)
        fix = f"Did you mean {str(path.with_name(close[0]))!r}?" if close else "Check the path."
        raise UsageError(f"there is no file {str(path)!r}", fix=fix)
    path = path.resolve()
    loaded = sys.modules.get(path.stem)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    make_importable(path.parent)
    spec = importlib.util.find_spec(path.stem) if path.stem.isidentifier() and loaded is None else None
    if spec is not None and spec.origin == str(path):
        return importlib.import_module(path.stem)
    return _module_by_value(path)


def _module_by_value(path: Path) -> ModuleType:
    """A file whose name means something else to Python: its objects travel to workers by value."""
    import cloudpickle

    name = f"flowctl_target_{path.stem}".replace("-", "_").replace(".", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)
    return module


def _is_workflow(found: object) -> bool:
    """Whether it can run by itself: a workflow whose function wants blocks from outside cannot."""
    if not isinstance(found, type):
        return isinstance(found, Workflow)
    if not issubclass(found, Workflow) or found.definition is None:
        return False
    parameters = inspect.signature(found.definition).parameters.values()
    return all(each.default is not each.empty or each.kind in _VARIADIC for each in parameters)


def _workflow_in(module: ModuleType, name: str, target: str) -> Workflow:
    own = {
        key: found
        for key, found in vars(module).items()
        if _is_workflow(found) and not key.startswith("_") and _is_defined_in(found, module)
    }
    if name:
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is None:
            raise UsageError(f"{target!r}: there is no {name!r}", fix=nearest(name, own))
        if not (isinstance(found, Workflow) or (isinstance(found, type) and issubclass(found, Workflow))):
            raise _no_workflow(target, name, found, own)
        return _instance(found)
    tops = _outermost(own)
    if len(tops) == 1:
        (only,) = tops.values()
        return _instance(only)
    if not own:
        raise UsageError(f"there is no workflow in {target!r}", fix=_why_none(module))
    listed = "\n".join(f"  {target}:{each}" for each in own)
    raise UsageError(f"there are {len(own)} workflows in {target!r}: name one\n{listed}")


def _no_workflow(target: str, name: str, found: Any, own: Mapping[str, Any]) -> UsageError:
    if isinstance(found, Task) or (isinstance(found, type) and issubclass(found, Task)):
        said, fix = "a task", f"A task runs in a workflow: `with Workflow() as w: {name}()`, then run that."
    else:
        said, fix = f"a {type(found).__name__}", nearest(name, own)
    return UsageError(f"{target!r}: {name!r} is not a workflow but {said}", fix=fix)


def _why_none(module: ModuleType) -> str:
    for name, found in vars(module).items():
        is_own = (
            isinstance(found, type) and issubclass(found, Workflow) and found.__module__ == module.__name__
        )
        if is_own and found.definition is not None:
            wanted = ", ".join(inspect.signature(found.definition).parameters)
            return (
                f"{name!r} cannot run by itself: its function wants {wanted}. What its tasks take are its inputs, "
                "without being named there."
            )
    return "Decorate a function with @workflow."


def _instance(found: Any) -> Workflow:
    workflow: Workflow = found() if isinstance(found, type) else found
    return workflow


def _is_defined_in(found: Any, module: ModuleType) -> bool:
    return not isinstance(found, type) or found.__module__ == module.__name__


def _outermost(own: Mapping[str, Any]) -> dict[str, Any]:
    """The workflows that no other one of them uses."""
    if len(own) < 2:
        return dict(own)
    built = {name: _instance(found) for name, found in own.items()}
    used: set[str] = set()
    for workflow in built.values():
        pending = list(workflow.blocks)
        for block in pending:
            pending += getattr(block, "blocks", [])
            used |= {name for name, found in own.items() if type(block) is found or block is found}
    return {name: found for name, found in own.items() if name not in used}


def inputs_from(params: Sequence[str], compiled: Compiled) -> dict[str, Any]:
    """The inputs of `-p NAME=VALUE`: JSON where it is, else text; text as it is for an input of type str.

    Raises:
        UsageError: a parameter has no `=`, is given twice, or names no input.
    """
    entry = compiled.spec.get("entrypoint") or compiled.spec["blocks"][0]["name"]
    block = next(block for block in compiled.spec["blocks"] if block["name"] == entry)
    return inputs_of(params, block.get("inputs") or {})


def inputs_of(params: Sequence[str], declared: Mapping[str, Any]) -> dict[str, Any]:
    """The same for inputs that are declared in this way: by name, with type and default."""
    inputs: dict[str, Any] = {}
    for param in params:
        name, equals, text = param.partition("=")
        if not equals:
            raise UsageError(f"-p {param}: there is no '='", fix="Write -p NAME=VALUE.")
        if name not in declared:
            raise UsageError(f"unknown input {name!r}", fix=nearest(name, declared))
        if name in inputs:
            raise UsageError(f"-p {name} is given twice", fix="Give it once.")
        wanted = declared[name].get("type")
        inputs[name] = as_declared(wanted, text if wanted == "str" else _value(text))
        wrong = wrong_type(wanted, inputs[name])
        if wrong:
            raise UsageError(f"-p {name}={text}: {wrong}", fix=f"Such as -p {name}={_EXAMPLES[wanted]}")
    return inputs


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
