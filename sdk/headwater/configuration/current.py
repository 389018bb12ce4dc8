"""`config`: the configuration of this process, read when it is first looked at."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from headwater.configuration.loading import CONFIG_VARIABLE, find_config, read_config
from headwater.configuration.readonly import ReadOnlyDict, _refuse, merged, plain


class Config(Mapping[str, Any]):
    """A read-only view of the config file, by item or attribute: `config["parameters"]`, `config.parameters`.

    The file is looked for when the first value is asked for, and again when `HEADWATER_CONFIG_PATH` or the
    current folder has changed. Assigning raises `ConfigError`.

    >>> with Config().use({"parameters": {"compute": {"multiplier": 3}}}) as config:
    ...     config.parameters.compute.multiplier
    3
    """

    def __init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "_lock", threading.RLock())
        set_(self, "_chosen", None)
        set_(self, "_found", None)

    # ------------------------------------------------------------ reading

    def __getitem__(self, key: str) -> Any:
        return self._state()[1][key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._state()[1])

    def __len__(self) -> int:
        return len(self._state()[1])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._state()[1], name)

    def __repr__(self) -> str:
        return f"Config({self.path or 'no file'})"

    def __reduce__(self) -> tuple[object, ...]:
        # Code that names `config` and travels to a worker finds the worker's own.
        return (_current, ())

    @property
    def path(self) -> Path | None:
        """The file that the configuration was read from, or None."""
        return self._state()[0]

    def to_dict(self) -> dict[str, Any]:
        """A copy of everything, made of ordinary dicts and lists."""
        values: dict[str, Any] = plain(self._state()[1])
        return values

    # ------------------------------------------------------------ choosing

    def use(self, source: Mapping[str, Any] | Path | str) -> _Restore:
        """Take the configuration from this mapping or file from now on; in a `with`, until its end."""
        if isinstance(source, Mapping):
            return self._choose((None, ReadOnlyDict(source)))
        path = Path(source).expanduser()
        return self._choose((path.absolute(), ReadOnlyDict(read_config(path))))

    def override(self, values: Mapping[str, Any]) -> _Restore:
        """Lay `values` over the present configuration, section by section; in a `with`, until its end."""
        path, present = self._state()
        return self._choose((path, ReadOnlyDict(merged(present, values))))

    @property
    def is_chosen(self) -> bool:
        """Whether `use` or `override` has put it in force, rather than a file that any process can find."""
        return self.__dict__["_chosen"] is not None

    def reload(self) -> None:
        """Forget what was read or chosen; the next look reads the file again."""
        object.__setattr__(self, "_chosen", None)
        object.__setattr__(self, "_found", None)

    __setattr__ = __delattr__ = __setitem__ = __delitem__ = _refuse

    def _choose(self, state: tuple[Path | None, ReadOnlyDict]) -> _Restore:
        before = self.__dict__["_chosen"]
        object.__setattr__(self, "_chosen", state)
        return _Restore(self, before)

    def _state(self) -> tuple[Path | None, ReadOnlyDict]:
        chosen: tuple[Path | None, ReadOnlyDict] | None = self.__dict__["_chosen"]
        if chosen is not None:
            return chosen
        key = (os.environ.get(CONFIG_VARIABLE), _folder())
        found = self.__dict__["_found"]
        if found is None or found[0] != key:
            with self.__dict__["_lock"]:
                path = find_config(Path(key[1]))
                found = (key, (path, ReadOnlyDict(read_config(path) if path else {})))
                object.__setattr__(self, "_found", found)
        state: tuple[Path | None, ReadOnlyDict] = found[1]
        return state


class _Restore:
    """What `use` and `override` return: leaving the `with` puts back what held before."""

    __slots__ = ("_before", "_config")

    def __init__(self, config: Config, before: object) -> None:
        self._config = config
        self._before = before

    def __enter__(self) -> Config:
        return self._config

    def __exit__(self, *_exc: object) -> None:
        object.__setattr__(self._config, "_chosen", self._before)


def _folder() -> str:
    from headwater.configuration.project_settings import settings

    root = settings.ROOT_DIRECTORY
    if root:
        return str(root)
    try:
        return os.getcwd()
    except FileNotFoundError:  # the folder was removed under us: nothing can be found in it
        return os.sep


def load_config(path: Path | str | None = None) -> Config:
    """Read a configuration: from `path`, else `HEADWATER_CONFIG_PATH`, else the current folder, else none.

    >>> load_config("no-such-file.yml")
    Traceback (most recent call last):
    headwater.errors.ConfigError: the config file 'no-such-file.yml' does not exist. Check the path.
    """
    loaded = Config()
    loaded.use(path if path is not None else (find_config(Path(_folder())) or {}))
    return loaded


def _current() -> Config:
    return config


config = Config()
