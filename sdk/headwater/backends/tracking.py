"""What is kept of a run while it goes on: its records, its log, and whoever looks on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from headwater.backends.observers import Observers
from headwater.backends.result import RunResult
from headwater.blocks.compile import Compiled
from headwater.configuration import config, database_url, masked, plain, state_dir
from headwater.configuration.masking import scrubbed, secret_values
from headwater.engine import ENDED, Graph, NodeState, Phase
from headwater.engine.events import Event, Failed, Failure, ItemFailed, ItemsSucceeded, Sized
from headwater.engine.graph import Call, Condition, Iterate, Loop, Map, Merge, Race, Suspend, Task
from headwater.engine.intervals import Range
from headwater.engine.plan import edges_of
from headwater.errors import HeadwaterError
from headwater.records import Recorder, RunInfo, new_run_id
from headwater.runtime.capture import Capture
from headwater.runtime.carry import Stored, store_at
from headwater.runtime.items import MapJob
from headwater.values.codec import encode

SLICE_INLINE_BYTES = 65_536
WRITTEN_SECONDS = 0.5
_KINDS = {
    Task: "task", Call: "call", Map: "map", Loop: "loop", Iterate: "iterate", Condition: "condition",
    Merge: "merge", Race: "race", Suspend: "suspend",
}  # fmt: skip

logger = logging.getLogger("headwater")


class Encoder:
    """Values as the records keep them: small JSON as it is, the rest by reference into the artifact store."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._broken = False

    def one(self, value: object, *, inline: int | None = None) -> Mapping[str, Any] | None:
        """A value encoded; None when it cannot be kept (said once: the run goes on)."""
        if type(value) is Stored and value.url == self.url:
            return value.encoded
        kind = type(value)
        if kind is int or kind is bool or value is None:
            return {"json": value}
        try:
            if inline is not None:
                return encode(value, store_at(self.url), inline_limit=inline)
            return encode(value, store_at(self.url))
        except HeadwaterError as error:
            self._warn(error)
        except Exception as error:  # whatever pickling somebody's object raises
            self._warn(error)
        return None

    def _warn(self, error: Exception) -> None:
        if not self._broken:
            self._broken = True
            logger.warning(
                "a value is not kept with the run, so that resuming will compute it again: %s", error
            )

    def all(self, values: Mapping[str, object]) -> dict[str, Any] | None:
        """Values by name encoded; None when one of them cannot be kept."""
        found = {}
        for name, value in values.items():
            encoded = self.one(value)
            if encoded is None:
                return None
            found[name] = encoded
        return found


class Tracking:
    """Keeps a run's records and log, and tells the observers."""

    def __init__(self, info: RunInfo, graph: Graph, observers: Sequence[object], *, record: bool) -> None:
        self.run_id = info.run_id
        self.graph = graph
        home = state_dir()
        self.store: str | None = str(home / "artifacts")
        self.observers = Observers(observers)
        self.echo = not self.observers.want_lines
        self.log_file: str | None = str(home / "logs" / f"{info.run_id}.jsonl")
        self.watchers: Sequence[Any] = (self,)
        self._encoder = Encoder(self.store or "")
        self._info = info
        self._record = record
        self._recorder: Recorder | None = None
        self._capture = Capture(home / "logs" / f"{info.run_id}.jsonl", echo=self.echo)
        self._maps: Mapping[str, MapJob] = {}
        self._sized: set[str] = set()
        self._said: dict[str, str] = {}
        self._secrets = secret_values(config)
        self._attempts: dict[str, int] = {}

    def start(self, maps: Mapping[str, MapJob]) -> None:
        """Begin to keep; `maps` are the executor's, from which items' outputs are taken."""
        self._maps = maps
        if self._record:
            self._recorder = Recorder(database_url(), self._info)
            main = self.graph.blocks[self.graph.entrypoint]
            self._recorder.planned(node.name for node in main.nodes)
            self._recorder.edges(edges_of(self.graph))
            # A task may take the whole process with it: the run has to be known by then, to be found `Lost`.
            self._recorder.flush(WRITTEN_SECONDS)
        self._capture.open()
        self.observers.begin(self._info, self.graph, self.log_file)

    # ------------------------------------------------------------------ a watcher of the driver

    def nodes_changed(self, states: Iterable[NodeState]) -> None:
        """Record nodes whose phase changed."""
        recorder = self._recorder
        for state in states:
            if recorder is not None:
                self._record_node(recorder, state)
            if self.observers.present:
                self.observers.changed(state)

    def _record_node(self, recorder: Recorder, state: NodeState) -> None:
        phase = state.phase
        path = state.path
        at = state.ended_at if phase in ENDED else state.started_at
        node = state.node
        items = state.items
        if items is not None:
            if path not in self._sized:
                self._sized.add(path)
                recorder.map_sized(path, items.total, at or time.time())
            elif phase is Phase.RUNNING and state.message == self._said.get(path, ""):
                return  # counts of items are kept with the slices
            self._said[path] = state.message
        outputs = None
        if state.outputs is not None and phase in ENDED:
            outputs = self._encoder.all(state.outputs)
        recorder.node_changed(
            path,
            phase.value,
            state.attempt,
            at or time.time(),
            kind=_KINDS.get(type(node.kind), "container"),
            ref=node.kind.ref if type(node.kind) is Task else "",
            outputs=outputs,
            error=self._shown(state.failure) if phase is Phase.FAILED else None,
            message=scrubbed(state.message, self._secrets),
            answer=state.answer,
            started_at=state.started_at,
        )
        if state.attempt and phase is not Phase.PENDING:
            if phase is Phase.RUNNING:
                recorder.attempt_started(path, state.attempt, at or time.time())
            elif phase in ENDED:
                recorder.attempt_ended(
                    path, state.attempt, at or time.time(), phase.value, self._shown(state.failure)
                )

    def happened(self, event: Event) -> None:
        """Record what nodes do not show: failed attempts, and the items of maps."""
        recorder = self._recorder
        if recorder is None:
            return
        if type(event) is ItemsSucceeded:
            self._record_items(recorder, event.path, event.ranges, event.at, event.cached)
        elif type(event) is Sized:
            # Items that a resumed run has from the earlier one.
            self._record_items(recorder, event.path, event.done, event.at, 0)
        elif type(event) is ItemFailed:
            failure = self._shown(event.failure)
            assert failure is not None
            recorder.item_failed(event.path, event.index, event.attempt, failure, event.at)
        elif type(event) is Failed:
            failure = self._shown(event.failure)
            recorder.attempt_ended(event.path, event.attempt, event.at, "Failed", failure)

    def _record_items(
        self, recorder: Recorder, path: str, ranges: Sequence[Range], at: float, cached: int
    ) -> None:
        job = self._maps.get(path)
        if job is None:
            return
        for start, stop in ranges:
            outputs = [job.results.get(index) for index in range(start, stop)]
            encoded = self._encoder.one(outputs, inline=SLICE_INLINE_BYTES)
            recorder.items_done(path, ((start, stop),), encoded, at, cached=cached)

    def _shown(self, failure: Failure | None) -> Failure | None:
        """A failure as it may be kept: without the config's secrets."""
        if failure is None or not self._secrets:
            return failure
        message, trace = (scrubbed(text, self._secrets) for text in (failure.message, failure.traceback))
        return replace(failure, message=message, traceback=trace)

    def approval_asked(self, path: str, message: str) -> None:
        """Tell the observers that somebody has to approve."""
        self.observers.approval_asked(self.run_id, path, message)

    def finish(self, result: RunResult, outputs: Mapping[str, object]) -> None:
        """Write the end and close everything."""
        self._capture.close()
        recorder = self._recorder
        if recorder is not None:
            self._record_unfinished(recorder, result)
            failure = result.error
            recorder.run_finished(
                result.phase,
                finished_at=result.finished_at,
                error=self._shown(failure.as_failure()) if failure is not None else None,
                outputs=self._encoder.all(outputs),
                exit_code=result.exit_code,
                message=scrubbed(str(failure), self._secrets) if failure is not None else "",
            )
            recorder.close()
        self.observers.finish(result)

    def _record_unfinished(self, recorder: Recorder, result: RunResult) -> None:
        # A run whose driver broke has nodes that never ended: none of them may stay `Running`.
        for path, record in result.nodes.items():
            if record.phase in ("Running", "Suspended", "Pending"):
                recorder.node_changed(path, "Cancelled", record.attempts, result.finished_at)


def open_tracking(
    compiled: Compiled,
    graph: Graph,
    inputs: Mapping[str, object],
    backend: str,
    name: str | None,
    target: str | None,
    observers: Sequence[object],
    resumed_from: str | None,
    record: bool,
    digests: Callable[[], Mapping[str, str]],
) -> Tracking:
    """Tracking for a new run; nothing is written before `start`."""
    encoder = Encoder(str(state_dir() / "artifacts"))
    info = RunInfo(
        new_run_id(),
        name or compiled.name,
        backend,
        target or "",
        lambda: _document_of(compiled),
        (encoder.all(inputs) or {}) if record else {},
        masked(plain(config)),
        digests() if record else {},
        time.time(),
        resumed_from,
    )
    return Tracking(info, graph, observers, record=record)


def _document_of(compiled: Compiled) -> Mapping[str, Any]:
    try:
        document = compiled.document
        parameters = document["spec"].get("parameters")
        if not parameters:
            return document
        return {**document, "spec": {**document["spec"], "parameters": masked(parameters)}}
    except HeadwaterError as error:
        # The run itself does not need it; only resuming without the source does.
        logger.debug("the document cannot be kept: %s", error)
        return {"metadata": {"name": compiled.name}, "spec": {}}
