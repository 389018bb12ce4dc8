"""Maps as indexed Jobs: one Job a wave, or several where its items do not fit into one.

The pod of index `i` runs items `i * per_pod` up to `(i + 1) * per_pod` of the wave, one after the other, so as
many items run at once as pods: `parallelism` is the same for both.
A Job never tries an item again (`backoffLimitPerIndex: 0`): a retry is a further wave, with the backoff and
the memory that the policy asks for. Disruptions do not count: the Job replaces such a pod by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from headwater.engine.intervals import IntervalSet
from headwater.errors import DocumentError

from headwater_operator.builders.bridge import bridge_contents, goes_to_slurm
from headwater_operator.builders.container import container_contents
from headwater_operator.builders.documents import body_of, node_of
from headwater_operator.builders.inputs import BuildSettings, MapStep, RunContext
from headwater_operator.builders.items import (
    ITEMS_PER_CONFIG,
    MOST_ITEMS_PER_CONFIG,
    config_volume,
    index_volume,
    is_own_index,
    item_texts,
    items_config_map,
    packed,
)
from headwater_operator.builders.names import ITEMS, PER_POD, ChildKind, job_name, metadata
from headwater_operator.builders.pods import MAIN, Object, pod_template, queue_label, step_annotations
from headwater_operator.builders.python import python_contents

COMPLETIONS_LIMIT = 100_000
"""Indices of one Job: above, Kubernetes limits `parallelism` and `maxFailedIndexes` to 10,000."""

ITEMS_TEXT_LIMIT = 32 * 1024
"""Characters of the indices of one Job: they stand in an annotation and in the unit."""

DEFAULT_PARALLELISM = 1000
"""Pods of a Job at once where nothing limits them: enough to fill a large cluster, no burden to a scheduler."""

_IGNORE_DISRUPTIONS = {
    "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
}

_KILLED = {
    "action": "Ignore", "onExitCodes": {"containerName": MAIN, "operator": "In", "values": [137, 143]},
}  # fmt: skip
_ANOTHER_BRIDGE = {"rules": [*_IGNORE_DISRUPTIONS["rules"], _KILLED]}
"""A bridge that is killed, by whomever, is replaced: the job goes on, and the next bridge finds it."""


def map_objects(context: RunContext, settings: BuildSettings, step: MapStep) -> tuple[Object, ...]:
    """The objects of one Job of a map, to be created in this order: its ConfigMaps, then the Job.

    Raises:
        DocumentError: as `unit_objects`.
    """
    completions = pods_of(step)
    name = job_name(context, step.path, step.attempt, step.chunk, step.lineage)
    configs: tuple[Object, ...] = ()
    bridged = not _is_container(context, step) and goes_to_slurm(context, step)
    if bridged:
        contents = bridge_contents(context, settings, step)
    elif not _is_container(context, step):
        contents = python_contents(context, settings, step)
    elif is_own_index(step):
        contents = container_contents(context, settings, step, index_volume())
    else:
        configs = (items_config_map(context, step, name),)
        contents = container_contents(context, settings, step, config_volume(configs[0]))
    kind: ChildKind = "bridge" if bridged else "items"
    template = pod_template(context, settings, step, contents, kind)
    head = metadata(context, name, kind, _job_annotations(step))
    head["labels"] |= {} if bridged else queue_label(context, step)
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": head,
        "spec": {**_job_spec(step, completions, bridged), "template": template},
    }
    return (*configs, *contents.configs, job)


def pods_of(step: MapStep) -> int:
    """How many pods the items of a step make.

    >>> pods_of(MapStep("m", 1, "main", "m", {}, {}, "0-24", 10, None, 25))
    3
    """
    return -(-len(IntervalSet.parse(step.items)) // step.per_pod)


def _job_annotations(step: MapStep) -> dict[str, str]:
    return {**step_annotations(step), ITEMS: step.items, PER_POD: str(step.per_pod)}


def _job_spec(step: MapStep, completions: int, bridged: bool) -> Object:
    parallelism = step.parallelism or DEFAULT_PARALLELISM
    spec: Object = {
        "completionMode": "Indexed",
        "completions": completions,
        "parallelism": min(parallelism, completions),
        "backoffLimitPerIndex": 0,
    }
    if step.max_failed is not None:
        spec["maxFailedIndexes"] = min(step.max_failed, completions)
    return {**spec, "podFailurePolicy": _ANOTHER_BRIDGE if bridged else _IGNORE_DISRUPTIONS}


def _is_container(context: RunContext, step: MapStep) -> bool:
    is_container = "container" in body_of(node_of(context, step))
    if is_container and step.per_pod != 1:
        raise DocumentError(
            f"map {step.path!r}: `itemsPerPod` above 1 needs a Python task or a block, not a container",
            fix="Leave `itemsPerPod` out.",
        )
    return is_container


# ---------------------------------------------------------------- cutting a wave into Jobs


def chunks(context: RunContext, settings: BuildSettings, step: MapStep) -> list[MapStep]:
    """The Jobs of a wave: one where its items fit, else as few as can be.

    A Job of Python units takes 100,000 pods; a Job of containers about 1,000 items, which lie in a ConfigMap
    that every pod writes out, and 100,000 where an item is just its index. Each says what the parallelism of the
    wave is; how much of it a Job has beside the others is found when it is created (`run/steering.py`).

    >>> from headwater_operator.builders.inputs import Store
    >>> spec = {"blocks": [{"name": "main", "nodes": [{"name": "m", "map": {"task": "m:f"}}]}]}
    >>> step = MapStep("m", 1, "main", "m", {}, {}, "0-249999", 2, None, 250_000)
    >>> cut = chunks(RunContext("r", "d", "u", spec), BuildSettings("i", Store.parse("none")), step)
    >>> [chunk.items for chunk in cut]
    ['0-199999', '200000-249999']
    """
    if _is_container(context, step) and not _is_index(step):
        indices = IntervalSet.parse(step.items)
        cut = list(packed(item_texts(step, indices), _items_per_config(len(indices), step.parallelism)))
    else:
        cut = list(_by_count(step.items, COMPLETIONS_LIMIT * step.per_pod))
    return [replace(step, items=items, chunk=number) for number, items in enumerate(cut)]


def _items_per_config(total: int, parallelism: int | None) -> int:
    """Few pods at once cannot be shared out among many Jobs, and do not mind a larger ConfigMap."""
    wanted = -(-total // (parallelism or total or 1))
    return min(max(ITEMS_PER_CONFIG, wanted), MOST_ITEMS_PER_CONFIG)


def _is_index(step: MapStep) -> bool:
    return is_own_index(step) and len(IntervalSet.parse(step.items)) <= COMPLETIONS_LIMIT


def _by_count(items: str, limit: int) -> Iterator[str]:
    """Cut indices into parts of so many, and of so few gaps that their text stays short."""
    remaining = IntervalSet.parse(items)
    while len(remaining):
        part = IntervalSet(remaining.pop_first(limit))
        text = str(part)
        if len(text) > ITEMS_TEXT_LIMIT:
            kept = text[: text.rindex(",", 0, ITEMS_TEXT_LIMIT)]
            for start, stop in part.ranges():
                remaining.add(start, stop)
            for start, stop in IntervalSet.parse(kept).ranges():
                remaining.discard(start, stop)
            text = kept
        yield text
