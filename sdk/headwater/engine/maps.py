"""Maps: one node, any number of items in interval sets; handed out, retried in waves, collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.engine import composite, failures
from headwater.engine.commands import Cancel, Collect, Measure, StartItems
from headwater.engine.events import Collected, Failure, ItemFailed, ItemsReturned, ItemsSucceeded, Sized
from headwater.engine.graph import Call, ErrorClass, Map
from headwater.engine.intervals import IntervalSet, Range
from headwater.engine.patience import has_started, runs_from_now, set_patience, waits_to_start
from headwater.engine.standins import ItemOf
from headwater.engine.state import MISSING, Frame, MapState, NodeState, Phase

if TYPE_CHECKING:
    from headwater.engine.engine import Engine

SHOWN_INDICES = 20
LARGEST_MAP = 10_000_000
OPENED_AT_ONCE = 1000
"""Items whose nodes the engine itself runs are opened so many at a time, so that it sees when they become too many."""


def _map_of(state: NodeState) -> Map:
    kind = state.node.kind
    assert isinstance(kind, Map)
    return kind


def is_expanded(engine: Engine, state: NodeState) -> bool:
    """Whether the engine itself runs the items' nodes (else a backend runs each item as a unit)."""
    body = _map_of(state).body
    return isinstance(body, Call) and not engine.graph.blocks[body.block].unit


def begin(engine: Engine, state: NodeState) -> None:
    """Ask how many items there are."""

    state.stage = "measure"
    over = {}
    for name, source in _map_of(state).over.items():
        value = engine.resolve(state.frame, source)
        if value is MISSING:
            engine.end(state, Phase.SKIPPED, message=f"nothing came for input {name!r}")
            return
        over[name] = value
    engine.out.append(Measure(state.path, state.node, over, state.inputs or {}))
    state.inputs = {**(state.inputs or {}), **over}


def sized(engine: Engine, event: Sized) -> None:
    """The number of items is known."""
    state = engine.states.get(event.path)
    if state is None or state.stage != "measure":
        return
    if event.total > LARGEST_MAP:
        why = f"it has {event.total:,} items; a map takes {LARGEST_MAP:,}. Let each item stand for more"
        failures.attempt_failed(engine, state, Failure("TooLarge", why, ErrorClass.INVALID, state.path))
        return
    state.stage = "items"
    done = IntervalSet(event.done)
    pending = IntervalSet([(0, event.total)])
    for start, stop in done.ranges():
        pending.discard(start, stop)
    state.items = MapState(event.total, pending, done=done)
    engine.changes.append(state)
    if len(pending):
        engine.handing.append(state)
    else:
        _finish_when_done(engine, state)


def hand_out(engine: Engine) -> bool:
    """Give items to the backend as far as the limits allow; whether anything was given."""
    given = False
    for state in list(engine.handing):
        items = state.items
        if items is None or state.stage != "items":
            engine.handing.remove(state)
            continue
        if state.frame.stopped:
            stop_handing_out(engine, state)
            continue
        if engine.suspended:
            continue
        given = _hand_out(engine, state, items) or given
        if not len(items.pending) and not items.due:
            engine.handing.remove(state)
    return given


def _hand_out(engine: Engine, state: NodeState, items: MapState) -> bool:
    expanded = is_expanded(engine, state)
    room = _room(engine, state, items, expanded)
    if room <= 0:
        return False
    batches: list[tuple[int, list[Range]]] = []
    is_first = not (len(items.running) or len(items.done) or items.failed)
    if len(items.pending):
        batches.append((1, items.pending.pop_first(room)))
    for attempt in sorted(items.due):
        room -= sum(stop - start for _, ranges in batches for start, stop in ranges)
        if room <= 0:
            break
        batches.append((attempt, items.due[attempt].pop_first(room)))
        if not len(items.due[attempt]):
            del items.due[attempt]
    for attempt, ranges in batches:
        for start, stop in ranges:
            items.running.add(start, stop)
        if expanded:
            _open_items(engine, state, ranges)
            continue
        engine.running += sum(stop - start for start, stop in ranges)
        if not state.slots and engine.map_slots:
            state.slots = 2
            engine.busy_slots += 1
        engine.out.append(StartItems(state.path, state.node, _map_of(state), tuple(ranges), attempt))
    if is_first and not expanded and not waits_to_start(engine, state):
        set_patience(engine, state)
        if not engine.queued:
            runs_from_now(engine, state)
    return bool(batches)


def _room(engine: Engine, state: NodeState, items: MapState, expanded: bool) -> int:
    room = items.total
    if expanded:
        limit = _map_of(state).parallelism
        return min(
            OPENED_AT_ONCE,
            room if limit is None else limit - len(items.running),
            _window(engine, state, items),
        )
    if engine.parallelism is not None:
        room = engine.parallelism - engine.running
        if engine.whole_waves and room > 0:
            return items.total
    if (
        engine.map_slots
        and not state.slots
        and engine.slots is not None
        and engine.busy_slots >= engine.slots
    ):
        return 0
    return room


def _window(engine: Engine, state: NodeState, items: MapState) -> int:
    """How many items' nodes there is still memory for: half of what the run may have, one item at least."""
    body = _map_of(state).body
    if engine.most_nodes is None or not isinstance(body, Call):
        return OPENED_AT_ONCE
    nodes = max(len(engine.graph.blocks[body.block].nodes), 1)
    return max((engine.most_nodes // 2 - len(engine.states)) // nodes, 0 if len(items.running) else 1)


def _open_items(engine: Engine, state: NodeState, ranges: list[Range]) -> None:
    mapped = _map_of(state)
    assert isinstance(mapped.body, Call)
    values = state.inputs or {}
    for start, stop in ranges:
        for index in range(start, stop):
            given = {
                name: ItemOf(value, index) if name in mapped.over else value for name, value in values.items()
            }
            inputs = composite.block_inputs(engine, mapped.body.block, given)
            engine.open_frame(mapped.body.block, f"{state.path}[{index}]/", inputs, state, f"[{index}]")


def expanded_item_ended(engine: Engine, state: NodeState, frame: Frame) -> None:
    """The frame of an item has ended."""
    items = state.items
    if items is None or state.stage != "items":
        return
    index = int(frame.key[1:-1])
    if frame.failed is not None:
        _item_failed(engine, state, items, index, items.attempts.get(index, 1), frame.failed)
    elif any(node.phase is Phase.CANCELLED for node in frame.nodes):
        items.running.discard(index, index + 1)
        items.cut = True
    else:
        items.outputs[index] = engine.frame_outputs(frame)
        items.running.discard(index, index + 1)
        items.done.add(index, index + 1)
    if items.attempts.get(index, 1) > 1 and index not in items.failed and index not in items.done:
        engine.remember_attempts(frame)
    engine.drop_frame(frame)
    if not items.running and _map_of(state).parallelism is not None and len(items.pending):
        engine.handing.append(state) if state not in engine.handing else None
    engine.changes.append(state)
    _finish_when_done(engine, state)


def items_succeeded(engine: Engine, event: ItemsSucceeded) -> None:
    """Items ended well; what is not running (a repeated event, a late one) is passed over."""
    state = engine.states.get(event.path)
    if state is None or state.stage != "items" or state.items is None:
        return
    items = state.items
    for start, stop in event.ranges:
        for part in items.running.intersection(start, stop):
            has_started(engine, state)
            items.running.discard(*part)
            items.done.add(*part)
            engine.running -= part[1] - part[0]
            items.cached += min(event.cached, part[1] - part[0])
    if not engine.changes or engine.changes[-1] is not state:
        engine.changes.append(state)
    _finish_when_done(engine, state)


def item_failed(engine: Engine, event: ItemFailed) -> None:
    """One attempt of one item failed."""
    state = engine.states.get(event.path)
    if state is None or state.stage != "items" or state.items is None:
        return
    items = state.items
    if event.index not in items.running or items.attempts.get(event.index, 1) != event.attempt:
        return
    has_started(engine, state)
    engine.running -= 1
    _item_failed(engine, state, items, event.index, event.attempt, event.failure)
    engine.changes.append(state)
    _finish_when_done(engine, state)


def items_returned(engine: Engine, event: ItemsReturned) -> None:
    """Items come back unrun: to be handed out again, or dropped where the map may start nothing any more."""
    state = engine.states.get(event.path)
    if state is None or state.stage != "items" or state.items is None:
        return
    items = state.items
    hopeless = engine.graph.policy.fail_fast and _too_many(items, _map_of(state))
    ended = engine.stopping is not None or state.frame.stopped or items.cut or hopeless
    for start, stop in event.ranges:
        for part in items.running.intersection(start, stop):
            items.running.discard(*part)
            engine.running -= part[1] - part[0]
            if ended:
                items.cut = True
                continue
            for index in range(*part):
                attempt = items.attempts.get(index, 1)
                waiting = items.pending if attempt == 1 else items.due.setdefault(attempt, IntervalSet())
                waiting.add(index, index + 1)
    if not ended and state not in engine.handing:
        engine.handing.append(state)
    engine.changes.append(state)
    _finish_when_done(engine, state)


def _item_failed(
    engine: Engine, state: NodeState, items: MapState, index: int, attempt: int, failure: Failure
) -> None:
    items.running.discard(index, index + 1)
    retry = state.node.policy.retry
    free = items.free.get(index, 0)
    again, counts = failures.may_retry(retry, failure, attempt - 1 - free, free)
    if not again or items.cut or engine.stopping is not None or state.frame.stopped:
        items.failed[index] = failure
        if engine.graph.policy.fail_fast and _too_many(items, _map_of(state)):
            items.pending = IntervalSet()
        return
    if not counts:
        items.free[index] = free + 1
    following = attempt + 1
    items.attempts[index] = following
    delay = retry.delay(attempt)
    if not delay:
        items.due.setdefault(following, IntervalSet()).add(index, index + 1)
        if state not in engine.handing:
            engine.handing.append(state)
        return
    wave = items.waves.get(following)
    if wave is None:
        wave = items.waves[following] = IntervalSet()
        engine.set_timer(f"wave:{state.path}:{following}", delay, state.path)
    wave.add(index, index + 1)


def wave_due(engine: Engine, state: NodeState, attempt: int) -> None:
    """The backoff of a wave of failed items is over."""
    items = state.items
    if items is None:
        return
    for start, stop in items.waves.pop(attempt, IntervalSet()).ranges():
        items.due.setdefault(attempt, IntervalSet()).add(start, stop)
    if state not in engine.handing:
        engine.handing.append(state)


def stop_handing_out(engine: Engine, state: NodeState) -> None:
    """Start no further items: what runs may end, then the map ends cancelled."""
    items = state.items
    if items is None:
        return
    if len(items.pending) or items.due or items.waves:
        items.cut = True
    items.pending = IntervalSet()
    items.due.clear()
    items.waves.clear()
    if state in engine.handing:
        engine.handing.remove(state)
    _finish_when_done(engine, state)


def cannot_run(engine: Engine, state: NodeState, failure: Failure) -> None:
    """The backend cannot run the items at all, whatever each of them is: that is a failure of the whole map."""
    engine.out.append(Cancel(state.path, 0, "its items cannot be run"))
    forget_running(engine, state)
    failures.attempt_failed(engine, state, failure)


def forget_running(engine: Engine, state: NodeState) -> None:
    """The map is being cancelled: its running items count no longer."""
    items = state.items
    if items is None:
        return
    if not is_expanded(engine, state):
        engine.running -= len(items.running)
    items.running = IntervalSet()
    items.pending = IntervalSet()
    items.cut = True


def _too_many(items: MapState, mapped: Map) -> bool:
    if mapped.tolerate is None:
        return False
    if isinstance(mapped.tolerate, float):
        return len(items.failed) > mapped.tolerate * items.total
    return len(items.failed) > mapped.tolerate


def _finish_when_done(engine: Engine, state: NodeState) -> None:
    items = state.items
    if items is None or state.stage != "items":
        return
    if len(items.pending) or len(items.running) or items.due or items.waves:
        return
    mapped = _map_of(state)
    if _too_many(items, mapped):
        failures.map_failed(engine, state, _summary(state, items))
    elif items.cut:
        engine.end(state, Phase.CANCELLED, message="stopped before all items had run")
    else:
        state.stage = "collect"
        outputs = items.outputs if is_expanded(engine, state) else None
        engine.out.append(Collect(state.path, state.node, mapped, items.total, items.failed, outputs))


def _summary(state: NodeState, items: MapState) -> Failure:
    indices = sorted(items.failed)
    shown = ", ".join(str(index) for index in indices[:SHOWN_INDICES])
    more = f" and {len(indices) - SHOWN_INDICES} more" if len(indices) > SHOWN_INDICES else ""
    first = items.failed[indices[0]]
    tries = items.attempts.get(indices[0], 1)
    retried = f" (after {tries} attempts)" if tries > 1 else ""
    where = first.node or f"{state.path}[{indices[0]}]"
    message = (
        f"{len(indices)} of {items.total} items failed: {shown}{more}; "
        f"first {where}: {first.type}: {first.message}{retried}"
    )
    return Failure("MapFailed", message, ErrorClass.ERROR, state.path, first.traceback, first.exception)


def collected(engine: Engine, event: Collected) -> None:
    """The outputs of the whole map are put together."""
    state = engine.states.get(event.path)
    if state is not None and state.stage == "collect":
        engine.end(state, Phase.SUCCEEDED, outputs=event.outputs)
