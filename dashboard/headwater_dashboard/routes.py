"""What all routes share: the store of the application, and parameters that several of them take."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from headwater.records.model import Run

from headwater_dashboard.access import POD_LOGS, Access, Person
from headwater_dashboard.logs import Logs
from headwater_dashboard.models import Problem
from headwater_dashboard.options import Options
from headwater_dashboard.pod_logs import LogSource
from headwater_dashboard.problems import RequestError
from headwater_dashboard.store import Store

API = "/api/v1"
PACKED_BYTES = 64 * 1024

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": said}
    for status, said in {
        400: "The request cannot be read.",
        401: "Nobody is logged in.",
        403: "This is not allowed.",
        404: "There is no such run or node.",
        409: "The run is in no state for this.",
        413: "The request is too large.",
        422: "A parameter is not valid.",
        429: "Too many requests.",
        500: "The database is damaged or of another version.",
        502: "The cluster refused.",
        503: "The database is out of reach for the moment.",
    }.items()
}


def person_of(request: Request) -> Person:
    """Who asks."""
    return Person(request.scope["headwater.user"], request.scope["headwater.groups"])


def store_of(request: Request) -> Store:
    """The runs that who asks may see."""
    store: Store = request.app.state.store
    access: Access | None = request.app.state.access
    if access is None:
        return store
    return store.within(access.visible(person_of(request), store.namespaces()))


def stores_of(request: Request) -> Callable[[], Store]:
    """The same, to be asked again as long as a stream goes on: what somebody may see changes."""
    return lambda: store_of(request)


def options_of(request: Request) -> Options:
    """How the application is set up."""
    options: Options = request.app.state.options
    return options


def logs_of(request: Request) -> Callable[[Run], LogSource]:
    """Where the log of a run is, for who asks.

    Raises:
        RequestError: (when a run is given) the cluster does not let them read its pods' logs.
    """
    logs: Logs = request.app.state.logs
    access: Access | None = request.app.state.access

    def source(run: Run) -> LogSource:
        if access is not None:
            access.require(person_of(request), "get", run.namespace, POD_LOGS)
        return logs.source(run)

    return source


def only_known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not have: a filter that is misspelt would let everything pass.

    Raises:
        RequestError: the name of the parameter, and which there are.
    """
    path = request.scope["route"].path_format  # older versions of FastAPI have the prefix in it
    paths = request.app.openapi()["paths"]
    route = (paths.get(path) or paths[f"{API}{path}"])[request.method.lower()]
    known = [each["name"] for each in route.get("parameters", ()) if each["in"] == "query"]
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        options = f"There are {', '.join(known)}." if known else "It has none."
        raise RequestError(422, f"there is no query parameter {unknown[0][:80]!r} here", fix=options)


def unpacks(request: Request) -> bool:
    """Whether who asks takes an answer that is packed."""
    return "gzip" in request.headers.get("accept-encoding", "")


def packed(request: Request, body: str) -> Response:
    """JSON that may be many megabytes, packed for who can unpack it."""
    content, headers = body.encode(), {"Vary": "Accept-Encoding"}
    if len(content) > PACKED_BYTES and unpacks(request):
        content, headers = gzip.compress(content, 5), {**headers, "Content-Encoding": "gzip"}
    return Response(content, media_type="application/json", headers=headers)


AppStore = Annotated[Store, Depends(store_of)]
AppStores = Annotated[Callable[[], Store], Depends(stores_of)]
AppLogs = Annotated[Callable[[Run], LogSource], Depends(logs_of)]
AppOptions = Annotated[Options, Depends(options_of)]
RunId = Annotated[str, Path(max_length=200, description="The id of a run.")]
NodePath = Annotated[
    str | None, Query(max_length=2000, description="Only this node: `process[3]/transform`.")
]
MapPath = Annotated[str, Query(max_length=2000, description="The path of the map.")]
