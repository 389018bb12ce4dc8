"""`settings`: the upper-case names of the project's settings module over the defaults."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from headwater.configuration.readonly import _refuse
from headwater.errors import ConfigError

SETTINGS_VARIABLE = "HEADWATER_SETTINGS_MODULE"

ROOT_VARIABLE = "PIPELINE_ROOT_DIRECTORY"

DEFAULTS: dict[str, Any] = {
    "PLUGINS": [],
    "TEMP_DIR": None,
    "ROOT_DIRECTORY": None,
    "MAIN_DATABASE": "default",
    "BACKENDS": {
        "default": "headwater.backends.default",
        "parallel": "headwater.backends.parallel",
        "slurm": "headwater.backends.slurm",
        "kubernetes": "headwater.backends.kubernetes",
    },
    "ROOT_COMMAND_CLASS": None,
}


class Settings:
    """The settings of the project, by attribute. Read when first looked at; assigning raises `ConfigError`.

    The module is the one that `HEADWATER_SETTINGS_MODULE` names; without it the defaults hold. `BACKENDS`
    of a project adds to the built-in ones.

    >>> with Settings().use({"MAIN_DATABASE": "results"}) as settings:
    ...     settings.MAIN_DATABASE
    'results'
    """

    def __init__(self) -> None:
        object.__setattr__(self, "_chosen", None)
        object.__setattr__(self, "_found", None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        values = self._values()
        if name == "ROOT_DIRECTORY" and values[name] is None:
            return os.environ.get(ROOT_VARIABLE)
        try:
            return values[name]
        except KeyError:
            raise AttributeError(
                f"there is no setting {name!r}; there are {', '.join(sorted(values))}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __reduce__(self) -> tuple[object, ...]:
        # Code that names `settings` and travels to a worker finds the worker's own.
        return (_current, ())

    @property
    def module(self) -> str | None:
        """The name of the settings module, or None."""
        return os.environ.get(SETTINGS_VARIABLE) or None

    def to_dict(self) -> dict[str, Any]:
        """A copy of all settings."""
        return dict(self._values())

    def use(self, source: Mapping[str, Any] | ModuleType | str) -> _Restore:
        """Take the settings from this mapping or module from now on; in a `with`, until its end."""
        if isinstance(source, str):
            source = _imported(source)
        before = self.__dict__["_chosen"]
        object.__setattr__(self, "_chosen", _over_defaults(source))
        return _Restore(self, before)

    def reload(self) -> None:
        """Forget what was read or chosen."""
        object.__setattr__(self, "_chosen", None)
        object.__setattr__(self, "_found", None)

    __setattr__ = __delattr__ = _refuse

    def _values(self) -> dict[str, Any]:
        chosen: dict[str, Any] | None = self.__dict__["_chosen"]
        if chosen is not None:
            return chosen
        name = os.environ.get(SETTINGS_VARIABLE)
        found = self.__dict__["_found"]
        if found is None or found[0] != name:
            found = (name, _over_defaults(_imported(name) if name else {}))
            object.__setattr__(self, "_found", found)
        values: dict[str, Any] = found[1]
        return values


class _Restore:
    """What `use` returns: leaving the `with` puts back what held before."""

    __slots__ = ("_before", "_settings")

    def __init__(self, settings: Settings, before: object) -> None:
        self._settings = settings
        self._before = before

    def __enter__(self) -> Settings:
        return self._settings

    def __exit__(self, *_exc: object) -> None:
        object.__setattr__(self._settings, "_chosen", self._before)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever the project's own module raises
        raise ConfigError(
            f"the settings module {name!r} cannot be imported: {error}",
            fix=f"Check {SETTINGS_VARIABLE} and that the project's folder is on the Python path.",
        ) from error


def _over_defaults(source: Mapping[str, Any] | ModuleType) -> dict[str, Any]:
    names = source if isinstance(source, Mapping) else vars(source)
    values = {name: names[name] for name in names if name.isupper() and not name.startswith("_")}
    if isinstance(values.get("BACKENDS"), Mapping):
        values["BACKENDS"] = {**DEFAULTS["BACKENDS"], **values["BACKENDS"]}
    return {**DEFAULTS, **values}


def _current() -> Settings:
    return settings


settings = Settings()
