"""The record that this machine keeps of a run in a cluster, so that `flowctl list` and `show` know it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.login import Place
from headwater.backends.result import ItemCounts, NodeRecord, RunError, RunResult
from headwater.backends.tracking import Encoder
from headwater.blocks.compile import Compiled
from headwater.configuration import config, database_url, masked, plain, state_dir
from headwater.configuration.masking import scrubbed, secret_values
from headwater.engine.events import Failure
from headwater.engine.intervals import IntervalSet
from headwater.errors import UsageError
from headwater.records import Recorder, RunInfo, new_run_id
from headwater.records.model import Run

BACKEND = "kubernetes"
_ENDED = frozenset({"Succeeded", "Failed", "Skipped", "Cached", "Cancelled", "Lost"})


def target_of(cluster: Cluster, workflow: Json) -> str:
    """How the record says where the run is: CONTEXT/NAMESPACE/NAME."""
    where = cluster.login.context or cluster.server
    return f"{where}/{workflow['metadata']['namespace']}/{workflow['metadata']['name']}"


def place_of(run: Run) -> tuple[Place, str]:
    """Where a recorded run is, and its name there: as `target_of` wrote it, or as the operator did.

    The operator records the namespace by itself; the kubeconfig in force then leads to the cluster.

    Raises:
        UsageError: the record does not say it.
    """
    if run.namespace:
        return Place(namespace=run.namespace), run.name
    try:
        context, namespace, name = run.target.rsplit("/", 2)  # a context may have slashes in it
    except ValueError:
        raise UsageError(f"the record of {run.run_id} does not say in which cluster it is") from None
    return Place(context="" if "://" in context else context, namespace=namespace), name


class Record:
    """Keeps what is seen of a run. With `record` false it only gives the run a name."""

    def __init__(
        self,
        compiled: Compiled,
        inputs: Mapping[str, object],
        target: str,
        document: Mapping[str, Any],
        *,
        name: str,
        resumed_from: str | None,
    ) -> None:
        self._encoder = Encoder(str(state_dir() / "artifacts"))
        self._secrets = secret_values(config)
        self._started: set[tuple[str, int]] = set()
        self._maps: dict[str, tuple[str, str]] = {}
        self.info = RunInfo(
            new_run_id(),
            name,
            BACKEND,
            target,
            _shown_document(document),
            self._encoder.all(inputs) or {},
            masked(plain(config)),
            {},
            time.time(),
            resumed_from,
        )
        self._recorder = Recorder(database_url(), self.info)

    def node(self, path: str, record: NodeRecord, kind: str, ref: str) -> None:
        """A node has changed. How a map ended is written at the end, with its items: they have to come before."""
        if record.items is not None and record.phase in _ENDED:
            self._maps[path] = (kind, ref)
        else:
            self._write(path, record, kind, ref)

    def _write(self, path: str, record: NodeRecord, kind: str, ref: str) -> None:
        recorder, phase = self._recorder, record.phase
        at = (record.finished_at if phase in _ENDED else record.started_at) or time.time()
        failure = self._failure(record.error)
        if record.items is not None:
            self._items(path, record.items, at)
        recorder.node_changed(
            path,
            phase,
            record.attempts,
            at,
            kind=kind,
            ref=ref,
            error=failure if phase == "Failed" else None,
            message=scrubbed(record.message, self._secrets),
            started_at=record.started_at,
        )
        if record.attempts and phase == "Running" and (path, record.attempts) not in self._started:
            self._started.add((path, record.attempts))
            recorder.attempt_started(path, record.attempts, at)
        elif record.attempts and phase in _ENDED:
            recorder.attempt_ended(path, record.attempts, at, phase, failure)

    def _items(self, path: str, items: ItemCounts, at: float) -> None:
        if (path, 0) not in self._started:
            self._started.add((path, 0))
            self._recorder.map_sized(path, items.total, at)

    def _failure(self, error: RunError | None) -> Failure | None:
        if error is None:
            return None
        found = error.as_failure()
        return Failure(
            found.type,
            scrubbed(found.message, self._secrets),
            found.error_class,
            found.node,
            scrubbed(found.traceback, self._secrets),
        )

    def finish(self, result: RunResult) -> None:
        """Write the end."""
        for path, record in result.nodes.items():
            if path in self._maps and record.items is not None:
                self._items(path, record.items, record.started_at or result.started_at)
                self._finish_items(path, record.items, record.finished_at or result.finished_at)
                self._write(path, record, *self._maps[path])
        self._recorder.run_finished(
            result.phase,
            finished_at=result.finished_at,
            error=self._failure(result.error),
            outputs=self._encoder.all(result.outputs),
            exit_code=result.exit_code,
            message=scrubbed(str(result.error), self._secrets) if result.error is not None else "",
        )
        self._recorder.close()

    def _finish_items(self, path: str, items: ItemCounts, at: float) -> None:
        done = IntervalSet([(0, items.total)])
        for index, error in items.failures.items():
            done.discard(index, index + 1)
            failure = self._failure(error)
            assert failure is not None
            self._recorder.item_failed(path, index, 1, failure, at)
        if len(done) == items.succeeded and items.succeeded:
            self._recorder.items_done(path, tuple(done.ranges()), None, at, cached=items.cached)


def _shown_document(document: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = document["spec"].get("parameters")
    if not parameters:
        return document
    return {**document, "spec": {**document["spec"], "parameters": masked(parameters)}}
