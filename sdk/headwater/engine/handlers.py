"""What each event does to the state. An event that comes twice, or too late, changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headwater.engine import composite, failures, maps
from headwater.engine.events import (
    Approved,
    CacheMissed,
    Changed,
    Collected,
    Decided,
    Failed,
    Failure,
    ItemFailed,
    ItemsReturned,
    ItemsSucceeded,
    Sized,
    Started,
    Stopped,
    Succeeded,
    TaskSkipped,
    TimerFired,
    Waiting,
)
from headwater.engine.graph import ErrorClass
from headwater.engine.patience import has_started
from headwater.engine.state import ENDED, Phase

if TYPE_CHECKING:
    from headwater.engine.engine import Engine


def _started(engine: Engine, event: Started) -> None:
    state = engine.states.get(event.path)
    if state is not None and state.stage == "items":
        has_started(engine, state)
        return
    if state is None or state.stage != "run" or state.attempt != event.attempt:
        return
    state.stage = "running"
    state.started_at = event.at
    has_started(engine, state)
    timeout = state.node.policy.timeout
    if timeout is not None:
        engine.set_timer(f"timeout:{state.path}:{state.attempt}", timeout, state.path)


def _waiting(engine: Engine, event: Waiting) -> None:
    state = engine.states.get(event.path)
    if state is not None and state.attempt == event.attempt and state.stage in ("run", "running", "items"):
        state.message = event.message
        engine.changes.append(state)


def _succeeded(engine: Engine, event: Succeeded) -> None:
    state = engine.states.get(event.path)
    if state is None or state.phase in ENDED:
        return
    if event.cached and state.stage == "lookup":
        state.started_at = event.at
        engine.end(state, Phase.CACHED, outputs=event.outputs)
    elif state.stage in ("run", "running") and state.attempt == event.attempt:
        engine.end(state, Phase.CACHED if event.cached else Phase.SUCCEEDED, outputs=event.outputs)


def _task_skipped(engine: Engine, event: TaskSkipped) -> None:
    state = engine.states.get(event.path)
    if state is not None and state.stage in ("run", "running") and state.attempt == event.attempt:
        engine.end(state, Phase.SKIPPED, message="the task returned Skipped()")


def _failed(engine: Engine, event: Failed) -> None:
    state = engine.states.get(event.path)
    if state is None or state.phase in ENDED or not state.stage:
        return
    if state.stage == "items":
        maps.cannot_run(engine, state, event.failure)
        return
    if state.stage in ("run", "running"):
        if state.attempt != event.attempt:
            return
    elif state.stage not in ("lookup", "when", "condition", "measure", "collect") and not (
        state.stage.startswith("until:")
    ):
        return
    failures.attempt_failed(engine, state, event.failure)


def _decided(engine: Engine, event: Decided) -> None:
    state = engine.states.get(event.path)
    if state is None or state.stage != event.stage or state.phase in ENDED:
        return
    if event.stage == "when":
        if event.answer:
            engine.proceed(state)
        else:
            engine.end(state, Phase.SKIPPED, message="its `when` was false")
    elif event.stage == "condition":
        state.answer = event.answer
        engine.end(state, Phase.SUCCEEDED, outputs={})
    else:
        composite.until_answered(engine, state, event.answer)


def _cache_missed(engine: Engine, event: CacheMissed) -> None:
    state = engine.states.get(event.path)
    if state is not None and state.stage == "lookup":
        state.stage = ""
        engine.begin(state)


def _timer_fired(engine: Engine, event: TimerFired) -> None:
    path = engine.timers.pop(event.key, None)
    if path is None:
        return
    what, _, rest = event.key.partition(":")
    if what == "run":
        _run_timed_out(engine)
        return
    state = engine.states.get(path)
    if state is None or state.phase in ENDED:
        return
    if what == "timeout":
        if state.attempt == int(rest.rpartition(":")[2]):
            maps.forget_running(engine, state)
            failures.timed_out(engine, state)
    elif what == "queue":
        if state.attempt == int(rest.rpartition(":")[2]) and state.stage in ("run", "items"):
            maps.forget_running(engine, state)
            failures.never_started(engine, state, event.why)
    elif what == "retry":
        state.stage = ""
        engine.begin_again(state)
    elif what == "wave":
        maps.wave_due(engine, state, int(rest.rpartition(":")[2]))
    elif what == "suspend":
        engine.waiting_people -= 1
        engine.end(state, Phase.SUCCEEDED, outputs={})
    elif what == "approval":
        engine.waiting_people -= 1
        failures.attempt_failed(
            engine, state, Failure("Timeout", "nobody approved in time", ErrorClass.TIMEOUT, state.path)
        )


def _run_timed_out(engine: Engine) -> None:
    seconds = engine.graph.policy.timeout
    engine.error = Failure(
        "Timeout", f"the run took longer than its timeout of {seconds:g} s", ErrorClass.TIMEOUT
    )
    engine.failures.append((engine.now, engine.error))
    _stopped(engine, Stopped(engine.now, kill=True, reason="the run timed out"))


def _approved(engine: Engine, event: Approved) -> None:
    state = engine.states.get(event.path)
    if state is None or state.stage != "approval":
        return
    engine.waiting_people -= 1
    if event.granted:
        engine.end(
            state, Phase.SUCCEEDED, outputs={"approvedBy": event.by}, message=f"approved by {event.by}"
        )
    else:
        failures.attempt_failed(
            engine, state, Failure("Refused", f"refused by {event.by}", ErrorClass.ERROR, state.path)
        )


def _stopped(engine: Engine, event: Stopped) -> None:
    if engine.stopping is not None and engine.stopping.kill >= event.kill and event.code is None:
        return
    engine.stopping = event
    frame = engine.root
    if frame is None:
        return
    kill = event.kill or event.code is not None
    reason = event.reason or "the run was stopped"
    for state in list(engine.states.values()):
        if state.phase in ENDED or engine.in_exit(state.frame) or state.phase in ENDED:
            continue
        if (
            state.stage in ("queued", "retry", "lookup", "approval", "suspend", "when")
            or (kill and state.stage in ("run", "running", "condition", "measure", "items", "collect"))
            or (kill and state.stage.startswith("until:"))
        ):
            engine.cancel(state, reason)
        elif state.stage == "items":
            # Running items may end; only what was not handed out is dropped.
            maps.stop_handing_out(engine, state)
    while engine.ready and not engine.ended:
        engine.consider(engine.ready.popleft())


def _changed(engine: Engine, event: Changed) -> None:
    if event.suspend is not None:
        engine.suspended = event.suspend
    if event.parallelism is not None:
        engine.parallelism = event.parallelism or None


HANDLERS: dict[type, Callable[[Engine, Any], None]] = {
    Started: _started,
    Waiting: _waiting,
    Succeeded: _succeeded,
    TaskSkipped: _task_skipped,
    Failed: _failed,
    Decided: _decided,
    CacheMissed: _cache_missed,
    Sized: maps.sized,
    ItemsSucceeded: maps.items_succeeded,
    ItemFailed: maps.item_failed,
    ItemsReturned: maps.items_returned,
    Collected: maps.collected,
    TimerFired: _timer_fired,
    Approved: _approved,
    Stopped: _stopped,
    Changed: _changed,
}
