"""Encoded values on their way into a pod: into a unit, into `INPUT_*`, into the item files of a map."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from headwater.document.unit import Encoded
from headwater.errors import DocumentError

VALUES_PATH = "/headwater/values"
STRING_LIMIT = 128 * 1024
"""Bytes that Linux takes in one string of an environment, with its name and the end: MAX_ARG_STRLEN."""

ENVIRONMENT_LIMIT = 1024 * 1024
"""Bytes of inputs in all: a pod is stored in etcd, which takes 1.5 MB."""

_PLAIN = re.compile(r"[^A-Z0-9_]")
_OPAQUE = frozenset({"ref", "pickle", "items"})


class Unreadable(DocumentError):
    """A container was given a value that only Python can open."""


def with_paths(value: Encoded) -> dict[str, Any]:
    """A value whose files say where they will be found in the pod.

    >>> with_paths({"file": "", "config": "reduce-values", "key": "a.json", "length": 3})
    {'file': '/headwater/values/reduce-values/a.json', 'length': 3}
    """
    if "config" in value:
        rest = {key: part for key, part in value.items() if key not in ("file", "config", "key")}
        return {"file": f"{VALUES_PATH}/{value['config']}/{value['key']}", **rest}
    if "list" in value:
        return {**value, "list": [with_paths(part) for part in value["list"]]}
    if "item" in value:
        collection, index = value["item"]
        return {**value, "item": [with_paths(collection), index]}
    return dict(value)


def config_keys(values: Mapping[str, Encoded]) -> dict[str, list[str]]:
    """The ConfigMaps that values lie in, and the keys that are wanted of each.

    >>> config_keys({"x": {"list": [{"file": "", "config": "c", "key": "k"}, {"json": 1}]}})
    {'c': ['k']}
    """
    found: dict[str, set[str]] = {}
    for value in values.values():
        for config, key in _configs(value):
            found.setdefault(config, set()).add(key)
    return {config: sorted(keys) for config, keys in sorted(found.items())}


def _configs(value: Encoded) -> Iterator[tuple[str, str]]:
    if "config" in value:
        yield value["config"], value["key"]
    for part in value.get("list") or ():
        yield from _configs(part)
    if "item" in value:
        yield from _configs(value["item"][0])


def values_volume(keys: Mapping[str, list[str]]) -> dict[str, Any]:
    """One projected volume with a folder for each ConfigMap that holds values."""
    sources = [
        {"configMap": {"name": config, "items": [{"key": key, "path": f"{config}/{key}"} for key in wanted]}}
        for config, wanted in keys.items()
    ]
    return {"projected": {"sources": sources}}


# ---------------------------------------------------------------- what a container can read


def plain(value: Encoded, name: str) -> Any:
    """The JSON behind an encoded value.

    Raises:
        Unreadable: only Python can open it.

    >>> plain({"list": [{"json": 1}, {"range": 2}]}, "x")
    [1, [0, 1]]
    """
    if "json" in value:
        return value["json"]
    if "range" in value:
        return list(range(value["range"]))
    if "list" in value:
        return [plain(part, name) for part in value["list"]]
    if "item" in value:
        collection, index = value["item"]
        return element(collection, index, name)
    kind = next(iter(_OPAQUE & set(value)), "")
    if kind == "ref":
        size = f" ({value['size']:,} bytes in the store)" if isinstance(value.get("size"), int) else ""
        raise Unreadable(
            f"input {name!r}{size}: a container cannot read a Python object",
            fix="Return less as JSON from the node that it comes from, or use a Python task.",
        )
    if kind:
        raise Unreadable(
            f"input {name!r}: a container cannot read a Python object",
            fix="Return JSON from the node that it comes from, or use a Python task.",
        )
    raise Unreadable(
        f"input {name!r} lies in a file that the operator keeps and has not been read",
        fix="This is a defect of Headwater: please report it.",
    )


def element(collection: Encoded, index: int, name: str) -> Any:
    """One element of an encoded sequence as JSON.

    >>> element({"range": 5}, 3, "x"), element({"list": [{"json": "a"}]}, 0, "x")
    (3, 'a')
    """
    if "range" in collection:
        return index
    if "list" in collection:
        return plain(collection["list"][index], name)
    found = plain(collection, name)
    if not isinstance(found, list):
        raise Unreadable(
            f"input {name!r} is not a list, so a map cannot run over it", fix="Return a list upstream."
        )
    return found[index]


def as_text(value: Any) -> str:
    """A value as a program reads it: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def in_utf8(text: str, what: str) -> str:
    """The text, if it can be written down for a program.

    Raises:
        Unreadable: it holds half a character, as `os.listdir` gives it for a file name that is not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        raise Unreadable(
            f"{what} holds {half!r}, half a character, which a container cannot be given",
            fix="Leave it out upstream, or write it another way (`repr`, base64).",
        ) from None
    return text


def escaped(text: str) -> str:
    """Text for the value of an environment variable: Kubernetes expands `$(NAME)` in it.

    >>> escaped("costs $5, $(HOME)")
    'costs $$5, $$(HOME)'
    """
    return text.replace("$", "$$")


def variable_name(name: str) -> str:
    """The environment variable of an input.

    >>> variable_name("raw-data")
    'INPUT_RAW_DATA'
    """
    return "INPUT_" + _PLAIN.sub("_", name.upper())


def input_variables(inputs: Mapping[str, Encoded]) -> list[dict[str, str]]:
    """`INPUT_<NAME>` for each input of a container.

    Raises:
        Unreadable: a value that only Python can open.
        DocumentError: a value is too large for an environment, or two names come to the same variable.

    >>> input_variables({"x": {"json": [1, "$a"]}, "name": {"json": "reduce"}})
    [{'name': 'INPUT_X', 'value': '[1,"$$a"]'}, {'name': 'INPUT_NAME', 'value': 'reduce'}]
    """
    found: dict[str, str] = {}
    origin: dict[str, str] = {}
    total = 0
    for name, value in inputs.items():
        variable = variable_name(name)
        if variable in found:
            raise DocumentError(
                f"inputs {origin[variable]!r} and {name!r} are both {variable} in a container",
                fix="Rename one of them.",
            )
        text = in_utf8(as_text(plain(value, name)), f"input {name!r}")
        size = len(f"{variable}={text}".encode()) + 1
        total += size
        if "\0" in text:
            raise DocumentError(
                f"input {name!r} holds a NUL character, which no environment can",
                fix="Leave it out, or use a Python task.",
            )
        if size > STRING_LIMIT:
            raise _too_large(f"input {name!r} has {size:,} bytes; a container takes {STRING_LIMIT:,} in one")
        found[variable], origin[variable] = escaped(text), name
    if total > ENVIRONMENT_LIMIT:
        raise _too_large(f"the inputs have {total:,} bytes; a container takes {ENVIRONMENT_LIMIT:,} in all")
    return [{"name": variable, "value": text} for variable, text in found.items()]


def _too_large(message: str) -> DocumentError:
    return DocumentError(
        message,
        fix="Pass a path or a URL instead, map over the list, or use a Python task, which reads from the store.",
    )
