"""Kubernetes' strategic merge of a pod template: lists of named things by their name, maps by key, null deletes.

The keys are those that the types of Kubernetes declare (`patchMergeKey`); a list without one is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headwater.errors import DocumentError

_KEYS = {
    "containers": "name", "initContainers": "name", "ephemeralContainers": "name", "volumes": "name",
    "imagePullSecrets": "name", "hostAliases": "ip", "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name", "schedulingGates": "name", "env": "name", "volumeMounts": "mountPath",
    "volumeDevices": "devicePath", "ports": "containerPort", "ownerReferences": "uid",
}  # fmt: skip
"""The lists of a PodTemplateSpec that are merged, and what tells their elements apart."""

_ONE_OF = frozenset({"volumes", "resourceClaims"})
"""Lists whose elements are one of several kinds: another kind takes the place of the one before."""

_BOTH = frozenset({"name"})
_PRIMITIVE = frozenset({"finalizers"})
_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `patch` merged into it, as `kubectl patch --type strategic` does; neither is changed.

    Elements that are new to a list come after the others.

    Raises:
        DocumentError: the patch has another shape than what it is merged into.

    >>> pod = {"containers": [{"name": "main", "image": "a", "env": [{"name": "X", "value": "1"}]}]}
    >>> patch = {"containers": [{"name": "main", "env": [{"name": "Y", "value": "2"}]}], "hostNetwork": None}
    >>> strategic_merge(pod, patch)["containers"][0]["env"]
    [{'name': 'X', 'value': '1'}, {'name': 'Y', 'value': '2'}]
    """
    return _merge_maps(base, patch, "podTemplate")


def _merge_maps(base: Mapping[str, Any], patch: Mapping[str, Any], where: str) -> dict[str, Any]:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {key: _clean(value) for key, value in patch.items() if _stays(key, value)}
    if directive == "delete":
        return {}
    kept = patch.get(_RETAIN)
    merged = {key: value for key, value in base.items() if kept is None or key in kept}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            name = key.removeprefix(_DELETE_FROM)
            merged[name] = [each for each in merged.get(name, []) if each not in value]
        elif key in (_DIRECTIVE, _RETAIN) or key.startswith(_ORDER):
            continue
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged_value(merged.get(key), value, key, f"{where}.{key}")
    return merged


def _merged_value(base: Any, value: Any, key: str, where: str) -> Any:
    if isinstance(value, Mapping):
        if base is not None and not isinstance(base, Mapping):
            raise _misshapen(where, "a list" if isinstance(base, list) else "a plain value")
        return _merge_maps(base or {}, value, where)
    if isinstance(base, list) and not isinstance(value, list):
        raise _misshapen(where, "a list")
    if key in _KEYS and isinstance(value, list):
        if not _is_named(value, _KEYS[key]):
            raise DocumentError(
                f"{where}: every element needs `{_KEYS[key]}`", fix="It says which of the list is meant."
            )
        return _merge_lists(base or [], value, key, where)
    if key in _PRIMITIVE and isinstance(value, list):
        return [*(base or []), *(each for each in value if each not in (base or []))]
    return _clean(value)


def _is_named(elements: Sequence[Any], name: str) -> bool:
    return all(isinstance(each, Mapping) and (name in each or _DIRECTIVE in each) for each in elements)


def _merge_lists(base: Sequence[Any], patch: Sequence[Any], key: str, where: str) -> list[Any]:
    name = _KEYS[key]
    if any(element.get(_DIRECTIVE) == "replace" and name not in element for element in patch):
        return [_clean(element) for element in patch if name in element]
    merged = {element.get(name, position): element for position, element in enumerate(base)}
    for element in patch:
        which = element.get(name)
        if element.get(_DIRECTIVE) == "delete":
            merged.pop(which, None)
            continue
        before = merged.get(which, {})
        if key in _ONE_OF and _RETAIN not in element:
            before = _if_of_one_kind(before, element)
        elif key == "env" and ("value" in element) != ("value" in before):
            before = {}
        merged[which] = _merge_maps(before, element, f"{where}[{which}]")
    return list(merged.values())


def _if_of_one_kind(before: Mapping[str, Any], element: Mapping[str, Any]) -> Mapping[str, Any]:
    given = {key for key, value in element.items() if value is not None} - _BOTH - {_DIRECTIVE}
    return before if given <= set(before) else {}


def _clean(value: Any) -> Any:
    """A value without nulls and directives."""
    if isinstance(value, Mapping):
        return {key: _clean(each) for key, each in value.items() if _stays(key, each)}
    return [_clean(each) for each in value] if isinstance(value, list) else value


def _stays(key: str, value: Any) -> bool:
    return value is not None and not key.startswith("$")


def _misshapen(where: str, expected: str) -> DocumentError:
    return DocumentError(f"{where} must be {expected}", fix="Give it the shape that a Pod has in Kubernetes.")
