"""What the pods of a container map find: their item in `/headwater/item`, its index in `/headwater/index`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from headwater.engine.intervals import IntervalSet
from headwater.errors import DocumentError

from headwater_operator.builders.configs import CONFIG_LIMIT, value_config_map
from headwater_operator.builders.inputs import MapStep, RunContext
from headwater_operator.builders.pods import Object
from headwater_operator.builders.values import element, in_utf8

ITEMS_PER_CONFIG = 1000
"""Every pod of a Job writes out all items of its ConfigMap: 20 pods took 6 s with 20, 7 s with 1,000."""

MOST_ITEMS_PER_CONFIG = 10_000
"""Where few pods run at once: 20 pods took 15 s with so many."""

ROOM = CONFIG_LIMIT - 64 * 1024
"""Bytes of items in one ConfigMap; the rest is for keys and indices."""

ITEM_PATH = "/headwater/item"
INDEX_PATH = "/headwater/index"
INDEX_ANNOTATION = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def is_own_index(step: MapStep) -> bool:
    """Whether each item of a step is the index of its pod, so that no ConfigMap is needed.

    >>> is_own_index(MapStep("m", 1, "main", "m", {}, {"n": {"range": 50}}, "0-49", 1, None, 50))
    True
    """
    if len(step.over) != 1 or "range" not in next(iter(step.over.values())):
        return False
    ranges = IntervalSet.parse(step.items).ranges()
    return len(ranges) == 1 and ranges[0][0] == 0


def index_volume() -> tuple[Object, list[Object]]:
    """Volume and mounts of a step whose items are the indices of its pods."""
    files = [{"path": name, "fieldRef": {"fieldPath": INDEX_ANNOTATION}} for name in ("item", "index")]
    return _volume({"downwardAPI": {"items": files}}, "subPath", "item", "index")


def config_volume(config: Object) -> tuple[Object, list[Object]]:
    """Volume and mounts of a step whose items lie in a ConfigMap: each pod sees its own two keys."""
    source = {"configMap": {"name": config["metadata"]["name"]}}
    mine = "$(JOB_COMPLETION_INDEX)"
    return _volume(source, "subPathExpr", f"item-{mine}", f"index-{mine}")


def _volume(source: Object, key: str, item: str, index: str) -> tuple[Object, list[Object]]:
    mounts: list[Object] = [
        {"name": "items", "mountPath": path, key: name, "readOnly": True}
        for path, name in ((ITEM_PATH, item), (INDEX_PATH, index))
    ]
    return {"name": "items", **source}, mounts


def items_config_map(context: RunContext, step: MapStep, job: str) -> Object:
    """The ConfigMap with the items of one Job: keys `item-N` and `index-N` for the Job's index N.

    Raises:
        DocumentError: the items do not fit (`chunks` cuts a wave so that they do), or one of them is not JSON.
    """
    data: dict[str, str] = {}
    for position, (index, text) in enumerate(item_texts(step, IntervalSet.parse(step.items))):
        data[f"item-{position}"] = text
        data[f"index-{position}"] = str(index)
    return value_config_map(context, f"{job}-items", data)


def item_texts(step: MapStep, indices: Iterable[int]) -> Iterator[tuple[int, str]]:
    """The items as JSON, with their index: the bare value of one input, an object of several.

    >>> step = MapStep("m", 1, "main", "m", {}, {"a": {"json": ["x", "y"]}, "n": {"range": 2}}, "0-1", 1, None, 2)
    >>> list(item_texts(step, [1]))
    [(1, '{"a":"y","n":1}')]
    """
    names = sorted(step.over)
    for index in indices:
        values = {name: element(step.over[name], index, name) for name in names}
        item = values if len(names) > 1 else values[names[0]]
        written = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
        text = in_utf8(written, f"item {index} of map {step.path!r}")
        if len(text.encode()) > ROOM:
            raise DocumentError(
                f"item {index} of map {step.path!r} has {len(text.encode()):,} bytes; a container takes {ROOM:,}",
                fix="Pass a path or a URL instead, or use a Python task, which reads from the store.",
            )
        yield index, text


def packed(texts: Iterable[tuple[int, str]], limit: int) -> Iterator[str]:
    """Cut items into parts of at most `limit`, each small enough for a ConfigMap.

    >>> list(packed([(0, "a"), (1, "b"), (5, "c")], 2))
    ['0-1', '5']
    """
    part, size = IntervalSet(), 0
    for index, text in texts:
        length = len(text.encode())
        if len(part) and (len(part) == limit or size + length > ROOM):
            yield str(part)
            part, size = IntervalSet(), 0
        part.add(index, index + 1)
        size += length
    if len(part):
        yield str(part)
