"""The options of tasks and workflows that become a node's policy, checked where they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from headwater.errors import DefinitionError

RETRY = ("limit", "classes", "backoff", "oomFactor")
BACKOFF = ("initial", "factor", "max")
CLASSES = ("Error", "Oom", "Preempted", "Timeout", "Infrastructure")
RESOURCES = ("requests", "limits", "claims")
MOST_RETRIES = 1000
_DURATION = re.compile(r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$")


def hint(name: object, known: Iterable[str], what: str) -> str:
    """The name that was meant, and which there are.

    >>> hint("limt", RETRY, "It takes")
    "Did you mean 'limit'? It takes: limit, classes, backoff, oomFactor."
    """
    from difflib import get_close_matches

    listed = list(known)
    close = get_close_matches(str(name), listed, 1)
    return f"{f'Did you mean {close[0]!r}? ' if close else ''}{what}: {', '.join(listed) or 'none'}."


def check_options(options: Mapping[str, Any], where: str) -> None:
    """Refuse values that can never work.

    Raises:
        DefinitionError: one of them is such.

    >>> check_options({"retry": {"limt": 1}}, "task 'fit'")
    Traceback (most recent call last):
    headwater.errors.DefinitionError: task 'fit': unknown key 'limt' in `retry`. Did you mean 'limit'? \
It takes: limit, classes, backoff, oomFactor.
    """
    for name, check in _CHECKS.items():
        if options.get(name) is not None:
            check(options[name], f"{where}: ", name)


def _refused(where: str, name: str, wanted: str, value: object, fix: str) -> DefinitionError:
    return DefinitionError(f"{where}`{name}` must be {wanted}; got {value!r}", fix=fix)


def _retries(value: Any, where: str, name: str) -> None:
    if not isinstance(value, int) or not 0 <= value <= MOST_RETRIES:
        wanted = f"a number of retries from 0 to {MOST_RETRIES}"
        raise _refused(where, name, wanted, value, "Write retries=2 for at most three attempts.")


def _retry(value: Any, where: str, name: str) -> None:
    if not isinstance(value, Mapping):
        fix = "Write retries=2, or retry={'limit': 2, 'classes': ['Timeout']}."
        raise _refused(where, name, "a dict", value, fix)
    _keys(value, RETRY, where, name)
    if value.get("limit") is not None:
        _retries(value["limit"], where, "retry.limit")
    classes = value.get("classes")
    if classes is not None:
        if not isinstance(classes, list | tuple | set | frozenset):
            raise _refused(where, "retry.classes", "a list", classes, f"Of: {', '.join(CLASSES)}.")
        for each in classes:
            if each not in CLASSES:
                raise DefinitionError(
                    f"{where}there is no class of failures {each!r}", fix=hint(each, CLASSES, "Classes")
                )
    backoff = value.get("backoff")
    if backoff is not None:
        if not isinstance(backoff, Mapping):
            raise _refused(where, "retry.backoff", "a dict", backoff, "Write {'initial': '1s', 'max': '1m'}.")
        _keys(backoff, BACKOFF, where, "retry.backoff")
        for part in ("initial", "max"):
            if backoff.get(part) is not None:
                _duration(backoff[part], where, f"retry.backoff.{part}")
        _factor(backoff.get("factor"), where, "retry.backoff.factor")
    _factor(value.get("oomFactor"), where, "retry.oomFactor")


def _factor(value: Any, where: str, name: str) -> None:
    if value is not None and (not _is_number(value) or value < 1):
        raise _refused(where, name, "a number of at least 1", value, "Write 2 to double it each time.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _duration(value: Any, where: str, name: str) -> None:
    good = value >= 0 if _is_number(value) else isinstance(value, str) and bool(_DURATION.match(value))
    if not good:
        fix = "Write 90 or '90s', '15m', '2h', '1d'."
        raise _refused(where, name, "a duration: seconds, or text", value, fix)


def _patience(value: Any, where: str, name: str) -> None:
    _duration(value, where, name)
    if value == 0 or (isinstance(value, str) and not re.search("[1-9]", value)):
        raise _refused(where, name, "longer than nothing", value, "Leave it out for no limit.")


def _cache(value: Any, where: str, name: str) -> None:
    if not isinstance(value, bool) and value not in ("inputs", "code", "off"):
        fix = "True: while inputs and code are the same. 'inputs': while the inputs are. False: never."
        raise _refused(where, name, "True, False or 'inputs'", value, fix)


def _resources(value: Any, where: str, name: str) -> None:
    example = "Write resources={'requests': {'cpu': '1'}, 'limits': {'memory': '2Gi'}}."
    if not isinstance(value, Mapping):
        raise _refused(where, name, "a dict", value, example)
    for key in value:
        if key not in RESOURCES:
            raise DefinitionError(f"{where}unknown key {key!r} in `resources`", fix=example)


def _keys(value: Mapping[Any, Any], known: tuple[str, ...], where: str, name: str) -> None:
    for key in value:
        if key not in known:
            raise DefinitionError(f"{where}unknown key {key!r} in `{name}`", fix=hint(key, known, "It takes"))


def _one_of(*known: str) -> Callable[[Any, str, str], None]:
    def check(value: Any, where: str, name: str) -> None:
        if value not in known:
            fix = hint(value, known, "One of")
            raise DefinitionError(f"{where}`{name}` cannot be {value!r}", fix=fix)

    return check


def _of(kind: type, wanted: str) -> Callable[[Any, str, str], None]:
    def check(value: Any, where: str, name: str) -> None:
        if not isinstance(value, kind):
            raise _refused(where, name, wanted, value, f"Leave `{name}` out for the default.")

    return check


_CHECKS: Mapping[str, Callable[[Any, str, str], None]] = {
    "retries": _retries,
    "retry": _retry,
    "timeout": _patience,
    "queue_timeout": _patience,
    "cache": _cache,
    "resources": _resources,
    "executor": _one_of("pod", "slurm"),
    "placement": _one_of("auto", "unit", "nodes"),
    "image": _of(str, "the name of an image"),
    "slurm": _of(Mapping, "a dict of sbatch's options"),
    "pod_template": _of(Mapping, "a dict, as of a Pod"),
    "node_selector": _of(Mapping, "a dict of labels"),
    "tolerations": _of(list, "a list of dicts"),
    "labels": _of(Mapping, "a dict"),
    "annotations": _of(Mapping, "a dict"),
    "continue_on_failure": _of(bool, "True or False"),
}
