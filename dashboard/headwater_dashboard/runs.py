"""Routes about many runs, and about a run as a whole."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from headwater.engine.state import Phase
from headwater.records import queries
from headwater.records.pages import Cursor, Filter, page_of_runs
from headwater.records.trends import FILTERS, Trend, filter_names, trend

from headwater_dashboard import models
from headwater_dashboard.problems import RequestError
from headwater_dashboard.routes import PROBLEMS, AppStore, RunId

router = APIRouter(responses=PROBLEMS)

Word = Annotated[str | None, Query(max_length=500)]
Moment = Annotated[float | None, Query(ge=0, le=1e11, allow_inf_nan=False)]


def filter_of(
    store: AppStore,
    phase: Annotated[
        list[Phase] | None, Query(max_length=len(Phase), description="May be given several times.")
    ] = None,
    name: Word = None,
    project: Word = None,
    namespace: Word = None,
    backend: Word = None,
    user: Word = None,
    label: Annotated[list[str] | None, Query(max_length=10, description="KEY=VALUE; several: all.")] = None,
    text: Annotated[str, Query(max_length=200, description="Somewhere in name, id, message, error.")] = "",
) -> Filter:
    """Which runs are asked for, of those that who asks may see."""
    return Filter(
        *(tuple(dict.fromkeys(each.value for each in phase or ())), name, project, namespace, backend, user),
        *(_labels(label or []), None, None, text, store.visible),
    )


Wanted = Annotated[Filter, Depends(filter_of)]


@router.get("/runs")
def list_runs(
    store: AppStore,
    wanted: Wanted,
    since: Moment = None,
    until: Moment = None,
    cursor: Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> models.RunPage:
    """Runs, latest first. A search for text or labels may answer with fewer than `limit` runs and yet a `next`."""
    wanted = replace(wanted, since=since, until=until)
    place = None if cursor is None else Cursor.decode(cursor)
    with store.reading() as connection:
        if connection is None:
            return models.RunPage(items=[], next=None)
        page = page_of_runs(connection, wanted, cursor=place, limit=limit)
    items = [models.Run.model_validate(store.truly(run)) for run in page.runs]
    return models.RunPage(items=items, next=page.next.encode() if page.next else None)


def _labels(given: list[str]) -> dict[str, str]:
    labels = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or len(text) > 500:
            raise RequestError(422, f"{text[:100]!r} is not a label", fix="Write label=KEY=VALUE.")
        labels[key] = value
    return labels


@router.get("/runs/{run_id}")
def get_run(store: AppStore, run_id: RunId) -> models.RunDetail:
    """One run, with its values and the digests of its code."""
    return models.RunDetail.model_validate(store.run(run_id))


@router.get("/runs/{run_id}/document")
def get_document(store: AppStore, run_id: RunId) -> models.Document:
    """The document that the run ran, its secrets masked; null where none was kept."""
    return models.Document(document=queries.document(store.pool, store.run(run_id)))


@router.get("/stats")
def get_stats(
    store: AppStore, wanted: Wanted, days: Annotated[int, Query(ge=1, le=366)] = 30
) -> models.Stats:
    """How many runs are in which phase, and how each of the latest days went: of all runs, or of those that a filter
    lets pass. `unfollowed` names what of the filter the numbers do not follow, as too many runs would be looked at."""
    key = ("stats", days, repr(wanted))
    return models.Stats.model_validate(store.kept(key, lambda: _stats(store, wanted, days)))


def _stats(store: AppStore, wanted: Filter, count: int) -> Trend:
    with store.reading() as connection:
        if connection is None:
            return Trend({}, ())
        return trend(connection, wanted, now=time.time(), count=count)


@router.get("/names")
def get_names(store: AppStore) -> models.Names:
    """What runs can be filtered by."""
    return models.Names.model_validate(store.kept("names", lambda: _names(store)))


def _names(store: AppStore) -> dict[str, list[str]]:
    with store.reading() as connection:
        return {key: [] for key in FILTERS} if connection is None else filter_names(connection, store.visible)
