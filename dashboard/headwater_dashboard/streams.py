"""Routes that go on: server-sent events about runs and their logs; and the log by pieces."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from headwater.errors import HeadwaterError, UsageError
from headwater.records import queries
from headwater.records.log_files import LogFilter
from headwater.records.model import Run

from headwater_dashboard import models
from headwater_dashboard.live import PING_SECONDS, Hub, message
from headwater_dashboard.log_reader import Chunk, read_chunk
from headwater_dashboard.log_search import find_lines
from headwater_dashboard.pod_logs import LogSource
from headwater_dashboard.problems import RequestError
from headwater_dashboard.routes import PROBLEMS, AppLogs, AppStore, AppStores, NodePath, RunId
from headwater_dashboard.store import Store

logger = logging.getLogger("headwater.dashboard")
router = APIRouter(responses=PROBLEMS)

FOLLOW_SECONDS = 0.3
CHUNK_BYTES = 65_536
_SSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}
}
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Bytes = Annotated[int, Query(ge=0, le=2**53)]
Searched = Annotated[str, Query(max_length=200, description="Only lines that hold this text.")]


def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    hub.admit()
    return hub


def _streamed(events: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


@router.get("/stream", response_class=StreamingResponse, responses=_SSE)
async def stream_runs(request: Request, stores: AppStores) -> StreamingResponse:
    """Every run that changes, as `event: run`; `event: ping` now and then."""
    return _streamed(_hub(request).listen(stores))


@router.get("/runs/{run_id}/stream", response_class=StreamingResponse, responses=_SSE)
async def stream_run(
    request: Request, store: AppStore, stores: AppStores, run_id: RunId
) -> StreamingResponse:
    """One run: first as it stands, then what changes, as `event: run` and `event: nodes`."""
    await asyncio.to_thread(store.run, run_id)
    return _streamed(_hub(request).listen(stores, run_id))


@router.get("/runs/{run_id}/logs")
def get_logs(
    store: AppStore,
    logs: AppLogs,
    run_id: RunId,
    path: NodePath = None,
    offset: Bytes = 0,
    limit: Annotated[int, Query(ge=1, le=1_048_576)] = CHUNK_BYTES,
    text: Searched = "",
    until: Annotated[Bytes | None, Query(description="Only lines that begin before this byte.")] = None,
) -> models.LogChunk:
    """What the tasks of a run printed and logged, from a byte of its log file on."""
    run = store.run(run_id)
    source = logs(run)
    wanted = _filter(store, run_id, path)
    chunk = read_chunk(source.file, offset=offset, limit=limit, wanted=wanted, text=text, until=until)
    return models.LogChunk(
        text=chunk.text,
        offset=chunk.offset,
        next_offset=chunk.next_offset,
        size=chunk.size,
        complete=chunk.at_end and source.done,
        growing=not source.done,
        note=source.note,
    )


@router.get("/runs/{run_id}/logs/matches")
def get_log_matches(
    store: AppStore,
    logs: AppLogs,
    run_id: RunId,
    text: Annotated[str, Query(min_length=1, max_length=200)],
    path: NodePath = None,
    offset: Bytes = 0,
    line: Annotated[Bytes, Query(description="The number of the line at the offset.")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> models.LogMatches:
    """Which lines of a log hold a text, from a byte on: 8 MB of the file are looked through in one request."""
    source = logs(store.run(run_id))
    wanted = _filter(store, run_id, path)
    found = find_lines(source.file, text=text, offset=offset, line=line, limit=limit, wanted=wanted)
    return models.LogMatches(
        matches=[models.LogMatch.model_validate(match) for match in found.matches],
        next_offset=found.next_offset,
        next_line=found.next_line,
        size=found.size,
        complete=found.at_end,
    )


@router.get("/runs/{run_id}/logs/stream", response_class=StreamingResponse, responses=_SSE)
async def stream_logs(
    request: Request,
    store: AppStore,
    stores: AppStores,
    logs: AppLogs,
    run_id: RunId,
    path: NodePath = None,
    offset: Bytes = 0,
    text: Searched = "",
) -> StreamingResponse:
    """The log from a byte on, as `event: log`; `event: end` when the run has ended and all was said."""
    await asyncio.to_thread(lambda: logs(store.run(run_id)))  # a refusal is said before the stream begins
    wanted = await asyncio.to_thread(_filter, store, run_id, path)
    lines = partial(read_chunk, limit=CHUNK_BYTES, wanted=wanted, text=text)
    hub = _hub(request)
    return _streamed(_followed(hub, run_id, _log_events(hub, stores, logs, run_id, lines, offset)))


async def _followed(hub: Hub, run_id: str, events: AsyncIterator[str]) -> AsyncIterator[str]:
    with hub.counted():
        try:
            async for text in events:
                yield text
        except HeadwaterError as error:  # the browser connects again, and is told by the answer
            logger.warning("the stream of the log of %s ends: %s", run_id, error)


async def _log_events(
    hub: Hub,
    stores: Callable[[], Store],
    logs: Callable[[Run], LogSource],
    run_id: str,
    lines: Callable[..., Chunk],
    offset: int,
) -> AsyncIterator[str]:
    yield message("ping", "{}")
    clock = asyncio.get_running_loop().time
    said, note = clock(), ""
    while not hub.closed:
        run = await asyncio.to_thread(lambda: stores().run(run_id))
        source = await asyncio.to_thread(logs, run)
        chunk = await asyncio.to_thread(lines, source.file, offset=offset)
        offset = chunk.next_offset
        if chunk.text or source.note != note:
            said, note = clock(), source.note
            yield message("log", json.dumps({"text": chunk.text, "next_offset": offset, "note": note}))
        if chunk.at_end and source.done:
            yield message("end", json.dumps({"next_offset": offset}))
            return
        if clock() - said >= PING_SECONDS:
            said = clock()
            yield message("ping", "{}")
        if chunk.at_end:
            await asyncio.sleep(FOLLOW_SECONDS)


def _filter(store: Store, run_id: str, path: str | None) -> LogFilter:
    if not path:
        return LogFilter()
    try:
        to_come = (end for edge in queries.edges(store.pool, run_id) for end in edge)
        return LogFilter.of(path, dict.fromkeys((*queries.nodes(store.pool, run_id), *to_come)))
    except UsageError as error:
        raise RequestError(404, error.message, fix=error.fix) from None
