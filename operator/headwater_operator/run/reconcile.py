"""Reconcile a run: look, decide, write down, act. All I/O of a run is here.

A run that is killed anywhere goes on from what was written down: steps are written before their objects are
created, and objects have names that say which step they are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Protocol

from headwater.engine.events import Failed, Failure
from headwater.engine.graph import ErrorClass
from headwater.engine.state import Phase
from headwater.errors import HeadwaterError

from headwater_operator.builders import CANCEL, BuildSettings, artifact_outputs, claim_object
from headwater_operator.diagnosis import Waiting, create_refused
from headwater_operator.kube.api import ApiError
from headwater_operator.kube.informer import Key
from headwater_operator.kube.queue import WorkQueue
from headwater_operator.run.accept import Acceptance, accept
from headwater_operator.run.announcing import Announcer
from headwater_operator.run.cluster import Cluster
from headwater_operator.run.ending import Ending
from headwater_operator.run.load import restored_run
from headwater_operator.run.memory import Creation, Run
from headwater_operator.run.observe import Sight
from headwater_operator.run.passes import SAY_BEGUN_AFTER, note_waiting, run_pass
from headwater_operator.run.status import cut, merge_patch, nodes_patch, run_phase, run_status, told
from headwater_operator.run.steering import allowances, steer
from headwater_operator.run.views import JobView, PodView, WorkflowView
from headwater_operator.run.waits import look_closer

logger = logging.getLogger("headwater.operator.run")

WRITE_INTERVAL = 0.5
"""Seconds between two writes of a status that nothing waits for."""

LONGEST_PAUSE = 5.0

AT_ONCE = 20
GATHER_SECONDS = 0.1
"""Of a run with more than so many things under way, what happens within this time is handled in one pass."""
GATHER_ITEMS_SECONDS = 0.5
"""The same for the pods of a Job: they follow each other without us."""


class Recorder(Protocol):
    """Who keeps records of runs."""

    def offer(self, run: Run, view: WorkflowView, *, complete: bool) -> None:
        """A run's status was written."""

    def refused(self, view: WorkflowView, why: str, at: float) -> None:
        """A Workflow was refused."""

    def stored(self, run: Run) -> bool:
        """Whether the run's last state is in the database."""

    def on_its_way(self, run: Run) -> bool:
        """Whether something of the run waits to be written."""

    def wants_all(self, run: Run) -> bool:
        """Whether the whole state is wanted once more."""

    def forget(self, uid: str) -> None:
        """A run needs nothing any more."""


class Reconciler:
    """Carries all active runs of an operator forward, one pass at a time."""

    def __init__(
        self,
        settings: BuildSettings,
        queue: WorkQueue[Key],
        recorder: Recorder | None,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.queue = queue
        self.recorder = recorder
        self.clock = clock
        self.runs: dict[Key, Run] = {}
        self.by_uid: dict[str, Run] = {}
        self.cluster: Cluster
        self.ending: Ending
        self.announcer: Announcer
        self._claims: set[str] = set()

    def attach(self, cluster: Cluster) -> None:
        """Work on this cluster."""
        self.cluster = cluster
        self.ending = Ending(cluster, self.queue, self.recorder, self.clock, self.settings)
        self.announcer = Announcer(cluster)

    # ------------------------------------------------------------ what the informers say

    def pod_changed(self, namespace: str, pod: PodView, gone: bool) -> None:
        """A pod of a run has changed."""
        run = self.by_uid.get(pod.run_uid)
        if run is not None:
            run.dirty_pods.add(pod.name)
            if pod.job and (gone or pod.ended):
                run.dirty_jobs.add(pod.job)
            self._wake(run, GATHER_ITEMS_SECONDS if pod.job else GATHER_SECONDS)

    def job_changed(self, namespace: str, job: JobView, gone: bool) -> None:
        """A Job of a run has changed."""
        run = self.by_uid.get(job.run_uid)
        if run is not None:
            run.dirty_jobs.add(job.name)
            self._wake(run)

    def _wake(self, run: Run, gather: float = GATHER_SECONDS) -> None:
        """Have a run looked at: at once, or with what else happens in a moment where much goes on in it."""
        if run.engine.running <= AT_ONCE:
            self.queue.add(run.key)
        else:
            self.queue.add_after(run.key, gather)

    # ------------------------------------------------------------ a pass

    async def reconcile(self, key: Key) -> None:
        """Carry one run forward as far as it goes now."""
        view = self.cluster.workflows.objects.get(key)
        run = self.runs.get(key)
        if run is not None and (view is None or view.uid != run.uid):
            self._drop(run)
            run = None
        if view is None:
            return
        if view.deleting or view.ended:
            if await self.ending.after(view, run) and run is not None:
                self._drop(run)
            return
        if run is None:
            run = await self._load(view)
            if run is None:
                return
        await self.ending.hold(view, run)
        latest = self.cluster.workflows.objects.get(key)
        if latest is None or latest.uid != run.uid or latest.ended or latest.deleting:
            self.queue.add(key)
        elif self._is_ours(run, latest):
            await self._pass(run, latest)
        else:
            logger.warning("%s/%s: another operator has written its status; starting over from that", *key)
            self.runs.pop(run.key, None)
            self.by_uid.pop(run.uid, None)
            self.queue.add(key)

    def _is_ours(self, run: Run, view: WorkflowView) -> bool:
        """Whether the status is what this operator has written: only then may it be written over."""
        found = view.status.get("engine") or ""
        if found == run.sent_text != run.written_text:  # written, although no answer came
            run.written = dict(view.status.get("nodes") or {})
            run.written_text, run.written_phase = found, view.status.get("phase", "")
        return bool(found == run.written_text)

    async def _load(self, view: WorkflowView) -> Run | None:
        if view.status.get("engine"):
            try:
                run = restored_run(view)
            except Exception as error:
                logger.warning("a status that cannot be read", exc_info=error, extra=_where(view))
                await self.ending.broken(view, error)
                return None
        else:
            accepted = await accept(self.cluster, view, self.settings)
            if not isinstance(accepted, Acceptance):
                await self.ending.refuse(view, accepted)
                return None
            if not await self.ending.may_start(view):
                return None
            run = accepted.run
        self.runs[run.key] = run
        self.by_uid[run.uid] = run
        word = "taken over" if run.engine.root is not None else "started"
        logger.info("run %s", word, extra=_where(view))
        self._look_at_all(run)
        return run

    def _look_at_all(self, run: Run) -> None:
        """Look at every pod for what happened while nobody did; what does not belong here any more is to go."""
        for pod in self.cluster.pods_of_run(run.uid):
            run.dirty_pods.add(pod.name)
            if pod.name not in run.expected and not pod.job and pod.stage != CANCEL:
                run.doomed[pod.name] = "Pod"
        for (namespace, name), job in self.cluster.jobs.objects.items():
            if job.run_uid == run.uid and namespace == run.key[0] and name not in run.jobs:
                run.doomed[name] = "Job"

    async def _pass(self, run: Run, view: WorkflowView) -> None:
        run_pass(run, view, self._sight(run), self.settings)
        await look_closer(run, self.cluster, self.clock())
        self.announcer.announce(run, self.clock())
        if not await self._write(run, view):
            return
        await self._act(run)
        if self.recorder is not None and self.recorder.wants_all(run):
            self.recorder.offer(run, view, complete=True)
        self._come_again(run)

    def _sight(self, run: Run) -> Sight:
        namespace, cluster = run.key[0], self.cluster

        def artifacts(run: Run, step: Any, index: int | None) -> Mapping[str, Any]:
            return artifact_outputs(run.context, self.settings, step, index)

        return Sight(
            lambda name: cluster.pod(namespace, name),
            lambda name: cluster.job(namespace, name),
            lambda name: cluster.pods_of_job(namespace, name),
            artifacts,
            self.clock(),
            bool(self.settings.store.url),
        )

    def _drop(self, run: Run) -> None:
        if self.ending.holds_on(run):
            self.queue.add_after(run.key, 1.0)
            return
        self.runs.pop(run.key, None)
        self.by_uid.pop(run.uid, None)
        self.cluster.forget_run(run.uid)
        if self.recorder is not None:
            self.recorder.forget(run.uid)

    # ------------------------------------------------------------ write down

    async def _write(self, run: Run, view: WorkflowView) -> bool:
        """Write the status if it is time to; whether what is to be done may be done now."""
        nodes = nodes_patch(run, run.changed.values())
        now = self.clock()
        due = (name for name, each in run.uncreated.items() if each.not_before <= now)
        waiting = any(name not in run.created for name in due) or any(
            self.cluster.is_live(kind, run.key[0], name) for name, kind in run.doomed.items()
        )
        phase = run_phase(run)
        news = bool(nodes) or waiting or phase != run.written_phase or run.engine.ended
        if not news:
            return True
        since = self.clock() - run.written_at
        # A large status costs the API server much, so it is written the less often the longer that takes.
        pause = run.write_seconds if waiting else max(WRITE_INTERVAL, 20 * run.write_seconds)
        if since < min(pause, LONGEST_PAUSE) and not run.engine.ended:
            self.queue.add_after(run.key, min(pause, LONGEST_PAUSE) - since)
            return not waiting
        run.version += 1
        status = run_status(
            run, mirrored=None if self.recorder is None else False, generation=view.generation
        )
        if run.engine.ended and self.ending.nothing_left(view):
            status["settled"] = "true"
        run.sent_text = status["engine"]
        status["nodes"] = {
            path: None if found is None else merge_patch(run.written.get(path) or {}, found)
            for path, found in nodes.items()
        }
        return await self._patch(run, view, status, nodes)

    async def _patch(
        self, run: Run, view: WorkflowView, status: dict[str, Any], nodes: Mapping[str, Any]
    ) -> bool:
        began = self.clock()
        try:
            written = await self.cluster.patch_status(view, status)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            # Somebody else has changed it: a person its spec, another operator its status; or it is gone.
            await self.cluster.read_again(view)
            self.queue.add_after(run.key, 0.01 if error.status == 409 else 1.0)
            return False
        run.written_at = self.clock()
        run.write_seconds = run.written_at - began
        run.written_text = status["engine"]
        run.written_phase = status["phase"]
        for path, found in nodes.items():
            if found is None:
                run.written.pop(path, None)
            else:
                run.written[path] = found
        self._log(run, status["message"])
        if self.recorder is not None:
            self.recorder.offer(run, written, complete=run.engine.ended)
        run.changed.clear()
        run.touched.clear()
        run.heard.clear()
        return True

    def _log(self, run: Run, message: str) -> None:
        namespace, name = run.key
        where = {"run": name, "namespace": namespace}
        for state in run.changed.values():
            if state.phase is Phase.FAILED and state.failure is not None and not state.children:
                logger.info("failed: %s", cut(told(state.failure)), extra={**where, "node": state.path})
        if run.engine.ended:
            seconds = self.clock() - run.started_at
            logger.info("%s after %.1f s %s", run.engine.phase, seconds, message, extra=where)

    # ------------------------------------------------------------ act

    async def _act(self, run: Run) -> None:
        now = self.clock()
        due = [(name, each) for name, each in run.uncreated.items() if each.not_before <= now]
        deletions = [self._delete(run, kind, name) for name, kind in run.doomed.items()]
        creations = [self._create(run, name, each) for name, each in due]
        allowed = allowances(self.cluster, run)
        changes = [steer(self.cluster, run, name, wave, allowed[name]) for name, wave in run.jobs.items()]
        cancelling = self.ending.cancel_jobs(run)
        for outcome in await asyncio.gather(
            *deletions, *creations, *changes, cancelling, return_exceptions=True
        ):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _delete(self, run: Run, kind: str, name: str) -> None:
        if self.cluster.is_live(kind, run.key[0], name) or name in run.expected:
            await self.cluster.delete(kind, run.key[0], name)
        run.doomed.pop(name, None)

    async def _create(self, run: Run, name: str, creation: Creation) -> None:
        """Create the objects of a step; what the server refuses is a wait or a failure of the node."""
        run.created.add(name)
        try:
            await self._need_claim(run, creation)
            for obj in creation.objects:
                await self.cluster.create(self._in_its_place(run, name, obj))
        except ApiError as error:
            if error.status == 0 or error.status >= 500:
                run.created.discard(name)
                raise
            self._refused(run, name, creation, error)
            return
        run.uncreated.pop(name, None)
        note_waiting(run, creation.path, None)
        if self.cluster.pod(run.key[0], name) is None and creation.objects[-1]["kind"] == "Pod":
            run.dirty_pods.add(name)
            self.queue.add(run.key)

    def _in_its_place(self, run: Run, name: str, obj: dict[str, Any]) -> dict[str, Any]:
        """A Job begins with as many pods as it may have beside all else of its run."""
        wave = run.jobs.get(name)
        if wave is None or wave.bridged or obj["kind"] != "Job":
            return obj
        wave.given = allowances(self.cluster, run)[name]
        return {**obj, "spec": {**obj["spec"], "parallelism": wave.given}}

    def _refused(self, run: Run, name: str, creation: Creation, error: ApiError) -> None:
        run.created.discard(name)
        said = create_refused(error.status, error.body)
        if isinstance(said, Waiting):
            creation.tries += 1
            creation.not_before = self.clock() + min(0.5 * 2**creation.tries, 30.0)
            note_waiting(run, creation.path, said.text)
        else:
            failure = Failure(said.type, said.message, ErrorClass.INVALID, creation.path)
            run.uncreated.pop(name, None)
            run.inbox.append(Failed(creation.path, creation.attempt, failure, self.clock()))
        self.queue.add_after(run.key, max(creation.not_before - self.clock(), 0.01))

    async def _need_claim(self, run: Run, creation: Creation) -> None:
        """The claim of the store is made when the first pod of a namespace needs it."""
        store, namespace = self.settings.store, run.key[0]
        if not store.claim or namespace in self._claims or store.claim not in str(creation.objects[-1]):
            return
        await self.cluster.create(claim_object(self.settings, namespace))
        self._claims.add(namespace)

    # ------------------------------------------------------------ come again

    def _come_again(self, run: Run) -> None:
        now = self.clock()
        dates = [*run.timers.values(), *run.release_at.values()] if run.held else list(run.timers.values())
        dates += [each.not_before for each in run.uncreated.values()]
        dates += [since + 5.0 for since in run.unsettled.values()]
        dates += [since + SAY_BEGUN_AFTER for since in islice(run.begun.values(), 1)]
        if dates:
            self.queue.add_after(run.key, max(min(dates) - now, 0.01))
        pending = len(run.expected) - len(run.started_pods)
        idle_jobs = any(
            wave.path in run.waiting or not self.cluster.job_pods.get((run.key[0], name))
            for name, wave in run.jobs.items()
        )
        if (pending > 0 or idle_jobs) and not run.engine.ended:
            self.queue.add_after(run.key, 10.0)

    def trouble(self, key: Key, error: Exception) -> None:
        """A pass has failed: try again later, and let nobody wait without knowing why."""
        run = self.runs.get(key)
        where = {"run": key[1], "namespace": key[0]}
        if isinstance(error, HeadwaterError):
            logger.warning("%s; trying again", error, extra=where)
        else:
            logger.error("a defect of Headwater: please report it", exc_info=error, extra=where)
            if run is not None:
                self.runs.pop(key, None)
                self.by_uid.pop(run.uid, None)

    async def tell_trouble(self, key: Key, error: Exception) -> None:
        """Passes fail one after the other: whoever looks at the run is to see why it does not go on."""
        view = self.cluster.workflows.objects.get(key)
        if view is None or view.ended:
            return
        whose = "" if isinstance(error, HeadwaterError) else ", a defect of Headwater (please report it)"
        message = cut(f"the operator cannot go on with this run{whose}: {type(error).__name__}: {error}")
        try:
            await self.cluster.patch_status(view, {"message": message})
        except ApiError as another:
            logger.warning(
                "cannot tell so in its status: %s", another, extra={"run": key[1], "namespace": key[0]}
            )


def _where(view: WorkflowView) -> dict[str, str]:
    return {"run": view.name, "namespace": view.namespace}
