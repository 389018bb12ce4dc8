"""ConfigMaps and the claim: what pods read from and write to beside their own spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from headwater.document.unit import UnitSpec, write_unit
from headwater.errors import DocumentError

from headwater_operator.builders.inputs import BuildSettings, RunContext
from headwater_operator.builders.names import KIND_LABEL, MANAGED_BY_LABEL, metadata, run_label, short_hash

CONFIG_LIMIT = 1024 * 1024
"""Bytes of data that a ConfigMap holds."""

UNIT_IN_ENVIRONMENT = 64 * 1024
"""A unit's text up to this size goes into the environment: half of what Linux takes in one string."""

UNIT_PATH = "/headwater/unit"
UNIT_KEY = "unit"


def value_config_map(context: RunContext, name: str, data: Mapping[str, str]) -> dict[str, Any]:
    """An immutable ConfigMap that belongs to a run, for values that are too large for its status.

    Raises:
        DocumentError: the data is larger than a ConfigMap may be.
    """
    size = sum(len(key.encode()) + len(text.encode()) for key, text in data.items())
    if size > CONFIG_LIMIT:
        raise DocumentError(
            f"{name}: {size:,} bytes of values; a ConfigMap holds {CONFIG_LIMIT:,}",
            fix="Give the operator a store (--store), or pass references instead of values.",
        )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(context, name, "values"),
        "immutable": True,
        "data": dict(data),
    }


def unit_config_map(context: RunContext, unit: UnitSpec, text: str) -> dict[str, Any]:
    """The ConfigMap of a unit that is too large for an environment, named after its contents.

    Raises:
        DocumentError: it is too large for a ConfigMap too; the message says what takes the room.
    """
    if len(text.encode()) + len(UNIT_KEY) > CONFIG_LIMIT:
        raise DocumentError(
            f"{unit.path}: the unit has {len(text):,} bytes, compressed; {CONFIG_LIMIT:,} fit ({_largest(unit)})",
            fix="Give the operator a store (--store) for large values, or split the block.",
        )
    head = run_label(context.name).lower().replace(".", "-").replace("_", "-")[:46].strip("-")
    name = f"{head}-unit-{short_hash(text)}"
    return value_config_map(context, name, {UNIT_KEY: text})


def _largest(unit: UnitSpec) -> str:
    parts = {"the document": len(json.dumps(unit.document))}
    for name, value in {**unit.inputs, **unit.over}.items():
        parts[f"input {name!r}"] = len(json.dumps(value))
    name, size = max(parts.items(), key=lambda part: part[1])
    return f"the largest part is {name} with {size:,}"


def unit_text(unit: UnitSpec) -> tuple[str, bool]:
    """The text of a unit, and whether it fits into an environment.

    >>> unit_text(UnitSpec("u", "reduce", "gen", 1, "task", {"blocks": []}, node="gen"))[1]
    True
    """
    text = write_unit(unit)
    return text, len(text.replace("$", "$$").encode()) <= UNIT_IN_ENVIRONMENT


def claim_object(settings: BuildSettings, namespace: str) -> dict[str, Any]:
    """The claim of the store, made in a namespace when it is first needed. It belongs to no run."""
    store = settings.store
    if not store.claim:
        raise ValueError("the store is not a claim")
    spec: dict[str, Any] = {
        "accessModes": [store.access_mode],
        "resources": {"requests": {"storage": store.size}},
    }
    if store.storage_class:
        spec["storageClassName"] = store.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": store.claim,
            "namespace": namespace,
            "labels": {KIND_LABEL: "store", MANAGED_BY_LABEL: "headwater"},
        },
        "spec": spec,
    }
