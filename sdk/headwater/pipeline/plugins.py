"""Plugins: packages whose commands, tasks and models belong to a pipeline."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from pathlib import Path

from headwater.errors import ConfigError

BUILT_IN = ("headwater.management", "headwater.pipeline.management")
PARTS = ("models", "tasks", "commands")


class PluginError(ConfigError):
    """A plugin of the settings cannot be loaded."""

    code = "HW020"


def load_plugin(name: str) -> None:
    """Import a plugin's models, tasks and commands.

    Raises:
        PluginError: there is no such package, or nothing in it that a plugin has.
    """
    if name in BUILT_IN:
        return
    found = [part for part in PARTS if _load_part(name, part)]
    if not found:
        raise PluginError(
            f"the plugin {name!r} has none of {', '.join(f'{part}.py' for part in PARTS)}",
            fix="A plugin needs at least one of them.",
        )


def plugin_folder(name: str) -> Path:
    """The folder of a plugin's package."""
    spec = _spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(
            f"there is no plugin {name!r}",
            fix="Check PLUGINS in the settings (with the namespace: NAMESPACE.NAME), and that it is installed "
            "or lies in the folder `plugins`.",
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None


def _load_part(plugin: str, part: str) -> bool:
    folder = plugin_folder(plugin)
    if part == "models" and (folder / "models").is_dir():
        package = f"{plugin}.models"
        importlib.import_module(package)
        for module in pkgutil.iter_modules([str(folder / "models")]):
            if not module.ispkg:
                importlib.import_module(f"{package}.{module.name}")
        return True
    if not (folder / f"{part}.py").is_file() and not (folder / part / "__init__.py").is_file():
        return False
    importlib.import_module(f"{plugin}.{part}")
    return True
