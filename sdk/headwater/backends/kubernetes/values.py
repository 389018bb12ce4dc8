"""The values of a run as Python objects on this machine, wherever the cluster keeps them."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable, Mapping
from typing import Any

from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.errors import ClusterError
from headwater.document.unit import Encoded

Fetch = Callable[[Mapping[str, Encoded]], Mapping[str, object]]
_STORED = ("ref", "items")
_CLAIM_PATH = "/headwater/"


def decoded(outputs: Mapping[str, Encoded], cluster: Cluster, workflow: Json) -> dict[str, object]:
    """The outputs of a run.

    Small values stand in the status. Others are read from the store: from a URL by this machine, from a claim
    by a short-lived pod.

    Raises:
        ClusterError: a value cannot be had, or is of a class that cannot be imported here.
    """
    stored = {name: value for name, value in outputs.items() if is_stored(value)}
    found: Mapping[str, object] = {}
    if stored:
        from headwater.backends.kubernetes.fetching import fetched

        found = fetched(stored, cluster, workflow)
    return {
        name: found[name] if name in found else plain(name, value, cluster) for name, value in outputs.items()
    }


def is_stored(value: Encoded) -> bool:
    """Whether a value, or a part of it, lies in the store.

    >>> is_stored({"list": [{"json": 1}, {"ref": "sha256:1"}]}), is_stored({"json": {"ref": 1}})
    (True, False)
    """
    if "list" in value:
        return any(map(is_stored, value["list"]))
    if "dict" in value:
        return any(map(is_stored, value["dict"].values()))
    if "item" in value:
        return is_stored(value["item"][0])
    return any(kind in value for kind in _STORED) or ("file" in value and "config" not in value)


def plain(name: str, value: Encoded, cluster: Cluster | None = None) -> object:
    """A value that needs no store.

    >>> plain("x", {"list": [{"json": 1}, {"dict": {"y": {"range": 2}}}]})
    [1, {'y': range(0, 2)}]
    """
    if "json" in value:
        return value["json"]
    if "pickle" in value:
        return _unpickled(name, value["pickle"])
    if "range" in value:
        return range(value["range"])
    if "list" in value:
        return [plain(name, part, cluster) for part in value["list"]]
    if "dict" in value:
        return {key: plain(name, part, cluster) for key, part in value["dict"].items()}
    if "item" in value:
        collection, index = value["item"]
        sequence: Any = plain(name, collection, cluster)
        return sequence[index]
    if "config" in value and cluster is not None:
        held = cluster.get(cluster.core("configmaps", value["config"]))
        return json.loads((held.get("data") or {})[value["key"]])
    raise ClusterError(f"the value of {name!r} cannot be read: {json.dumps(value)[:200]}")


def _unpickled(name: str, data: str) -> object:
    try:
        return pickle.loads(base64.b64decode(data))
    except Exception as error:  # unpickling raises anything
        raise ClusterError(
            f"the output {name!r} cannot be loaded here: {type(error).__name__}: {error}",
            fix="It holds objects of a class that has to be importable on this machine too.",
        ) from error
