"""One pass over a run: what is seen becomes events, the engine decides, and what is to be created is built.

Pure but for the clock that it is given: no I/O. `reconcile` does that before and after.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import replace

from headwater.engine.events import Approved, Changed, Event, Failed, Failure, ItemFailed, Stopped
from headwater.engine.graph import ErrorClass
from headwater.engine.intervals import IntervalSet
from headwater.engine.state import NodeState, Phase
from headwater.errors import HeadwaterError

from headwater_operator.builders import (
    BuildSettings,
    MapStep,
    UnitStep,
    chunks,
    cluster_of,
    job_name,
    map_objects,
    pod_name,
    unit_objects,
)
from headwater_operator.diagnosis import seconds, waiting
from headwater_operator.run.feed import Feeder, map_step
from headwater_operator.run.graph import ENTRY_UNIT
from headwater_operator.run.memory import Creation, Expected, Run, Wave
from headwater_operator.run.observe import Sight, items_failed, items_pod_events, job_events, unit_events
from headwater_operator.run.views import PodView, WorkflowView

logger = logging.getLogger("headwater.operator.run")

APPROVALS = "headwater.dev/approvals"
SAY_BEGUN_AFTER = 5.0
BINDING_SECONDS = 3.0
"""How long the first pod of a namespace waits for the claim of the store in the ordinary course of things."""
_HOLD = 0.5
_LONGEST_HOLD = 30.0


def run_pass(run: Run, view: WorkflowView, sight: Sight, settings: BuildSettings) -> None:
    """Fold all that is new into the run; what has to be created is in `run.uncreated` afterwards."""
    feeder = Feeder(run, sight.now, has_store=bool(settings.store.url))
    if run.engine.root is None:
        run.started_at = sight.now
        feeder.start()
        _register(run, feeder, settings, sight)
    feeder.feed(spec_events(run, view, sight.now))
    feeder.fire_timers()
    _recreate(run, sight, settings)
    looked_at = run.dirty_pods | run.dirty_jobs
    feeder.feed(_observed(run, sight))
    _register(run, feeder, settings, sight)
    if _detach(run):
        feeder.feed(_observed(run, sight))
    feeder.feed(_note_waits(run, sight, looked_at))
    _register(run, feeder, settings, sight)
    _drop_finished(run, looked_at)
    for state in run.engine.take_changes():
        run.changed[state.path] = state
    _note_begun(run, sight.now)


def _note_begun(run: Run, now: float) -> None:
    """A node that has run for a while is to be seen to run: a write that those which end at once do not need."""
    while run.begun:
        path, since = next(iter(run.begun.items()))  # the first is the longest there
        if now - since < SAY_BEGUN_AFTER:
            return
        del run.begun[path]
        state = run.engine.states.get(path)
        if state is not None and state.phase is Phase.RUNNING:
            run.changed[path] = state


def spec_events(run: Run, view: WorkflowView, now: float) -> list[Event]:
    """What people have changed in the Workflow: suspend, parallelism, terminate, approvals."""
    engine, spec = run.engine, view.spec
    events: list[Event] = []
    suspend, parallelism = bool(spec.get("suspend")), spec.get("parallelism")
    if suspend != engine.suspended or parallelism != engine.parallelism:
        events.append(Changed(now, suspend=suspend, parallelism=parallelism or 0))
    terminate = spec.get("terminate") or ""
    kill = terminate == "Cancel"
    if (
        terminate
        and (engine.stopping is None or (kill and not engine.stopping.kill))
        and not engine.exit_frame
    ):
        word = "cancelled" if kill else "stopped"
        events.append(Stopped(now, kill=kill, reason=f"the run was {word}"))
    return events + _approvals(run, view, now)


def _approvals(run: Run, view: WorkflowView, now: float) -> list[Event]:
    text = view.annotations.get(APPROVALS)
    if not text or not run.engine.waiting_people:
        return []
    try:
        written = json.loads(text)
        given = {
            str(path): (str(each["by"]), bool(each.get("granted", True))) for path, each in written.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return []
    paths = {path.replace("_", "-"): answer for path, answer in given.items()}
    return [
        Approved(state.path, *_by_and_granted(paths[state.path.replace("_", "-")], now))
        for state in list(run.engine.states.values())
        if state.stage == "approval" and state.path.replace("_", "-") in paths
    ]


def _by_and_granted(answer: tuple[str, bool], now: float) -> tuple[str, float, bool]:
    return answer[0], now, answer[1]


# ---------------------------------------------------------------- what was seen


def _observed(run: Run, sight: Sight) -> list[Event]:
    inbox, run.inbox = run.inbox, []
    seen: list[tuple[float, str, list[Event]]] = []
    for name in run.dirty_pods:
        expected = run.expected.get(name)
        if expected is not None:
            seen.append((*_when(sight, name), unit_events(run, sight, name, expected)))
            continue
        pod = sight.pod(name)
        wave = run.jobs.get(pod.job) if pod is not None and pod.job else None
        if pod is not None and wave is not None:
            seen.append((*_when(sight, name), items_pod_events(run, sight, pod, wave)))
    for name in run.dirty_jobs:
        wave = run.jobs.get(name)
        if wave is not None:
            seen.append((float("inf"), name, job_events(run, sight, name, wave)))
    run.dirty_pods, run.dirty_jobs = set(), set(run.unsettled)
    seen.sort(key=lambda each: each[:2])
    return inbox + _held_back(run, sight.now, [event for *_, events in seen for event in events])


def _when(sight: Sight, name: str) -> tuple[float, str]:
    """The order of events does not depend on when we saw them, so that it is the same after a crash."""
    pod = sight.pod(name)
    if pod is None:
        return (0.0, name)
    ended = [
        each["state"]["terminated"].get("finishedAt") or ""
        for each in pod.raw["status"]["containerStatuses"]
        if "terminated" in (each.get("state") or {})
    ]
    return ((seconds(max(ended)) or 0.0) if ended else float("inf"), name)


def _held_back(run: Run, now: float, events: list[Event]) -> list[Event]:
    """Failures of items are told in batches, further and further apart: each batch makes a Job of retries."""
    told: list[Event] = []
    for event in events:
        if isinstance(event, ItemFailed) and _may_be_retried(run, event):
            run.held.setdefault(event.path, []).append(event)
        else:
            told.append(event)
    for path in list(run.held):
        due = run.release_at.get(path, 0.0)
        if now >= due or _nothing_else_runs(run, path, len(run.held[path])):
            waves = sum(wave.attempt > 1 for wave in run.waves.get(path, ()))
            run.release_at[path] = now + min(_HOLD * 2**waves, _LONGEST_HOLD)
            told += run.held.pop(path)
    return told


def _may_be_retried(run: Run, event: ItemFailed) -> bool:
    state = run.engine.states.get(event.path)
    if state is None or state.items is None:
        return False
    disrupted = event.failure.error_class in (ErrorClass.INFRASTRUCTURE, ErrorClass.PREEMPTED)
    return bool(state.node.policy.retry.limit) or disrupted


def _nothing_else_runs(run: Run, path: str, held: int) -> bool:
    state = run.engine.states.get(path)
    return state is None or state.items is None or len(state.items.running) <= held


def _detach(run: Run) -> bool:
    """Where a map may start nothing more, its Jobs let go of what has not begun; whether there are such."""
    engine = run.engine
    found = False
    for name, wave in run.jobs.items():
        state = engine.states.get(wave.path)
        if wave.detached or state is None or state.stage != "items":
            continue
        told = engine.stopping is not None and not engine.in_exit(state.frame)
        if engine.suspended or state.frame.stopped or told:
            wave.detached = found = True
            if name not in run.created:
                run.uncreated.pop(name, None)
            run.dirty_jobs.add(name)
    return found


def _note_waits(run: Run, sight: Sight, names: Iterable[str]) -> list[Event]:
    """Say why pods do not start; one that never can is a failure of its node."""
    events: list[Event] = []
    for name in names:
        expected, pod = run.expected.get(name), sight.pod(name)
        wave = run.jobs.get(pod.job) if pod is not None and pod.job else None
        path = expected.path if expected is not None else wave.path if wave is not None else None
        if path is None or name in run.uncreated:
            continue
        if pod is None or pod.phase != "Pending":
            note_waiting(run, path, _in_queue(run, name, expected, pod))
            continue
        found = waiting(pod.raw)
        if found is None:
            continue
        if found.reason == "Volume" and sight.now - run.launched.get(path, (0.0, 0.0))[0] < BINDING_SECONDS:
            continue  # `look_closer` tells of one that stays
        note_waiting(run, path, found.text)
        if not found.hopeless:
            continue
        if expected is not None:
            failure = Failure(found.reason, found.text, ErrorClass.INVALID, path)
            events.append(Failed(path, expected.attempt, failure, sight.now))
        elif wave is not None:
            failure = Failure(found.reason, found.text, ErrorClass.INVALID)
            events += items_failed(run, sight, wave, wave.share(pod.index), failure)
    return events


def _in_queue(run: Run, name: str, expected: Expected | None, pod: PodView | None) -> str | None:
    """What there is to say of a bridge that runs while its job waits for its turn."""
    if expected is None or pod is None or pod.phase != "Running" or name in run.started_pods:
        return None
    cluster = cluster_of(run.context, expected.step)
    return f"in the queue of Slurm cluster {cluster!r}; its log tells what Slurm says" if cluster else None


def note_waiting(run: Run, path: str, text: str | None) -> None:
    """Why a node waits is known, or no longer holds."""
    short, explained = run.explained.get(path, ("", ""))
    if text == short:
        text = explained or text
    if run.waiting.get(path) == text:
        return
    if text is None:
        del run.waiting[path]
    else:
        run.waiting[path] = text
    state = run.engine.states.get(path)
    if state is not None:
        run.changed[path] = state


# ---------------------------------------------------------------- what is to be created


def _register(run: Run, feeder: Feeder, settings: BuildSettings, sight: Sight) -> None:
    """Build what the engine has asked for; what cannot be built is a failure that the engine hears of."""
    while True:
        effects = feeder.effects
        units, maps = effects.units, effects.maps
        if not units and not maps:
            return
        effects.units, effects.maps = [], []
        events: list[Event] = []
        for unit in units:
            events += expect_unit(run, unit, settings, sight.now)
        for step, wave in maps:
            events += expect_wave(run, step, wave, settings, sight.now)
        feeder.feed(events)


def expect_unit(run: Run, step: UnitStep, settings: BuildSettings, now: float) -> list[Event]:
    """Have a pod created, and wait for it."""
    path = step.path or ENTRY_UNIT
    try:
        objects = unit_objects(run.context, settings, step)
    except Exception as error:
        return [Failed(path, step.attempt, _invalid(error, path), now)]
    name = pod_name(run.context, step.path, step.attempt, step.stage, step.lineage)
    run.expected[name] = Expected(path, step.attempt, step.stage, step)
    if step.stage:
        run.asks[f"{path}:{step.stage}:{step.attempt}"] = step
    else:
        run.launched[path] = (now, -1.0)
        run.durations.pop(path, None)
    run.uncreated[name] = Creation(objects, path, step.attempt)
    return []


def expect_wave(run: Run, step: MapStep, wave: Wave, settings: BuildSettings, now: float) -> list[Event]:
    """Have the Jobs of a wave created, and wait for them."""
    try:
        cut = chunks(run.context, settings, step)
        waves = _cut_wave(run, wave, [chunk.items for chunk in cut]) if len(cut) > 1 else [wave]
        steps = [replace(chunk, chunk=each.chunk) for chunk, each in zip(cut, waves, strict=True)]
        built = [map_objects(run.context, settings, each) for each in steps]
    except Exception as error:
        return [Failed(wave.path, run.engine.states[wave.path].attempt, _invalid(error, wave.path), now)]
    for each, objects in zip(waves, built, strict=True):
        name = job_name(run.context, each.path, each.attempt, each.chunk, each.lineage)
        run.jobs[name] = each
        run.uncreated[name] = Creation(objects, each.path, each.attempt)
    run.launched.setdefault(wave.path, (now, 0.0))
    return []


def _cut_wave(run: Run, wave: Wave, parts: Iterable[str]) -> list[Wave]:
    waves = run.waves[wave.path]
    waves.remove(wave)
    first = sum(each.attempt == wave.attempt for each in waves)
    cut = [
        replace(wave, chunk=first + number, items=IntervalSet.parse(items))
        for number, items in enumerate(parts)
    ]
    waves.extend(cut)
    return cut


def _invalid(error: Exception, path: str) -> Failure:
    """What cannot be built is a failure of its node, told to its user: also where the builders are to blame."""
    message = str(error)
    if not isinstance(error, HeadwaterError):
        logger.error("a defect of Headwater: please report it", exc_info=error, extra={"node": path})
        message = f"the operator cannot build its pod, a defect of Headwater (please report it): {message}"
    return Failure(type(error).__name__, message, ErrorClass.INVALID, path)


def _recreate(run: Run, sight: Sight, settings: BuildSettings) -> None:
    """Steps that were written down, but whose objects are not there: the operator died before it made them.

    A bridge that is not there any more was lost; the job goes on, and the next bridge finds it.
    """
    for name in list(run.dirty_pods):
        expected = run.expected.get(name)
        if expected is None or name in run.uncreated or sight.pod(name) is not None:
            continue
        not_before = 0.0
        if name in run.started_pods or name in run.created:
            if not cluster_of(run.context, expected.step):
                continue
            run.created.discard(name)
            lost = run.replaced[name] = run.replaced.get(name, 0) + 1
            not_before = sight.now + min(2.0 ** (lost - 1), _LONGEST_HOLD) - 1.0
        objects = unit_objects(run.context, settings, expected.step)
        creation = Creation(objects, expected.path, expected.attempt, not_before=not_before)
        run.uncreated[name] = creation
    for name in list(run.dirty_jobs):
        wave = run.jobs.get(name)
        if wave is None or wave.seen or wave.detached or name in run.uncreated or name in run.created:
            continue
        if sight.job(name) is None:
            objects = map_objects(run.context, settings, map_step(run, wave))
            run.uncreated[name] = Creation(objects, wave.path, wave.attempt)


def _drop_finished(run: Run, looked_at: set[str]) -> None:
    """Forget pods and Jobs that the engine does not wait for any more; `run.doomed` are to be deleted."""
    states = run.engine.states
    names = run.expected.keys() if run.engine.ended else looked_at & run.expected.keys()
    for name in list(names):
        expected = run.expected[name]
        state = states.get(expected.path)
        if state is None or not _waits_for(state, expected):
            run.drop_pod(name)
            note_waiting(run, expected.path, None)
    for name, wave in list(run.jobs.items()):
        state = states.get(wave.path)
        if state is not None and state.stage in ("items", "collect"):
            continue
        run.drop_job(name)
        for beside in (run.waves, run.results, run.pickles, run.held, run.release_at):
            beside.pop(wave.path, None)


def _waits_for(state: NodeState, expected: Expected) -> bool:
    if expected.stage:
        return state.stage == expected.stage
    return state.stage in ("run", "running") and state.attempt == expected.attempt
