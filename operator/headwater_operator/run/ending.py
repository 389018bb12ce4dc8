"""What stands before a run's first pass and after its last: locks, refusals, the finalizer, records, time to live."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headwater.engine.events import Stopped

from headwater_operator.builders import BuildSettings
from headwater_operator.diagnosis import seconds
from headwater_operator.kube.api import ApiError
from headwater_operator.kube.informer import Key
from headwater_operator.kube.queue import WorkQueue
from headwater_operator.run.cancelling import all_cancelled, cancel_jobs, let_go
from headwater_operator.run.cluster import Cluster, workflow_path
from headwater_operator.run.load import restored_run
from headwater_operator.run.memory import Run
from headwater_operator.run.status import cut, iso
from headwater_operator.run.views import WorkflowView

if TYPE_CHECKING:
    from headwater_operator.run.reconcile import Recorder

logger = logging.getLogger("headwater.operator.run")

FINALIZER = "headwater.dev/mirror"
SLURM_FINALIZER = "headwater.dev/slurm"
RECORD_POLL = 1.0
CANCEL_POLL = 1.0
_OURS = frozenset({FINALIZER, SLURM_FINALIZER})


class Ending:
    """The first and the last word on a run."""

    def __init__(
        self,
        cluster: Cluster,
        queue: WorkQueue[Key],
        recorder: Recorder | None,
        clock: Callable[[], float],
        settings: BuildSettings,
    ) -> None:
        self.cluster = cluster
        self.queue = queue
        self.recorder = recorder
        self.clock = clock
        self.settings = settings
        self._granted: dict[str, tuple[tuple[str, str, str], str]] = {}
        self._fenced: set[tuple[str, str, str]] = set()
        self._fencing: set[tuple[str, str, str]] = set()

    # ------------------------------------------------------------ before

    async def refuse(self, view: WorkflowView, why: str) -> None:
        """The Workflow cannot run: say so, and create nothing."""
        now = iso(self.clock())
        status = {
            "phase": "Failed",
            "reason": "InvalidSpec",
            "message": cut(why, 4000),
            "startedAt": now,
            "finishedAt": now,
            "observedGeneration": view.generation,
            "conditions": [
                {"type": "Accepted", "status": "False", "reason": "InvalidSpec", "message": cut(why, 1000),
                 "lastTransitionTime": now}
            ],
        }  # fmt: skip
        if view.spec.get("ttlSecondsAfterFinished") is None:
            status["settled"] = "true"
        if self.recorder is not None:
            self.recorder.refused(view, why, self.clock())
        await self._try_status(view, status)

    async def broken(self, view: WorkflowView, error: Exception) -> None:
        """The status is not what an operator has written: nobody can go on from it."""
        now = iso(self.clock())
        why = f"its status cannot be read ({type(error).__name__}: {error}); has somebody changed it? "
        status: dict[str, object] = {
            "phase": "Failed", "reason": "BrokenStatus", "message": cut(why + "Submit the workflow anew."),
            "finishedAt": now, "engine": None,
        }  # fmt: skip
        if self.recorder is not None:
            self.recorder.refused(view, str(status["message"]), self.clock())
        await self._try_status(view, status)

    async def may_start(self, view: WorkflowView) -> bool:
        """Whether a run has its turn: it may wait for a mutex or a semaphore, unless it is to end before it began."""
        if view.spec.get("terminate"):
            return True
        holders, first = self._lock(view)
        if holders is None:
            return True
        if first and len(holders) < _limit(view):
            if not await self._is_fenced(view, len(holders)):
                self.queue.add_after((view.namespace, view.name), 0.05)
                return False
            self._grant(view)
            return True
        message = _waits_for(view) + (f", held by {', '.join(holders[:3])}" if holders else "")
        if view.status.get("message") != message:
            await self._tell_to_wait(view, message)
        self.queue.add_after((view.namespace, view.name), 5.0)
        return False

    async def _tell_to_wait(self, view: WorkflowView, message: str) -> bool:
        return await self._try_status(view, {"phase": "Pending", "reason": "Waiting", "message": message})

    async def _is_fenced(self, view: WorkflowView, holders: int) -> bool:
        """Whether nobody but who is known can have the lock of a run, so that it may be given to the run now.

        An operator before this one may have given it to a run and died with that write under way. So before a lock is
        given for the first time, all who could have it are written to, where there are more than it has room for:
        what is under way is for an older version then, and refused.
        """
        lock = _lock_of(view)
        if lock is None or lock in self._fenced:
            return True
        rivals = [
            other for other in self.cluster.workflows.objects.values()
            if other.uid != view.uid and _lock_of(other) == lock and not other.ended
            and not other.status.get("engine") and other.uid not in self._granted
        ]  # fmt: skip
        if holders + len(rivals) < _limit(view):
            return True
        if lock in self._fencing:
            return False
        self._fencing.add(lock)
        try:
            asked = f"asked again at {datetime.fromtimestamp(self.clock(), UTC).isoformat()}"
            written = [await self._tell_to_wait(other, f"{_waits_for(other)}, {asked}") for other in rivals]
        finally:
            self._fencing.discard(lock)
        if all(written):
            self._fenced.add(lock)
        return False  # whoever has come first meanwhile is seen at the next look

    def _lock(self, view: WorkflowView) -> tuple[list[str] | None, bool]:
        """Who holds the lock that a run needs (None: it needs none), and whether the run is the next."""
        lock = _lock_of(view)
        if lock is None:
            return None, True
        waiting: list[tuple[int, str, str]] = []
        alive: set[str] = set()
        for other in self.cluster.workflows.objects.values():
            if _lock_of(other) != lock or other.ended:
                continue
            if other.status.get("engine") or (other.uid in self._granted and other.uid != view.uid):
                self._grant(other)
                alive.add(other.uid)
            elif not other.deleting:
                waiting.append((-(other.spec.get("priority") or 0), other.created_at, other.name))
        holders = self._holders(lock, alive)
        room = _limit(view) - len(holders)
        return sorted(holders), view.name in [name for *_, name in sorted(waiting)[: max(room, 0)]]

    def _grant(self, view: WorkflowView) -> None:
        """Remember who has a lock: before its status says so, and until the last of its pods has gone."""
        lock = _lock_of(view)
        if lock is not None:
            self._granted[view.uid] = (lock, view.name)

    def holds_on(self, run: Run) -> bool:
        """Whether a run that is over, or gone, still has a lock: until then its pods are to be seen."""
        return run.uid in self._granted and self._has_pods(run.uid)

    def _has_pods(self, uid: str) -> bool:
        return any(not pod.ended for pod in self.cluster.pods_of_run(uid))

    def _holders(self, lock: tuple[str, str, str], alive: set[str]) -> list[str]:
        found = []
        for uid, (held, name) in list(self._granted.items()):
            if held != lock:
                continue
            if uid in alive or self._has_pods(uid):
                found.append(name)
            else:
                del self._granted[uid]
        return found

    def wake_waiting(self, view: WorkflowView) -> None:
        """A run that held a lock is over: whoever waits for it looks again."""
        lock = _lock_of(view)
        if lock is not None:
            for key, other in self.cluster.workflows.objects.items():
                if not other.ended and _lock_of(other) == lock:
                    self.queue.add(key)

    async def hold(self, view: WorkflowView, run: Run) -> None:
        """Keep the Workflow from going before its last state is stored, and its Slurm jobs are cancelled."""
        wanted = [FINALIZER] if self.recorder is not None else []
        wanted += [SLURM_FINALIZER] if run.context.slurm else []
        missing = [name for name in wanted if name not in view.finalizers]
        if missing:
            await self._try(
                self.cluster.patch_metadata(view, {"finalizers": [*view.finalizers, *missing]}), view
            )

    async def cancel_jobs(self, run: Run) -> None:
        """Cancel the Slurm jobs that the run does not wait for any more."""
        await cancel_jobs(self.cluster, self.settings, run)

    # ------------------------------------------------------------ after

    def nothing_left(self, view: WorkflowView) -> bool:
        """Whether nothing has to be done for a run that has just ended."""
        if self.recorder is not None or view.spec.get("ttlSecondsAfterFinished") is not None:
            return False
        if SLURM_FINALIZER in view.finalizers:
            return False
        return next(self.cluster.live_objects(view.namespace, view.uid), None) is None

    async def after(self, view: WorkflowView, run: Run | None) -> bool:
        """Carry a run that has ended, or is being deleted, to its end; whether it can be forgotten."""
        for kind, name in list(self.cluster.live_objects(view.namespace, view.uid)):
            await self.cluster.delete(kind, view.namespace, name)
        if view.ended:
            self.wake_waiting(view)
        if SLURM_FINALIZER in view.finalizers and not await self._jobs_cancelled(view, run):
            self.queue.add_after((view.namespace, view.name), CANCEL_POLL)
            return False
        if self.recorder is not None and not self._recorded(view, run, self.recorder):
            self.queue.add_after((view.namespace, view.name), RECORD_POLL)
            return False
        if not _OURS.isdisjoint(view.finalizers):
            kept = [name for name in view.finalizers if name not in _OURS]
            await self._try(self.cluster.patch_metadata(view, {"finalizers": kept or None}), view)
            return False  # the change brings it here again
        if view.deleting:
            return True
        ttl = view.spec.get("ttlSecondsAfterFinished")
        left = None if ttl is None else _finished_at(view) + ttl - self.clock()
        if left is not None and left <= 0:
            await self.cluster.api.delete(workflow_path(view.namespace, view.name))
            return True
        await self._settle(view, left)
        return True

    async def _settle(self, view: WorkflowView, left: float | None) -> None:
        """Say that nothing has to be done any more, or come back when its time to live is over."""
        status: dict[str, object] = {}
        if self.recorder is not None and not _is_mirrored(view):
            status["conditions"] = _mirrored(view, self.clock())
        if left is None and view.status.get("settled") != "true":
            status["settled"] = "true"
        if status:
            await self._try(self.cluster.patch_status(view, status), view)
        if left is not None:
            self.queue.add_after((view.namespace, view.name), min(left, 3600.0))

    async def _jobs_cancelled(self, view: WorkflowView, run: Run | None) -> bool:
        """Whether nothing of a run is left on Slurm; has it cancelled where there is."""
        if not view.status.get("engine"):
            return True
        if run is None:
            run = restored_run(view)
        let_go(run)
        await self.cancel_jobs(run)
        return all_cancelled(self.cluster, run)

    def _recorded(self, view: WorkflowView, run: Run | None, recorder: Recorder) -> bool:
        """Whether the last state of a run is stored; offers it where nobody has yet."""
        if _is_mirrored(view) or not view.status.get("engine"):
            return True
        if run is None:
            run = restored_run(view)
        if view.deleting and not run.engine.ended:
            _cancel(run, self.clock())
        if recorder.stored(run):
            return True
        if not recorder.on_its_way(run) or recorder.wants_all(run):
            recorder.offer(run, view, complete=True)
        return False

    async def _try_status(self, view: WorkflowView, status: dict[str, object]) -> bool:
        return await self._try(self.cluster.patch_status(view, status), view)

    async def _try(self, call: Awaitable[object], view: WorkflowView) -> bool:
        """Whether a Workflow could be changed; one that has changed meanwhile is looked at again."""
        try:
            await call
        except ApiError as error:
            if error.status == 409:
                await self.cluster.read_again(view)
                self.queue.add((view.namespace, view.name))
            elif error.status != 404:
                raise
            return error.status == 404
        return True


def _cancel(run: Run, now: float) -> None:
    """End a run whose Workflow is being deleted, without its `onExit`."""
    engine = run.engine
    engine.graph = replace(engine.graph, policy=replace(engine.graph.policy, on_exit=None))
    engine.handle(Stopped(now, kill=True, reason="its Workflow was deleted"))
    run.version += 1


def _waits_for(view: WorkflowView) -> str:
    sync = view.spec["synchronization"]
    kind = "mutex" if "mutex" in sync else "semaphore"
    return f"waits for {kind} {sync.get('mutex') or sync['semaphore']['name']!r}"


def _is_mirrored(view: WorkflowView) -> bool:
    conditions = view.status.get("conditions") or ()
    return any(each["type"] == "Mirrored" and each["status"] == "True" for each in conditions)


def _mirrored(view: WorkflowView, now: float) -> list[dict[str, object]]:
    kept = [each for each in view.status.get("conditions") or () if each["type"] != "Mirrored"]
    mirrored = {
        "type": "Mirrored", "status": "True", "reason": "Stored", "message": "", "lastTransitionTime": iso(now),
    }  # fmt: skip
    return [*kept, mirrored]


def _lock_of(view: WorkflowView) -> tuple[str, str, str] | None:
    sync = view.spec.get("synchronization")
    if not sync:
        return None
    if "mutex" in sync:
        return (view.namespace, "mutex", sync["mutex"])
    return (view.namespace, "semaphore", sync["semaphore"]["name"])


def _limit(view: WorkflowView) -> int:
    semaphore = view.spec["synchronization"].get("semaphore")
    return int(semaphore["limit"]) if semaphore else 1


def _finished_at(view: WorkflowView) -> float:
    return seconds(view.status.get("finishedAt") or view.created_at) or 0.0
