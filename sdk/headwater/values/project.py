"""Which modules are the project's own: not the standard library, not installed packages, not Headwater."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from types import ModuleType

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_HEADWATER = __name__.partition(".")[0]


@functools.cache
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    found = {os.path.join(paths[name], "") for name in ("stdlib", "platstdlib") if name in paths}
    return tuple(sorted(found))


@functools.lru_cache(maxsize=4096)
def is_own(module: str, filename: str = "") -> bool:
    """Whether code of this module is the project's own: an edit of it counts.

    `filename` says where the code is when its module is not imported here (it came pickled by value).

    >>> is_own("json"), is_own("headwater.engine"), is_own("__main__")
    (False, False, True)
    """
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names or root == _HEADWATER:
        return False
    if root == "__main__":
        # In a worker this is some library's program; what claims to be of `__main__` is the user's all the
        # same.
        return not filename or _is_own_file(filename)
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None) or filename
    return _is_own_file(file) if file else not _is_frozen(loaded)


@functools.lru_cache(maxsize=4096)
def _is_own_file(file: str) -> bool:
    if not _INSTALLED.isdisjoint(os.path.normpath(file).split(os.sep)):
        return False
    return not os.path.abspath(file).startswith(_library_folders())


def _is_frozen(module: ModuleType | None) -> bool:
    spec = getattr(module, "__spec__", None)
    return spec is not None and spec.origin in ("built-in", "frozen")


def own_module(name: str, importer: str, level: int) -> ModuleType | None:
    """The module that a function of `importer` imports when it runs, if it is the project's own.

    It is imported here when it was not yet: the digest of a function must not depend on what ran before.
    None for libraries and for what cannot be imported.
    """
    import importlib
    import importlib.util

    if level:
        package = getattr(sys.modules.get(importer), "__package__", None) or importer.rpartition(".")[0]
        try:
            name = importlib.util.resolve_name("." * level + name, package)
        except ImportError:
            return None
    root = name.partition(".")[0]
    if root in sys.stdlib_module_names or root == _HEADWATER:
        return None
    if name not in sys.modules:
        try:
            spec = importlib.util.find_spec(root)
        except (ImportError, ValueError):
            return None
        if spec is None or (spec.origin and not _is_own_file(spec.origin)):
            return None
        try:
            return importlib.import_module(name)
        except Exception:  # the user's module may raise anything; the task will say so when it runs
            return None
    return sys.modules[name] if is_own(name) else None
