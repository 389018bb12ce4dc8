"""The ASGI application: every route below `/api/v1`, the page everywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from headwater.backends.kubernetes.api import Cluster
from headwater.configuration import state_dir
from headwater.errors import HeadwaterError
from headwater.values.store import ArtifactStore
from headwater.version import __version__
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from headwater_dashboard import actions, artifacts, inside, models, page, runs, streams, templates
from headwater_dashboard.access import Access
from headwater_dashboard.live import INTERVAL, Hub
from headwater_dashboard.logs import Logs
from headwater_dashboard.options import Options
from headwater_dashboard.problems import RequestError, body_of, status_of
from headwater_dashboard.routes import API, PROBLEMS, AppOptions, only_known_parameters
from headwater_dashboard.security import Guard
from headwater_dashboard.store import Store

_ROUTERS = (runs.router, inside.router, artifacts.router, streams.router, actions.router, templates.router)


def create_app(options: Options, *, folder: Path = page.PAGE, interval: float = INTERVAL) -> FastAPI:
    """The application, its guard included; `folder` has the built page, `interval` is between looks for changes.

    Raises:
        UsageError: it would be open to everybody in the network.

    >>> app = create_app(Options("sqlite:////nowhere/headwater.db"))
    >>> app.title
    'Headwater'
    """
    options.check()
    app = FastAPI(
        title="Headwater", version=__version__, openapi_url=f"{API}/openapi.json", docs_url=None, redoc_url=None,
        description="Runs of workflows: what happened in them, as it happens.", lifespan=_lifespan,
        exception_handlers={
            HeadwaterError: _on_error, RequestValidationError: _on_invalid, HTTPException: _on_http,
            Exception: _on_defect,
        },
    )  # fmt: skip
    app.state.options = options
    app.state.store = Store(options.database, read_only=options.read_only)
    app.state.access = Access(Cluster) if options.per_namespace else None
    app.state.hub = Hub(app.state.store, interval)
    app.state.logs = Logs(app.state.store, keep=options.keep_logs)
    app.state.artifacts = ArtifactStore(options.artifacts or state_dir() / "artifacts")
    app.state.page = folder
    for router in (*_ROUTERS, _own):
        app.include_router(router, prefix=API, dependencies=[Depends(only_known_parameters)])
    app.include_router(_health)
    app.include_router(page.router)
    app.add_middleware(_guard, options=options)
    return app


def _guard(app: ASGIApp, *, options: Options) -> ASGIApp:
    return Guard(app, options)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.logs.start()
    yield
    app.state.hub.close()
    await asyncio.to_thread(app.state.logs.close)
    app.state.store.close()


# ---------------------------------------------------------------- what belongs to no run

_own = APIRouter(responses=PROBLEMS)
_health = APIRouter()


@_own.get("/me")
def get_me(request: Request, options: AppOptions) -> models.Me:
    """Who asks, what they may do, and the value of the header X-Headwater-CSRF."""
    return models.Me(
        user=request.scope["headwater.user"],
        authenticated=bool(options.token or options.trust_proxy_headers),
        actions=[] if options.read_only else list(actions.ACTIONS),
        csrf=request.scope["headwater.csrf"],
    )


@_health.head("/healthz", include_in_schema=False)
@_health.get("/healthz")
async def get_health() -> models.Health:
    """That the server answers, also while all its threads wait for the database."""
    return models.Health(status="ok")


# ---------------------------------------------------------------- what goes wrong


async def _on_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HeadwaterError)
    return JSONResponse(body_of(error), status_of(error))


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
    message = said.encode("utf-8", "replace").decode()
    return JSONResponse(
        body_of(RequestError(422, message, fix=f"{API}/openapi.json says what is valid.")), 422
    )


async def _on_defect(request: Request, error: Exception) -> JSONResponse:
    """What nobody foresaw; the log has the traceback."""
    problem = RequestError(
        500,
        f"{request.url.path} failed: {type(error).__name__}",
        fix="The dashboard's log says more; report it.",
    )
    return JSONResponse(body_of(problem), 500)


async def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    problem = RequestError(
        error.status_code, str(error.detail), fix=f"{API}/openapi.json lists what there is."
    )
    return JSONResponse(body_of(problem), error.status_code, headers=dict(error.headers or {}))
