"""From pods and Jobs to engine events. Level-triggered: the same objects always give the same events, and the
engine passes over those that it has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from headwater.document.unit import TaskRecord, UnitReport
from headwater.engine.events import (
    Decided,
    Event,
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
)
from headwater.engine.graph import DISRUPTIONS, Container, ErrorClass, Map
from headwater.engine.intervals import IntervalSet, Range
from headwater.engine.patience import start_is_news
from headwater.engine.state import NodeState

from headwater_operator.builders import MapStep, UnitStep, cluster_of
from headwater_operator.diagnosis import Outcome, container_outputs, failure_of, outcome, report_in
from headwater_operator.run.feed import declared_outputs, is_oom, needs_results
from headwater_operator.run.graph import ENTRY_UNIT
from headwater_operator.run.memory import Expected, Run, Wave
from headwater_operator.run.views import JobView, PodView

PATIENCE = 5.0
"""Seconds that a Job may be ahead of what we see of its pods before we believe the Job alone."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What can be seen now: pods and Jobs by name, and the time."""

    pod: Callable[[str], PodView | None]
    job: Callable[[str], JobView | None]
    pods_of_job: Callable[[str], Iterable[PodView]]
    artifacts: Callable[[Run, UnitStep | MapStep, int | None], Mapping[str, Any]]
    now: float
    has_store: bool


def unit_events(run: Run, sight: Sight, name: str, expected: Expected) -> list[Event]:
    """What the pod of a unit says; a pod that is gone was deleted."""
    pod = sight.pod(name)
    bridged = bool(cluster_of(run.context, expected.step))
    if pod is None:
        if name in run.uncreated:
            return []
        return _unit_failed(run, sight, expected, _gone(expected.path))
    found = outcome(pod.raw)
    if found is None:
        runs = pod.phase == "Running" and (not bridged or pod.ready)
        return _started(run, sight, name, expected) if runs else []
    if bridged and _was_killed(found):
        run.doomed[name] = (
            "Pod"  # another takes its place: the job goes on, so this is no failure of the node
        )
        return []
    if found.started_at is not None and found.finished_at is not None:
        run.durations[expected.path] = max(found.finished_at - found.started_at, 0.0)
    events = _started(run, sight, name, expected)
    if expected.step.does == "container":
        return events + _container_events(run, sight, expected, found)
    return events + _python_events(run, sight, name, expected, found)


_KILLED = frozenset({137, 143})


def _was_killed(found: Outcome) -> bool:
    """Whether a bridge ended for no reason of its own: by a signal, or with its machine."""
    report = report_in(found.message)
    if found.failure is None or (report is not None and report.final):
        return False
    return found.failure.error_class in DISRUPTIONS or found.exit_code in _KILLED


def _started(run: Run, sight: Sight, name: str, expected: Expected) -> list[Event]:
    if name in run.started_pods:
        return []
    run.started_pods.add(name)
    created, _ = run.launched.get(expected.path, (sight.now, 0.0))
    run.launched[expected.path] = (created, max(sight.now - created, 0.0))
    run.begun.pop(expected.path, None)  # of an attempt before: it goes to the end
    run.begun[expected.path] = sight.now
    return [Started(expected.path, expected.attempt, sight.now)]


def _gone(path: str) -> Failure:
    return Failure("PodDeleted", "its pod was deleted by somebody else", ErrorClass.INFRASTRUCTURE, path)


def _unit_failed(run: Run, sight: Sight, expected: Expected, failure: Failure) -> list[Event]:
    if is_oom(failure):
        run.ooms[expected.path] = run.ooms.get(expected.path, 0) + 1
    node = failure.node or expected.path
    if failure.node == "" and expected.path == ENTRY_UNIT:
        node = expected.step.block
    said = Failure(
        failure.type, failure.message, failure.error_class, node, failure.traceback, failure.exception
    )
    return [Failed(expected.path, expected.attempt, said, sight.now)]


def _container_events(run: Run, sight: Sight, expected: Expected, found: Outcome) -> list[Event]:
    if found.failure is not None:
        return _unit_failed(run, sight, expected, found.failure)
    artifacts = sight.artifacts(run, expected.step, None)
    outputs, failure = results_of(run, expected.path, found.message, artifacts)
    if failure is not None:
        return _unit_failed(run, sight, expected, failure)
    return [Succeeded(expected.path, expected.attempt, outputs, sight.now)]


def _python_events(run: Run, sight: Sight, name: str, expected: Expected, found: Outcome) -> list[Event]:
    report = report_in(found.message)
    if report is not None:
        _remember_tasks(run, report.tasks)
        if report.final:
            run.told_all.add(name)
    if report is None or not report.final:
        failure = found.failure or Failure("NoReport", "its pod ended well but did not say what it came to")
        return _unit_failed(run, sight, expected, failure)
    if report.at[1]:
        run.durations[expected.path] = max(report.at[1] - report.at[0], 0.0)
    path, attempt, now = expected.path, expected.attempt, sight.now
    if report.exit_code is not None:
        return [Stopped(now, kill=True, reason="exit_pipeline()", code=report.exit_code)]
    if report.failure is not None:
        said = with_exception(report.failure)
        if found.failure is not None and found.failure.error_class is not ErrorClass.ERROR:
            said = found.failure  # the cluster knows better why it was ended
        return _unit_failed(run, sight, expected, said)
    if report.skipped:
        return [TaskSkipped(path, attempt, now)]
    if report.answer is not None:
        return [Decided(path, expected.stage, report.answer, now)]
    if report.length is not None:
        return [Sized(path, report.length, now)]
    return [Succeeded(path, attempt, report.outputs or {}, now, cached=bool(report.cached))]


def with_exception(said: Mapping[str, Any]) -> Failure:
    """The failure that a report tells of; the pickle of its exception goes along unopened."""
    return replace(failure_of(said), exception=said.get("pickle"))


def results_of(
    run: Run, path: str, message: str, artifacts: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Failure | None]:
    """The outputs in the result of a container and its artifacts, or why they cannot be had."""
    declared = {name: each for name, each in declared_outputs(run, path).items() if name not in artifacts}
    found = container_outputs(message, declared)
    if isinstance(found, Failure):
        return {}, found
    return {**found, **artifacts}, None


def _remember_tasks(run: Run, tasks: Iterable[TaskRecord]) -> None:
    for task in tasks:
        found: dict[str, Any] = {"phase": task.phase, "attempts": task.attempts}
        found["at"] = [round(task.started_at, 3), 0.0, round(task.seconds, 3)]
        if task.items is not None:
            total, succeeded, failed = task.items
            found["items"] = {"total": total, "succeeded": succeeded, "failed": failed}
        if task.error:
            kind, _, message = task.error.partition(": ")
            node = task.error_node or task.path
            found["error"] = {"type": kind, "message": message, "class": task.error_class, "node": node}
        run.records[task.path] = found
        run.touched.add(task.path)


# ---------------------------------------------------------------- maps


def items_pod_events(run: Run, sight: Sight, pod: PodView, wave: Wave) -> list[Event]:
    """What a pod of a Job says about its share of the items."""
    state = run.engine.states.get(wave.path)
    if state is None or state.items is None:
        return []
    found = outcome(pod.raw)
    if found is None:
        runs = pod.phase == "Running" and (not wave.bridged or pod.ready)
        return (
            [Started(wave.path, wave.attempt, sight.now)] if runs and start_is_news(run.engine, state) else []
        )
    share = wave.share(pod.index)
    if isinstance(state.node.kind, Map) and isinstance(state.node.kind.body, Container):
        return _container_items(run, sight, wave, pod.index, found)
    report = report_in(found.message)
    if report is None or (report.items is None and not report.failed_items):
        if found.failure is None:
            return items_failed(
                run, sight, wave, share, Failure("NoReport", "its pod did not say what it came to")
            )
        if _replaced(pod) or (wave.bridged and _was_killed(found)):
            return []
        return items_failed(run, sight, wave, share, found.failure)
    run.told_all.add(pod.job)
    return _reported_items(run, sight, wave, share, report)


def _replaced(pod: PodView) -> bool:
    """Whether the Job puts another pod in the place of this one, without counting it."""
    conditions = pod.raw["status"]["conditions"]
    return any(each["type"] == "DisruptionTarget" and each["status"] == "True" for each in conditions)


def _container_items(run: Run, sight: Sight, wave: Wave, index: int, found: Outcome) -> list[Event]:
    share = wave.share(index)
    if found.failure is not None:
        return items_failed(run, sight, wave, share, found.failure)
    artifacts = sight.artifacts(run, _by_name(run, wave), index)
    outputs, failure = results_of(run, wave.path, found.message, artifacts)
    if failure is not None:
        return items_failed(run, sight, wave, share, failure)
    if outputs:
        results = run.results.setdefault(wave.path, {})
        results.update({item: outputs for part in share for item in range(*part)})
    return [ItemsSucceeded(wave.path, tuple(share), sight.now)]


def _by_name(run: Run, wave: Wave) -> MapStep:
    """The step of a wave without its inputs, which can be long: each of its pods is asked for artifacts."""
    state = run.engine.states[wave.path]
    block, node = state.frame.plan.block.name, state.node.name
    return MapStep(wave.path, wave.attempt, block, node, {}, {}, "", 1, None, 0, wave.chunk)


def _reported_items(
    run: Run, sight: Sight, wave: Wave, share: list[Range], report: UnitReport
) -> list[Event]:
    events: list[Event] = []
    if report.results is not None:
        run.results.setdefault(wave.path, {}).update(report.results)
    done = IntervalSet.parse(report.items or "")
    if len(done):
        events.append(ItemsSucceeded(wave.path, done.ranges(), sight.now, report.cached))
    failed = IntervalSet.parse(report.failed_items)
    for index in report.failed:
        failed.add(index, index + 1)
    for index in failed:
        said = report.failed.get(index)
        failure = (
            with_exception(said)
            if said is not None
            else Failure("Error", "it failed; its log says how", node=f"{wave.path}[{index}]")
        )
        events += items_failed(run, sight, wave, [(index, index + 1)], failure)
    if report.exit_code is not None:
        events.append(Stopped(sight.now, kill=True, reason="exit_pipeline()", code=report.exit_code))
    rest = [part for part in share for part in _without(part, done, failed)]
    if rest and report.exit_code is None:
        events += items_failed(run, sight, wave, rest, _NO_ROOM)
    return events


_NO_ROOM = Failure(
    "NotReported", "its pod's report had no room for it, or ended before it", ErrorClass.INFRASTRUCTURE
)


def _without(part: Range, *others: IntervalSet) -> tuple[Range, ...]:
    left = IntervalSet([part])
    for other in others:
        for found in other.ranges():
            left.discard(*found)
    return left.ranges()


def items_failed(run: Run, sight: Sight, wave: Wave, share: Iterable[Range], failure: Failure) -> list[Event]:
    """That items have failed, all for one reason."""
    if is_oom(failure):
        run.ooms[wave.path] = max(run.ooms.get(wave.path, 0), wave.oom_retries + 1)
    events: list[Event] = []
    for part in share:
        for index in range(*part):
            node = failure.node or f"{wave.path}[{index}]"
            if isinstance(failure.exception, str):
                run.pickles.setdefault(wave.path, {})[index] = failure.exception
            said = replace(failure, node=node, exception=None)
            events.append(ItemFailed(wave.path, index, wave.attempt, said, sight.now))
    return events


def job_events(run: Run, sight: Sight, name: str, wave: Wave) -> list[Event]:
    """What a Job says that its pods do not: indexes whose pods are gone, and what it will not run any more."""
    state = run.engine.states.get(wave.path)
    if state is None or state.items is None or state.stage != "items":
        return []
    job = sight.job(name)
    running = _running_of(state, wave)
    if not running:
        return []
    if wave.detached:
        return [] if job is not None else _never_begun(sight, name, wave, running)
    if job is None:
        if not wave.seen or name in run.uncreated:
            return []
        failure = Failure("JobDeleted", "its Job was deleted by somebody else", ErrorClass.INFRASTRUCTURE)
        return items_failed(run, sight, wave, running, failure)
    wave.seen = True
    if not job.completed and not job.failed and not job.over:
        return []
    present = {pod.index for pod in sight.pods_of_job(name) if not pod.deleting or pod.ended}
    lost = _only_the_job_knows(run, sight, state, wave, job, present)
    if job.over:
        return lost + _left_over(run, sight, state, wave, job, lost, present)
    return lost


def _never_begun(sight: Sight, name: str, wave: Wave, running: list[Range]) -> list[Event]:
    """The items of a detached Job that no pod has: they come back."""
    present = {pod.index for pod in sight.pods_of_job(name)}
    left = IntervalSet(running)
    for index in present:
        for part in wave.share(index):
            left.discard(*part)
    return [ItemsReturned(wave.path, left.ranges(), sight.now)] if len(left) else []


def _running_of(state: NodeState, wave: Wave) -> list[Range]:
    assert state.items is not None
    attempts = state.items.attempts
    found = []
    for part in wave.items.ranges():
        for start, stop in state.items.running.intersection(*part):
            if not attempts:
                found.append((start, stop))
                continue
            found += [(i, i + 1) for i in range(start, stop) if attempts.get(i, 1) == wave.attempt]
    return found


def _only_the_job_knows(
    run: Run, sight: Sight, state: NodeState, wave: Wave, job: JobView, present: set[int]
) -> list[Event]:
    """Indexes that the Job counts and whose pods are not there: believed once that has lasted a while."""
    done = _absent(job.completed, present)
    failed = _absent(job.failed, present)
    if not done and not failed:
        run.unsettled.pop(job.name, None)
        return []
    since = run.unsettled.setdefault(job.name, sight.now)
    if sight.now - since < PATIENCE:
        return []
    events: list[Event] = []
    gone = Failure("ResultLost", "its pod is gone, and its result with it", ErrorClass.INFRASTRUCTURE)
    for first, last in done:
        share = wave.shares(first, last)
        if needs_results(run.engine.graph, state, has_store=sight.has_store) and declared_outputs(
            run, wave.path
        ):
            events += items_failed(run, sight, wave, share, gone)
        else:
            events.append(ItemsSucceeded(wave.path, tuple(share), sight.now))
    for first, last in failed:
        share = wave.shares(first, last)
        events += items_failed(run, sight, wave, share, gone)
    return events


def _absent(indexes: str, present: set[int]) -> list[Range]:
    if not indexes:
        return []
    absent = IntervalSet.parse(indexes)
    for part in IntervalSet.of(present).ranges():
        absent.discard(*part)
    return list(absent.ranges())


def _left_over(
    run: Run,
    sight: Sight,
    state: NodeState,
    wave: Wave,
    job: JobView,
    told: list[Event],
    present: set[int],
) -> list[Event]:
    """Items that a Job which is over never ran: it stopped because too many others failed."""
    live = {pod.index for pod in sight.pods_of_job(job.name) if not pod.ended}
    counted = IntervalSet.parse(job.completed)
    for part in IntervalSet.parse(job.failed).ranges():
        counted.add(*part)
    indexes = -(-len(wave.items) // wave.of_a_pod)
    returned: list[Range] = []
    for index in range(indexes):
        if index not in counted and index not in live:
            returned += wave.share(index)
    return [ItemsReturned(wave.path, tuple(returned), sight.now)] if returned else []
