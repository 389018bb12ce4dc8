"""The built page: its files, and index.html for every address of it."""

from __future__ import annotations

import gzip
import html
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from headwater_dashboard.problems import RequestError
from headwater_dashboard.routes import unpacks

PAGE = Path(__file__).parent / "page"
_TEXTS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"  # Vite puts a digest into the names of assets

router = APIRouter(include_in_schema=False)


@router.api_route("/{path:path}", methods=["GET", "HEAD"])
def get_page(request: Request, path: str) -> Response:
    """A file of the page, or the page itself."""
    if path == "api" or path.startswith("api/"):
        if request.method == "HEAD":
            raise RequestError(405, "the API has no HEAD", fix="Use GET.")
        raise RequestError(404, f"there is no /{path}", fix="/api/v1/openapi.json lists what there is.")
    folder: Path = request.app.state.page
    file = _file(folder, path)
    if file is not None:
        kept = _FOR_EVER if path.startswith("assets/") else "no-cache"
        return _served(request, file, {"Cache-Control": kept})
    if path.startswith("assets/"):
        raise RequestError(404, f"there is no /{path}", fix="Load the page anew.")
    index = folder / "index.html"
    if index.is_file():
        return _served(request, index, {"Cache-Control": "no-cache"})
    return HTMLResponse(_unbuilt(request))


def _served(request: Request, file: Path, headers: dict[str, str]) -> Response:
    """A file, packed where it is text and the browser unpacks it."""
    if file.suffix not in _TEXTS or not unpacks(request) or request.method == "HEAD":
        return FileResponse(file, headers=headers)
    headers = {**headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(_packed(file, file.stat().st_mtime_ns), media_type=_TEXTS[file.suffix], headers=headers)


@lru_cache(64)
def _packed(file: Path, _changed_ns: int) -> bytes:
    return gzip.compress(file.read_bytes(), 9)


def _file(folder: Path, path: str) -> Path | None:
    """The file of the page that is meant; nothing outside of its folder is one."""
    if not path or "\x00" in path or "\\" in path:
        return None
    try:
        file = (folder / path).resolve()
        return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
    except (OSError, ValueError):  # a name too long for a file
        return None


def _unbuilt(request: Request) -> str:
    rows = []
    for path, methods in request.app.openapi()["paths"].items():
        for method, operation in methods.items():
            said = html.escape(operation.get("description", ""))
            rows.append(f"<li><code>{method.upper()} {html.escape(path)}</code> {said}</li>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Headwater</title><h1>Headwater</h1>'
        "<p>The page is not built in this checkout: <code>make web</code> builds it (it needs Node). "
        'The API is here: <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</p>'
        f"<ul>{''.join(rows)}</ul></html>"
    )
