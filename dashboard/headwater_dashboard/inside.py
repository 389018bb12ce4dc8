"""Routes about what is in a run: nodes, attempts, items of maps, events, exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from headwater.engine.state import Phase
from headwater.records import queries
from headwater.records.map_items import map_items, page_of_items
from headwater.records.model import Node

from headwater_dashboard import models
from headwater_dashboard.failures import count, groups_of, traceback_of
from headwater_dashboard.item_times import item_times
from headwater_dashboard.item_values import item_values
from headwater_dashboard.problems import RequestError
from headwater_dashboard.routes import PROBLEMS, AppStore, MapPath, NodePath, RunId, packed

router = APIRouter(prefix="/runs/{run_id}", responses=PROBLEMS)

Offset = Annotated[int, Query(ge=0, le=10**9)]
Limit = Annotated[int, Query(ge=1, le=10_000)]
MOST_GROUPS = 200


@router.get("/nodes", response_model=models.Graph)
def get_nodes(request: Request, store: AppStore, run_id: RunId) -> Response:
    """All nodes of a run in the order of their start, those to come last, and what waits for what."""
    run = store.run(run_id)
    recorded = queries.nodes(store.pool, run_id)
    pairs = queries.edges(store.pool, run_id)
    to_come = [] if run.ended else _to_come(pairs, recorded)
    nodes = [models.Node.model_validate(node) for node in (*recorded.values(), *to_come)]
    edges = [models.Edge.model_validate({"from": a, "to": b}) for a, b in pairs]
    graph = models.Graph.model_construct(nodes=nodes, edges=edges)
    # Thousands of nodes are validated once: what FastAPI is handed as a model it checks again.
    return packed(request, graph.model_dump_json(by_alias=True))


def _to_come(edges: list[tuple[str, str]], recorded: Mapping[str, Node]) -> list[Node]:
    """Nodes that wait and have not been recorded yet; of blocks that are called, edges tell no paths."""
    paths = dict.fromkeys(path for edge in edges for path in edge if "/" not in path)
    return [Node(path, "Pending") for path in paths if path not in recorded]


@router.get("/attempts")
def get_attempts(store: AppStore, run_id: RunId, path: NodePath = None) -> models.Attempts:
    """The attempts of a run, or of one node, in order."""
    store.run(run_id)
    return models.Attempts.model_validate({"items": queries.attempts(store.pool, run_id, path)})


@router.get("/items")
def get_items(
    store: AppStore,
    run_id: RunId,
    path: MapPath,
    phase: Phase | None = None,
    offset: Offset = 0,
    limit: Limit = 1000,
) -> models.ItemPage:
    """Items of a map, or those of them in one phase."""
    found = map_items(store.pool, run_id, store.node(run_id, path))
    items = page_of_items(store.pool, run_id, path, found, phase=phase, offset=offset, limit=limit)
    return models.ItemPage.model_validate({"total": found.total, "counts": found.counts(), "items": items})


@router.get("/items/states", response_model=models.ItemStates)
def get_item_states(request: Request, store: AppStore, run_id: RunId, path: MapPath) -> Response:
    """The state of every item of a map, as half-open ranges."""
    found = map_items(store.pool, run_id, store.node(run_id, path))
    return packed(request, models.ItemStates.model_validate(found).model_dump_json())


@router.get("/items/times")
def get_item_times(
    store: AppStore,
    run_id: RunId,
    path: MapPath,
    bins: Annotated[int, Query(ge=1, le=200)] = 60,
    last: Annotated[int, Query(ge=0, le=100)] = 10,
) -> models.ItemTimes:
    """When the items of a map ended: how many in each stretch of time, and the last of them."""
    node = store.node(run_id, path)
    items = map_items(store.pool, run_id, node)
    with store.reading() as connection:
        if connection is None:
            return models.ItemTimes(total=0, bins=[], last=[])
        found = item_times(connection, run_id, items, node, bins=bins, last=last)
    return models.ItemTimes.model_validate(found)


@router.get("/items/values")
def get_item_values(
    store: AppStore, run_id: RunId, path: MapPath, index: Annotated[int, Query(ge=0, le=10**9)]
) -> models.ItemValues:
    """What an item of a map was given and gave, as far as the record of the run has it."""
    run = store.run(run_id)
    total = map_items(store.pool, run_id, store.node(run_id, path)).total
    if index >= total:
        fix = f"Give one from 0 to {total - 1}." if total else "Give the path of a map."
        raise RequestError(404, f"there is no item {index} in {path}: it has {total}", fix=fix)
    document = queries.document(store.pool, run)
    found = item_values(document, run, queries.nodes(store.pool, run_id), path, index)
    return models.ItemValues.model_validate(found)


@router.get("/events")
def get_events(
    store: AppStore, run_id: RunId, path: NodePath = None, offset: Offset = 0, limit: Limit = 10_000
) -> models.Events:
    """What happened in a run, in the order of time: attempts begin and end, exceptions are raised."""
    store.run(run_id)
    found = queries.events(store.pool, run_id, path, offset=offset, limit=limit)
    return models.Events.model_validate({"items": found})


@router.get("/exceptions")
def get_exceptions(
    store: AppStore,
    run_id: RunId,
    path: NodePath = None,
    index: Annotated[
        int | None,
        Query(ge=-1, le=10**9, description="Only this item of the map; -1: what the node itself raised."),
    ] = None,
    offset: Offset = 0,
    limit: Limit = 1000,
) -> models.Exceptions:
    """The exceptions that were raised in a run, in one node, or in one item of a map, the first first."""
    store.run(run_id)
    found = queries.exceptions(store.pool, run_id, path, index=index, offset=offset, limit=limit)
    return models.Exceptions.model_validate({"items": found})


@router.get("/errors")
def get_errors(store: AppStore, run_id: RunId) -> models.ErrorGroups:
    """The exceptions of a run in groups of those that are alike, the first cause first."""
    store.run(run_id)
    groups: list[models.ErrorGroup] = []
    with store.reading() as connection:
        if connection is None:
            return models.ErrorGroups(groups=[], left_out=0)
        shown = groups_of(connection, run_id)[:MOST_GROUPS]
        left_out = count(connection, run_id) - sum(each.count for each in shown)
        for each in shown:
            path, index, attempt = each.key
            example = models.Example(
                path=path,
                index=None if index < 0 else index,
                attempt=attempt,
                traceback=traceback_of(connection, run_id, each.key),
            )
            groups.append(
                models.ErrorGroup(
                    signature=each.signature, type=each.type, error_class=each.error_class, message=each.message,
                    count=each.count, first_at=each.first_at, nodes=list(each.nodes), example=example,
                )
            )  # fmt: skip
    return models.ErrorGroups(groups=groups, left_out=max(0, left_out))
