"""Between the reconciler and the mirror: which state of which run is offered, and which is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from headwater.document.unit import TaskRecord

from headwater_operator.diagnosis import seconds
from headwater_operator.kube.informer import Key
from headwater_operator.kube.queue import WorkQueue
from headwater_operator.mirror import Mirror, RunChange, RunMeta, change_of
from headwater_operator.run.accept import RESUMES
from headwater_operator.run.graph import encoded_arguments
from headwater_operator.run.memory import Run
from headwater_operator.run.status import run_phase
from headwater_operator.run.views import WorkflowView

USER = "headwater.dev/user"


class MirrorRecorder:
    """Keeps records of runs in a database, and knows what is in it already."""

    def __init__(self, url: str, queue: WorkQueue[Key], clock: Callable[[], float], target: str) -> None:
        self.mirror = Mirror(url, clock=clock, on_stored=self._stored, on_wanted=self._wanted)
        self._queue = queue
        self._target = target
        self._keys: dict[str, Key] = {}
        self._metas: dict[str, RunMeta] = {}
        self._in_database: dict[str, int] = {}
        self._wants_all: set[str] = set()

    @property
    def health(self) -> str:
        """How the database fares, in words."""
        return self.mirror.health()[1]

    def offer(self, run: Run, view: WorkflowView, *, complete: bool) -> None:
        """A run's status was written: mirror what has changed in it."""
        first = run.uid not in self._metas
        everything = complete or first or run.uid in self._wants_all
        self._wants_all.discard(run.uid)
        self._keys[run.uid] = run.key
        events, run.heard = run.heard, []
        change = change_of(
            run.engine,
            self._meta(view, run),
            run.version,
            None if everything else list(run.changed.values()),
            events=events,
            fused=[
                _record(path, run)
                for path in (run.records if everything else run.touched & run.records.keys())
            ],
            phase=run_phase(run),
            message=view.status.get("message") or "",
            started_at=run.started_at,
            waiting=run.waiting,
        )
        self.mirror.offer(change)

    def refused(self, view: WorkflowView, why: str, at: float) -> None:
        """A Workflow was refused: that is all there is to know of it."""
        meta = RunMeta(
            view.uid, view.name, view.namespace, seconds(view.created_at) or 0.0, target=self._target
        )
        self.mirror.offer(RunChange(meta, 1, "Failed", why, at, at, complete=True))

    def stored(self, run: Run) -> bool:
        """Whether the run's last state is in the database."""
        return self._in_database.get(run.uid, -1) >= run.version

    def on_its_way(self, run: Run) -> bool:
        """Whether something of the run waits to be written."""
        return not self.mirror.is_stored(run.uid)

    def wants_all(self, run: Run) -> bool:
        """Whether changes had to be let go, so that only the whole state will do."""
        return run.uid in self._wants_all

    def forget(self, uid: str) -> None:
        """A run needs nothing any more."""
        for known in (self._keys, self._metas, self._in_database):
            known.pop(uid, None)
        self._wants_all.discard(uid)
        self.mirror.forget(uid)

    def _meta(self, view: WorkflowView, run: Run) -> RunMeta:
        known = self._metas.get(run.uid)
        if known is None:
            document = {
                "apiVersion": "headwater.dev/v1alpha1",
                "kind": "Workflow",
                "metadata": {"name": view.name},
                "spec": run.spec,
            }
            known = self._metas[run.uid] = RunMeta(
                run.uid,
                view.name,
                view.namespace,
                seconds(view.created_at) or 0.0,
                document,
                encoded_arguments(run.spec),
                labels=view.labels,
                project=view.labels.get("headwater.dev/project"),
                target=self._target,
                user=view.annotations.get(USER, ""),
                resumed_from=view.annotations.get(RESUMES),
            )
        return known

    def _stored(self, run_id: str, version: int) -> None:
        self._in_database[run_id] = max(version, self._in_database.get(run_id, -1))
        key = self._keys.get(run_id)
        if key is not None:
            self._queue.add(key)

    def _wanted(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            self._wants_all.add(run_id)
            key = self._keys.get(run_id)
            if key is not None:
                self._queue.add(key)


def _record(path: str, run: Run) -> TaskRecord:
    found = run.records[path]
    times = found.get("at") or [0.0, 0.0, 0.0]
    items = found.get("items")
    return TaskRecord(
        path,
        found["phase"],
        found.get("attempts", 0),
        times[0],
        times[2],
        _error_text(found.get("error")),
        (items["total"], items["succeeded"], items["failed"]) if items else None,
    )


def _error_text(error: Mapping[str, str] | None) -> str:
    return "" if not error else f"{error.get('type', 'Error')}: {error['message']}"
