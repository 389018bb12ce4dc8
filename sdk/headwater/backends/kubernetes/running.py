"""A run in a cluster from start to end, as `backends.run` sees it: submit, follow, give back the result."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from headwater.backends.kubernetes import OPTIONS
from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.control import change
from headwater.backends.kubernetes.following import Changes, outline, states_of
from headwater.backends.kubernetes.interrupts import FollowingInterrupted, Signals
from headwater.backends.kubernetes.login import Place
from headwater.backends.kubernetes.outcome import has_ended, nodes_of, started_at
from headwater.backends.kubernetes.recording import Record, target_of
from headwater.backends.kubernetes.results import result_of
from headwater.backends.kubernetes.submission import OVERWRITE_CACHE, Submission, prepare, submit
from headwater.backends.kubernetes.unseen import Unseen
from headwater.backends.observers import Observers
from headwater.backends.result import RunResult
from headwater.backends.signals import RunInterrupted
from headwater.blocks.compile import Compiled
from headwater.errors import UsageError
from headwater.records import RunInfo

logger = logging.getLogger("headwater")
CANCEL_SECONDS = 9.0
"""How long a cancelled run may take to end before its result is given as it is."""


def run_in_cluster(
    compiled: Compiled,
    inputs: Mapping[str, object],
    *,
    name: str | None,
    observers: Sequence[object],
    record: bool,
    overwrite_cache: bool,
    resumed_from: str | None,
    options: Mapping[str, str | None],
) -> RunResult:
    """Submit, follow to the end, and give back the result; see `run_document`."""
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise UsageError(
            f"unknown option of `kubernetes`: {', '.join(unknown)}", fix=f"Options: {', '.join(OPTIONS)}."
        )
    cluster = Cluster(
        Place(options.get("kubeconfig") or "", options.get("context") or "", options.get("namespace") or "")
    )
    submission = prepare(compiled, inputs, image=options.get("image"), store=options.get("store"))
    submission = _named(submission, name, overwrite_cache)
    with Signals() as signals:
        workflow = submit(cluster, submission)
        kept: Record | None = None
        if record:
            kept = Record(
                compiled,
                inputs,
                target_of(cluster, workflow),
                {**compiled.document, "spec": dict(submission.spec)},
                name=name or compiled.name,
                resumed_from=resumed_from,
            )
        return _Session(cluster, workflow, Observers(observers), kept, signals).run(name or compiled.name)


def _named(submission: Submission, name: str | None, overwrite_cache: bool) -> Submission:
    annotations = {**submission.annotations, **({OVERWRITE_CACHE: "true"} if overwrite_cache else {})}
    return Submission(
        name or submission.workflow, submission.spec, submission.bundle, submission.image, annotations
    )


class _Session:
    def __init__(
        self, cluster: Cluster, workflow: Json, observers: Observers, record: Record | None, signals: Signals
    ) -> None:
        self.cluster = cluster
        self.workflow = workflow
        self.name: str = workflow["metadata"]["name"]
        self.observers = observers
        self.record = record
        self.signals = signals
        self.run_id = record.info.run_id if record is not None else self.name

    def run(self, title: str) -> RunResult:
        info = self.record.info if self.record else RunInfo(self.name, title, "kubernetes")
        self.observers.begin(info, outline(self.workflow), None)
        changes = Changes(self.run_id, self.observers, self.record)
        result: RunResult | None = None
        try:
            self._follow(changes)
            result = self._result()
        finally:
            # Whatever broke here, no record may stay `Running`; the run in the cluster goes on.
            self._finish(result or self._lost())
        if self.signals.signum is not None:
            raise RunInterrupted(self.signals.signum, result)
        return result

    def _follow(self, changes: Changes) -> None:
        try:
            self.signals.arm()
            with Unseen(self.cluster, self._tell) as unseen:
                for workflow in states_of(self.cluster, self.name):
                    self.workflow = workflow
                    unseen.see(workflow)
                    changes.see(workflow)
                    self.signals.check()
        except FollowingInterrupted:
            self._cancel(changes)
        finally:
            self.signals.disarm()

    def _tell(self, text: str) -> None:
        if self.observers.present:
            self.observers.note(text)
        else:
            logger.warning("%s: %s", self.name, text)

    def _cancel(self, changes: Changes) -> None:
        deadline = time.monotonic() + CANCEL_SECONDS
        with suppress(UsageError):  # it has just ended
            change(self.cluster, self.name, "cancel")
        while not has_ended(self.workflow) and time.monotonic() < deadline:
            self.workflow = self.cluster.get(self.cluster.own("workflows", self.name))
            changes.see(self.workflow)
            time.sleep(0.2)

    def _result(self) -> RunResult:
        found = result_of(self.workflow, self.cluster, self.run_id)
        if has_ended(self.workflow):
            return found
        return RunResult(
            found.run_id, "Cancelled", {}, found.nodes, found.error, found.started_at, time.time(), None
        )

    def _lost(self) -> RunResult:
        nodes = nodes_of(self.workflow)
        return RunResult(self.run_id, "Lost", {}, nodes, None, started_at(self.workflow), time.time())

    def _finish(self, result: RunResult) -> None:
        if self.record is not None:
            self.record.finish(result)
        self.observers.finish(result)
