"""Files that a container leaves behind: the folder that it writes to is a folder of the store.

With a claim as the store, the folder of an artifact's `path` is mounted from the claim, so the file is in the
store the moment it is written, without a helper in the image or beside it. The output is the path under which
Python tasks, and containers that are given it as an input, find the file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from headwater.document.unit import Encoded
from headwater.errors import DocumentError

from headwater_operator.builders.documents import Step, node_of
from headwater_operator.builders.inputs import CLAIM_PATH, BuildSettings, MapStep, RunContext
from headwater_operator.builders.names import short_hash

INDEX = "$(JOB_COMPLETION_INDEX)"


def artifact_mounts(context: RunContext, settings: BuildSettings, step: Step) -> list[dict[str, Any]]:
    """The mounts of a container's artifacts, one for each folder that it writes them to.

    Raises:
        DocumentError: there is nowhere to put them.
    """
    artifacts = node_of(context, step).get("artifacts") or {}
    folders = sorted({_folder(step.path, name, artifact) for name, artifact in artifacts.items()})
    if folders and not settings.store.claim:
        raise DocumentError(
            f"node {step.path!r} has artifacts, and the operator's store is no claim",
            fix="Start the operator with --store claim://NAME, or let the program upload its files itself.",
        )
    index = INDEX if isinstance(step, MapStep) else ""
    key = "subPathExpr" if index else "subPath"
    return [
        {"name": "store", "mountPath": folder, key: _in_store(context, step, index) + folder}
        for folder in folders
    ]


def artifact_outputs(
    context: RunContext, settings: BuildSettings, step: Step, index: int | None = None
) -> dict[str, Encoded]:
    """The outputs that a step's artifacts are: where each file lies. `index` is the pod's in its Job.

    >>> node = {"name": "fit", "container": {"image": "a"}, "artifacts": {"model": {"path": "/out/m.bin"}}}
    >>> context = RunContext("r", "d", "u1", {"blocks": [{"name": "main", "nodes": [node]}]})
    >>> from headwater_operator.builders.inputs import Store, UnitStep
    >>> settings = BuildSettings("image", Store.parse("claim://headwater-store"))
    >>> artifact_outputs(context, settings, UnitStep("fit", 1, "main", "fit", "container"))
    {'model': {'json': '/headwater/store/runs/u1/artifacts/3jbhby3tli-1/out/m.bin'}}
    """
    artifacts = node_of(context, step).get("artifacts") or {}
    folder = f"{settings.store.url}/{_in_store(context, step, '' if index is None else str(index))}"
    return {name: {"json": folder + posixpath.normpath(found["path"])} for name, found in artifacts.items()}


def _in_store(context: RunContext, step: Step, index: str) -> str:
    chunk = f"-{step.chunk}" if isinstance(step, MapStep) and step.chunk else ""
    folder = f"runs/{context.uid}/artifacts/{short_hash(step.path)}-{step.attempt}{chunk}"
    return f"{folder}/{index}" if index else folder


def _folder(path: str, name: str, artifact: Mapping[str, Any]) -> str:
    if artifact.get("url"):
        raise DocumentError(
            f"node {path!r}: artifact {name!r} asks for an upload to {artifact['url']!r}",
            fix="Leave `url` out to keep the file in the store, or let the program upload it itself.",
        )
    # POSIX leaves two slashes at the front as they are.
    where = "/" + posixpath.normpath(artifact["path"]).lstrip("/")
    folder = posixpath.dirname(where)
    if not artifact["path"].startswith("/") or folder == "/" or f"{where}/".startswith("/headwater/"):
        raise DocumentError(
            f"node {path!r}: artifact {name!r} cannot be at {artifact['path']!r}",
            fix="Write an absolute path in a folder of its own, such as /out/model.bin.",
        )
    return str(folder)


def reads_store(inputs: Mapping[str, Encoded]) -> bool:
    """Whether an input of a container names a file in the claim.

    >>> reads_store({"model": {"json": "/headwater/store/runs/u/artifacts/h-1/out/m.bin"}})
    True
    """
    return any(f"{CLAIM_PATH}/" in str(value) for value in inputs.values())
