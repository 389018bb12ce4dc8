"""Routes about values that are kept in the artifact store: previews, images, downloads.

A client names an artifact by the digest of its content, never by a path, and only one that the run's own record has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated

import fastapi
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from headwater.errors import StoreError
from headwater.records.references import mentions
from headwater.values.store import ArtifactStore

from headwater_dashboard import models
from headwater_dashboard.files import open_regular
from headwater_dashboard.previews import IMAGE_BYTES, media_type, preview
from headwater_dashboard.problems import RequestError
from headwater_dashboard.routes import PROBLEMS, AppStore, RunId
from headwater_dashboard.store import Store

router = APIRouter(prefix="/runs/{run_id}/artifacts/{reference}", responses=PROBLEMS)

Reference = Annotated[
    str, fastapi.Path(pattern="^sha256:[0-9a-f]{64}$", description="The name of the artifact.")
]
Format = Annotated[str, Query(max_length=50, description="The format that the record gives.")]
_PIECE = 1024 * 1024
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=3600",
}


def _artifacts(request: Request, store: Store, run_id: str, reference: str) -> ArtifactStore:
    """The artifact store, if the run's record names the artifact and it is there."""
    store.run(run_id)
    with store.reading() as connection:
        if connection is None or not mentions(connection, run_id, reference):
            raise RequestError(
                404, f"run {run_id} has no artifact {reference}", fix="`flowctl show` lists them."
            )
    found: ArtifactStore = request.app.state.artifacts
    if not found.exists(reference):
        raise _gone(found)
    return found


def _opened(artifacts: ArtifactStore, reference: str) -> IO[bytes]:
    """An artifact to be read: in a folder a regular file of it, since the store makes nothing else."""
    file = artifacts.path(reference)
    if file is None:
        return artifacts.open(reference)
    try:
        return open_regular(file, Path(artifacts.url))
    except PermissionError as error:
        raise StoreError(f"artifact {reference} cannot be read: {error}") from error
    except OSError:
        raise _gone(artifacts) from None


def _gone(artifacts: ArtifactStore) -> RequestError:
    return RequestError(
        404, f"the artifact is not in {artifacts.url} (any more)",
        fix="One of a cluster is in the operator's store: start the dashboard with --store and its address.",
    )  # fmt: skip


@router.get("")
def get_preview(
    request: Request, store: AppStore, run_id: RunId, reference: Reference, format: Format = "bytes"
) -> models.Preview:
    """What an artifact looks like: the first rows of a table, JSON, text, or that it is an image."""
    artifacts = _artifacts(request, store, run_id, reference)
    size = artifacts.size(reference)
    with _opened(artifacts, reference) as file:
        found = preview(file, format, size)
    return models.Preview.model_validate({**asdict(found), "size": size})


@router.get("/content", response_class=Response)
def get_content(request: Request, store: AppStore, run_id: RunId, reference: Reference) -> Response:
    """The bytes of an artifact: an image to be shown, anything else to be saved."""
    artifacts = _artifacts(request, store, run_id, reference)
    size = artifacts.size(reference)
    with _opened(artifacts, reference) as file:
        kind = media_type(file.read(16))
        if kind and size <= IMAGE_BYTES:
            file.seek(0)
            return Response(file.read(), media_type=kind, headers=_HEADERS)
    name = re.sub("[^0-9a-f]", "", reference.partition(":")[2])[:16]
    headers = {
        **_HEADERS,
        "Content-Disposition": f'attachment; filename="{name}.bin"',
        "Content-Length": str(size),
    }
    return StreamingResponse(
        _pieces(artifacts, reference), media_type="application/octet-stream", headers=headers
    )


def _pieces(artifacts: ArtifactStore, reference: str) -> Iterator[bytes]:
    try:
        with _opened(artifacts, reference) as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise StoreError(f"artifact {reference} cannot be read to its end: {error}") from error
