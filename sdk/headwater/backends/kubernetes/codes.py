"""Where a run's code lies for its pods: a ConfigMap that all runs of the same code share, or the store."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

from headwater.backends.kubernetes.api import GROUP, VERSION, Cluster, Json
from headwater.backends.kubernetes.bundle import CONFIG_MAP_LIMIT, Bundle
from headwater.backends.kubernetes.errors import BundleError, ClusterConflict, ClusterError, ClusterNotFound
from headwater.configuration import config

KEY = "bundle.zip"
DIGEST = "headwater.dev/digest"
ATTEMPTS = 20


def code_section(bundle: Bundle, store: str | None) -> dict[str, str]:
    """What the document says of the bundle; a large one is uploaded to `store`, or to the config's.

    Raises:
        BundleError: it is too large for a ConfigMap and there is no store, or the store cannot be written.
    """
    if bundle.fits_config_map:
        return {"configMap": bundle.config_map, "digest": bundle.digest}
    url = store or str(config.get("store") or "")
    if "://" not in url or url.startswith("claim://"):
        raise BundleError(
            f"the project's code is {len(bundle.data) / 1024:,.0f} KiB when packed, and a cluster takes "
            f"{CONFIG_MAP_LIMIT // 1024} KiB without a store; its biggest files: {bundle.biggest()}",
            fix="Name what is not code in .headwaterignore, or give a store: `store: s3://...` in the config, "
            "or --store; or build an image with the code in it and give --image.",
        )
    return {"url": _uploaded(bundle, url), "digest": bundle.digest}


def _uploaded(bundle: Bundle, store: str) -> str:
    import fsspec

    url = f"{store.rstrip('/')}/code/{bundle.digest.removeprefix('sha256:')}.zip"
    try:
        files, path = fsspec.core.url_to_fs(url)
        if not files.exists(path):
            files.makedirs(files._parent(path), exist_ok=True)
            files.pipe_file(path, bundle.data)
    except Exception as error:  # every kind of store raises its own
        raise BundleError(
            f"the code cannot be written to {url}: {error}",
            fix="Check the store and its credentials on this machine.",
        ) from error
    return url


def ensure_config_map(cluster: Cluster, bundle: Bundle, owner: Json) -> None:
    """Have the ConfigMap of a bundle be there, and live as long as the run `owner` does.

    Every run of the same code is an owner of it; the last one that is deleted takes it along.
    """
    reference = _reference(owner)
    for attempt in range(ATTEMPTS):
        found = _adopt(cluster, bundle.config_map, reference) or _create(cluster, bundle, reference)
        if found is not None and "deletionTimestamp" not in found["metadata"]:
            _refuse_other(bundle, found)
            return
        time.sleep(0.05 * (attempt + 1))  # it is being collected with its last run: make it again
    raise ClusterError(f"the ConfigMap {bundle.config_map} is deleted again and again", fix="Try again.")


def keep_config_map(cluster: Cluster, owner: Json) -> None:
    """Have the ConfigMap that a run's document names live as long as the run."""
    name = (owner["spec"].get("code") or {}).get("configMap")
    if name and _adopt(cluster, name, _reference(owner)) is None:
        raise ClusterError(
            f"the code of the run is gone: there is no ConfigMap {name!r}", fix="Submit the workflow again."
        )


def _reference(owner: Json) -> dict[str, str]:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Workflow",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }


def _adopt(cluster: Cluster, name: str, reference: Mapping[str, Any]) -> Json | None:
    patch = {"metadata": {"ownerReferences": [reference]}}
    try:
        return cluster.patch(cluster.core("configmaps", name), patch, "strategic")
    except ClusterNotFound:
        return None


def _create(cluster: Cluster, bundle: Bundle, reference: Mapping[str, Any]) -> Json | None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": bundle.config_map,
            "labels": {"app.kubernetes.io/managed-by": "headwater", "headwater.dev/kind": "code"},
            "annotations": {DIGEST: bundle.digest},
            "ownerReferences": [reference],
        },
        "immutable": True,
        "binaryData": {KEY: base64.b64encode(bundle.data).decode()},
    }
    try:
        return cluster.create(cluster.core("configmaps"), body)
    except ClusterConflict:
        return None


def _refuse_other(bundle: Bundle, found: Json) -> None:
    digest = (found["metadata"].get("annotations") or {}).get(DIGEST)
    if digest != bundle.digest:
        raise ClusterError(
            f"the ConfigMap {bundle.config_map} holds other code ({digest or 'no digest'})",
            fix=f"Delete it: kubectl delete configmap {bundle.config_map}.",
        )
