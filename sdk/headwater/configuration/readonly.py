"""Mappings and lists that can be read but not changed, and what to do with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from headwater.errors import ConfigError


def _refuse(*_args: object, **_kwargs: object) -> NoReturn:
    raise ConfigError(
        "the configuration is read-only at run time",
        fix="Change the config file, or use `config.override({...})` in a test.",
    )


class ReadOnlyDict(dict[str, Any]):
    """A dict that refuses changes; keys that are identifiers can be read as attributes.

    >>> section = ReadOnlyDict({"compute": {"multiplier": 3}})
    >>> section.compute.multiplier
    3
    >>> section["compute"] = 1  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    headwater.errors.ConfigError: the configuration is read-only at run time...
    """

    __slots__ = ()

    def __init__(self, values: Mapping[Any, Any] | None = None) -> None:
        super().__init__({key: _frozen(value) for key, value in (values or {}).items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(map(str, self)) or "nothing"
            raise AttributeError(f"the configuration section has no {name!r}; it has {known}") from None

    def __reduce__(self) -> tuple[object, ...]:
        return (ReadOnlyDict, (plain(self),))

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: object) -> dict[str, Any]:
        copied: dict[str, Any] = plain(self)
        return copied

    __setitem__ = __delitem__ = __setattr__ = __delattr__ = _refuse
    __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


class ReadOnlyList(list[Any]):
    """A list that refuses changes.

    >>> ReadOnlyList([1, 2]) == [1, 2]
    True
    """

    __slots__ = ()

    def __init__(self, values: Any = ()) -> None:
        super().__init__(_frozen(value) for value in values)

    def __reduce__(self) -> tuple[object, ...]:
        return (ReadOnlyList, (plain(self),))

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: object) -> list[Any]:
        copied: list[Any] = plain(self)
        return copied

    __setitem__ = __delitem__ = _refuse
    __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ReadOnlyDict(value)
    if isinstance(value, list):
        return ReadOnlyList(value)
    return value


def plain(value: Any) -> Any:
    """The same value made of ordinary, changeable dicts and lists.

    >>> type(plain(ReadOnlyDict({"a": [1]}))["a"])
    <class 'list'>
    """
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid upon it, section by section; neither is changed.

    >>> merged({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    {'a': {'x': 1, 'y': 3}}
    """
    result: dict[str, Any] = plain(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = plain(value)
    return result
