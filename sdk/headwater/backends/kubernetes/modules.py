"""Which files of the project a run needs: its modules, what they import of the project, and data beside them."""

from __future__ import annotations

import ast
import functools
import importlib.machinery
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from headwater.configuration import config
from headwater.values.project import is_own

IGNORE_FILE = ".headwaterignore"
NEVER = (
    ".*", "__pycache__", "*.pyc", "*.pyo", "venv", "node_modules", "*.egg-info",
    "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa*", "id_ed25519*", "credentials*", "secrets.*", "kubeconfig*",
    "config.yml", "config.yaml", "config.toml",
)  # fmt: skip
"""Never part of a bundle unless `.headwaterignore` says `!PATTERN`: caches, environments, what may be secret."""


@dataclass(frozen=True, slots=True)
class Module:
    """One of the project's modules: where its file is, and whether it is a package's `__init__`."""

    name: str
    file: Path
    is_package: bool

    @property
    def place(self) -> str:
        """Where it has to lie below a folder that is on the path.

        >>> Module("tuto.tasks", Path("/p/plugins/tuto/tasks.py"), False).place
        'tuto/tasks.py'
        """
        stem = self.name.replace(".", "/")
        return f"{stem}/__init__.py" if self.is_package else f"{stem}.py"


def needed_files(names: Iterable[str]) -> dict[str, Path]:
    """The files that these modules need, by their place in the bundle.

    A module in a package brings the package's folder with it: modules that are imported by name at run time,
    and data files. A module that stands by itself brings only what it imports.
    """
    found: dict[str, Path] = {}
    folders: dict[str, Path] = {}
    for module in _reached(names):
        found[module.place] = module.file
        if "." in module.name or module.is_package:
            prefix, folder = _package_folder(module)
            folders.setdefault(prefix, folder)
    for prefix, folder in folders.items():
        for path in _files_in(folder):
            found.setdefault(f"{prefix}/{path.relative_to(folder).as_posix()}", path)
    return found


def _reached(names: Iterable[str]) -> Iterator[Module]:
    """These modules and all that they import of the project, each with the packages around it."""
    seen: set[str] = set()
    pending = [part for name in names for part in _with_parents(name)]
    while pending:
        name = pending.pop(0)
        if name in seen:
            continue
        seen.add(name)
        module = own_module(name)
        if module is None:
            continue
        yield module
        if module.file.suffix == ".py":
            pending += [part for each in _imports(module) for part in _with_parents(each)]


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def own_module(name: str) -> Module | None:
    """The project's own module of this name; None for libraries, and for what there is not.

    >>> own_module("json"), own_module("headwater.engine")
    (None, None)
    """
    loaded = sys.modules.get(name)
    file = getattr(loaded, "__file__", None)
    is_package = hasattr(loaded, "__path__")
    if file is None and name != "__main__":
        spec = _spec(name)
        if spec is None or spec.origin is None or not spec.has_location:
            return None
        file, is_package = spec.origin, spec.submodule_search_locations is not None
    if file is None or not is_own(name, file) or not os.path.isfile(file):
        return None
    return Module(name, Path(file).resolve(), is_package)


def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """Where a module is, found without importing anything."""
    path: Iterable[str] | None = None
    spec: importlib.machinery.ModuleSpec | None = None
    for part in _with_parents(name):
        loaded = sys.modules.get(part)
        if loaded is not None and part != name:
            path = list(getattr(loaded, "__path__", ()))
            continue
        try:
            spec = importlib.machinery.PathFinder.find_spec(part, None if path is None else list(path))
        except (ImportError, ValueError, AttributeError):
            return None
        if spec is None:
            return None
        path = spec.submodule_search_locations or ()
    return spec


def _imports(module: Module) -> frozenset[str]:
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    with _parsing:
        return _imports_of(module.file, module.file.stat().st_mtime_ns, package)


_parsing = threading.Lock()  # ast.parse of Python 3.11 fails in two threads at once


@functools.lru_cache(maxsize=4096)
def _imports_of(file: Path, _changed: int, package: str) -> frozenset[str]:
    """The modules that a file names in its import statements, those inside of functions too."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            if base:
                found.add(base)
                found.update(f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
    return frozenset(found)


def _package_folder(module: Module) -> tuple[str, Path]:
    """The folder that goes along with a module: of its outermost real package, else the one that it lies in."""
    parts = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    folder = module.file.parent
    while len(parts) > 1 and (folder / "__init__.py").is_file() and (folder.parent / "__init__.py").is_file():
        parts, folder = parts[:-1], folder.parent
    return "/".join(parts), folder


def _files_in(folder: Path) -> Iterator[Path]:
    rules = _Rules(folder)
    for here, folders, files in os.walk(folder):
        base = Path(here)
        folders[:] = sorted(each for each in folders if not rules.ignore(base / each))
        for name in sorted(files):
            path = base / name
            if path.is_file() and not rules.ignore(path):
                yield path


class _Rules:
    """What stays at home: `NEVER`, the config in force, and what a `.headwaterignore` above or here names."""

    def __init__(self, folder: Path) -> None:
        self._base = folder
        self._patterns = list(NEVER)
        for above in [*reversed(folder.parents), folder]:
            file = above / IGNORE_FILE
            if file.is_file():
                lines = file.read_text(encoding="utf-8").splitlines()
                self._patterns += [line.strip() for line in lines if line.strip() and line.strip()[0] != "#"]
        self._config = config.path.resolve() if config.path is not None else None

    def ignore(self, path: Path) -> bool:
        if path.resolve() == self._config:
            return True
        ignored = False
        for pattern in self._patterns:
            wanted = pattern.removeprefix("!").strip("/")
            if fnmatch(path.name, wanted) or fnmatch(str(path), f"*/{wanted}"):
                ignored = not pattern.startswith("!")
        return ignored
