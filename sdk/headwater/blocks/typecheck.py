"""Types of targets: whether a value has its type, and whether one type can ever feed another."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, Union

CHECKED_ELEMENTS = 100_000
"""At most so many elements of a collection are checked; beyond that a check would cost more than the task."""

Check = Callable[[object], str | None]

_NUMBERS: Mapping[type, tuple[type, ...]] = {float: (float, int), complex: (complex, float, int)}
_LISTS = (list, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Set)


def type_name(annotation: object) -> str:
    """How a type is written in messages and documents.

    >>> type_name(int), type_name(list[int]), type_name(Any)
    ('int', 'list[int]', 'Any')
    """
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def check_of(annotation: object) -> Check | None:
    """A function that says what a value is instead of `annotation`, or None when it fits.

    The answer is None itself where every value fits.

    >>> check_of(list[int])([1, "2"])
    'list with a str at index 1'
    >>> check_of(float)(1) is None
    True
    """
    try:
        return _check_of(annotation)
    except TypeError:  # an annotation that cannot be hashed
        return _build(annotation)


@lru_cache(maxsize=1024)
def _check_of(annotation: object) -> Check | None:
    return _build(annotation)


def _build(annotation: object) -> Check | None:
    if annotation is Any or annotation is object or isinstance(annotation, typing.TypeVar):
        return None
    if annotation is None:
        annotation = type(None)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None and isinstance(annotation, type) and not typing.is_typeddict(annotation):
        if getattr(annotation, "_is_protocol", False):
            return _by_library(annotation)
        return _instance(_NUMBERS.get(annotation, (annotation,)))
    if origin is Literal:
        return lambda value: None if value in arguments else f"{value!r}"
    if origin is Union or origin is types.UnionType:
        return _any_of([check_of(argument) for argument in arguments])
    if origin in _LISTS and len(arguments) == 1:
        return _elements(origin, check_of(arguments[0]))
    if origin is tuple and arguments:
        return _tuple(arguments)
    if origin in (dict, collections.abc.Mapping) and len(arguments) == 2:
        return _mapping(origin, check_of(arguments[0]), check_of(arguments[1]))
    if origin is typing.Annotated:
        return check_of(arguments[0])
    return _by_library(annotation)


def _named(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _instance(classes: tuple[type, ...]) -> Check:
    if len(classes) == 1:
        (only,) = classes
        return lambda value: None if isinstance(value, only) else _named(value)
    return lambda value: None if isinstance(value, classes) else _named(value)


def _any_of(checks: list[Check | None]) -> Check | None:
    if None in checks:
        return None
    return lambda value: (
        None if any(check is not None and check(value) is None for check in checks) else _named(value)
    )


def _elements(origin: Any, check: Check | None) -> Check:
    def verify(value: object) -> str | None:
        if not isinstance(value, origin) or isinstance(value, str):
            return _named(value)
        if check is None or not isinstance(value, collections.abc.Collection):
            return None
        for index, element in enumerate(value):
            if index >= CHECKED_ELEMENTS:
                break
            wrong = check(element)
            if wrong is not None:
                where = f" at index {index}" if isinstance(value, collections.abc.Sequence) else ""
                return f"{type(value).__name__} with a {wrong}{where}"
        return None

    return verify


def _tuple(arguments: tuple[object, ...]) -> Check:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return _elements(tuple, check_of(arguments[0]))
    checks = [check_of(argument) for argument in arguments]

    def verify(value: object) -> str | None:
        if not isinstance(value, tuple):
            return _named(value)
        if len(value) != len(checks):
            return f"tuple of {len(value)}"
        for index, (element, check) in enumerate(zip(value, checks, strict=True)):
            wrong = check(element) if check is not None else None
            if wrong is not None:
                return f"tuple with a {wrong} at index {index}"
        return None

    return verify


def _mapping(origin: Any, check_key: Check | None, check_value: Check | None) -> Check:
    def verify(value: object) -> str | None:
        if not isinstance(value, origin):
            return _named(value)
        for count, (key, element) in enumerate(value.items()):
            if count >= CHECKED_ELEMENTS:
                break
            wrong = check_key(key) if check_key is not None else None
            if wrong is not None:
                return f"{type(value).__name__} with a {wrong} as key"
            wrong = check_value(element) if check_value is not None else None
            if wrong is not None:
                return f"{type(value).__name__} with a {wrong} at {key!r}"
        return None

    return verify


def _by_library(annotation: Any) -> Check:
    def verify(value: object) -> str | None:
        from typeguard import CollectionCheckStrategy, ForwardRefPolicy, TypeCheckError, check_type

        try:
            check_type(
                value,
                annotation,
                forward_ref_policy=ForwardRefPolicy.IGNORE,
                collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS,
            )
        except TypeCheckError:
            return _named(value)
        return None

    return verify


def could_match(given: object, wanted: object) -> bool:
    """Whether a value of type `given` may be one of type `wanted`; true whenever that is not certain.

    >>> could_match(str, int), could_match(int, float), could_match(list, list[int])
    (False, True, True)
    """
    for side in (given, wanted):
        if side is Any or side is object or isinstance(side, str | typing.TypeVar):
            return True
    given, wanted = (type(None) if side is None else side for side in (given, wanted))
    if _is_union(wanted):
        return any(could_match(given, part) for part in typing.get_args(wanted))
    if _is_union(given):
        return any(could_match(part, wanted) for part in typing.get_args(given))
    plain_given = typing.get_origin(given) or given
    plain_wanted = typing.get_origin(wanted) or wanted
    if not (isinstance(plain_given, type) and isinstance(plain_wanted, type)):
        return True
    if plain_given in _NUMBERS.get(plain_wanted, ()):
        return True
    if not _related(plain_given, plain_wanted):
        return False
    given_arguments, wanted_arguments = typing.get_args(given), typing.get_args(wanted)
    if plain_given is plain_wanted and plain_given in (list, set, frozenset):
        both_say = len(given_arguments) == len(wanted_arguments) == 1
        return not both_say or could_match(given_arguments[0], wanted_arguments[0])
    return True


def _is_union(annotation: object) -> bool:
    return typing.get_origin(annotation) in (Union, types.UnionType)


def _related(given: type, wanted: type) -> bool:
    try:
        return issubclass(given, wanted) or issubclass(wanted, given)
    except TypeError:
        return True


def is_optional(annotation: object) -> bool:
    """Whether None is among the values of a type.

    >>> is_optional(int | None), is_optional(int)
    (True, False)
    """
    if annotation is None or annotation is type(None):
        return True
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return any(is_optional(part) for part in typing.get_args(annotation))
    return False


def is_sequence_type(annotation: object) -> bool:
    """Whether a type says that its values can be mapped over.

    >>> is_sequence_type(list[str]), is_sequence_type(str), is_sequence_type(Any)
    (True, False, False)
    """
    plain = typing.get_origin(annotation) or annotation
    if not isinstance(plain, type) or plain in (str, bytes):
        return False
    return issubclass(plain, collections.abc.Sequence | collections.abc.Set) or plain.__name__ == "ndarray"
