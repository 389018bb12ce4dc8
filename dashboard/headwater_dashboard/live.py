"""Changes as they happen: one poller asks the database for all who listen, and rests when nobody does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from headwater.errors import HeadwaterError
from headwater.records.changes import Seen, changed_nodes, changed_runs
from headwater.records.model import Node, Run
from headwater.records.queries import nodes
from pydantic import TypeAdapter

from headwater_dashboard import models
from headwater_dashboard.problems import RequestError
from headwater_dashboard.store import Store

logger = logging.getLogger("headwater.dashboard")

INTERVAL = 0.4
"""Seconds between two looks: a change is on the screen within a second."""

PING_SECONDS = 10.0
MOST_LISTENERS = 200
MOST_WAITING = 1_000
_WAKE_SECONDS = 0.5
_NODES = TypeAdapter(list[models.Node])


def message(event: str, data: str) -> str:
    """One server-sent event; `data` is JSON, so it has no line breaks.

    >>> message("ping", "{}")
    'event: ping\\ndata: {}\\n\\n'
    """
    return f"event: {event}\ndata: {data}\n\n"


def run_message(run: Run) -> str:
    """A run as an event."""
    return message("run", models.Run.model_validate(run).model_dump_json())


def nodes_message(changed: Sequence[Node]) -> str:
    """Nodes as an event."""
    found = [models.Node.model_validate(node) for node in changed]
    return message("nodes", f'{{"nodes":{_NODES.dump_json(found).decode()}}}')


@dataclass(eq=False, slots=True)
class _Listener:
    """Somebody who wants to hear of all runs, or of one run and its nodes."""

    store: Store
    run_id: str | None
    queue: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def tell(self, text: str | None) -> None:
        """One who does not listen is let go: the browser connects again and asks for everything."""
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.queue.get_nowait()
            self.queue.put_nowait(None)


class Hub:
    """Tells listeners what changes.

    >>> Hub(Store("sqlite:////nowhere/headwater.db")).listeners
    0
    """

    def __init__(self, store: Store, interval: float = INTERVAL) -> None:
        self.closed = False
        self._store = store
        self._interval = interval
        self._listeners: set[_Listener] = set()
        self._poller: asyncio.Task[None] | None = None
        self._seen = Seen()
        self._look_done = asyncio.Event()
        self._nodes: dict[str, Mapping[str, tuple[int, str]]] = {}

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def admit(self) -> None:
        """Refuse where too many listen already.

        Raises:
            RequestError: they do.
        """
        if len(self._listeners) >= MOST_LISTENERS:
            raise RequestError(
                503, "too many pages are open", fix="Close some, or load the page now and then."
            )

    async def listen(self, store: Store, run_id: str | None = None) -> AsyncIterator[str]:
        """Server-sent events about the runs of a store, or one of them: how it stands, then what changes."""
        listener = _Listener(store, run_id)
        self._listeners.add(listener)
        try:
            await self._watched(run_id)
            if run_id is not None:
                yield run_message(await asyncio.to_thread(store.run, run_id))
                found = await asyncio.to_thread(nodes, self._store.pool, run_id)
                yield nodes_message(list(found.values()))
            yield message("ping", "{}")
            async for text in self._heard(listener):
                yield text
        finally:
            self._listeners.discard(listener)

    async def _watched(self, run_id: str | None) -> None:
        """Wait until what changes from now on is seen: what a listener is told first must not be older."""
        if self._poller is None or self._poller.done():
            self._seen, self._nodes = Seen(), {}
            self._poller = asyncio.create_task(self._poll())
        while not self.closed and not (self._seen.looked and (run_id is None or run_id in self._nodes)):
            await self._look_done.wait()

    async def _heard(self, listener: _Listener) -> AsyncIterator[str]:
        silent = 0.0
        while not self.closed:
            try:
                text = await asyncio.wait_for(listener.queue.get(), _WAKE_SECONDS)
            except TimeoutError:
                silent += _WAKE_SECONDS
                if silent >= PING_SECONDS:
                    silent = 0.0
                    yield message("ping", "{}")
                continue
            if text is None:
                return
            yield text

    async def _poll(self) -> None:
        while self._listeners and not self.closed:
            try:
                watched = {each.run_id for each in self._listeners if each.run_id is not None}
                runs, changed = await asyncio.to_thread(self._look, watched)
            except HeadwaterError as error:  # the database is away for a moment: pages stay as they are
                logger.warning("%s", error)
            else:
                self._spread(runs, changed)
            self._look_done.set()
            self._look_done = asyncio.Event()
            await asyncio.sleep(self._interval)

    def _look(self, watched: set[str]) -> tuple[list[Run], dict[str, list[Node]]]:
        with self._store.reading() as connection:
            if connection is None:
                self._seen = Seen(looked=True)
                self._nodes = {run_id: {} for run_id in watched}
                return [], {}
            runs, self._seen = changed_runs(connection, self._seen)
            changed = {}
            states: dict[str, Mapping[str, tuple[int, str]]] = {}
            for run_id in watched:
                found, states[run_id] = changed_nodes(connection, run_id, self._nodes.get(run_id, {}))
                if found and run_id in self._nodes:  # at the first look, listeners have asked themselves
                    changed[run_id] = found
            self._nodes = states
            return runs, changed

    def _spread(self, runs: Sequence[Run], changed: Mapping[str, Sequence[Node]]) -> None:
        for run in runs:
            text = run_message(run)
            for listener in self._listeners:
                if listener.run_id in (None, run.run_id) and listener.store.has(run):
                    listener.tell(text)
        for run_id, found in changed.items():
            text = nodes_message(found)
            for listener in self._listeners:
                if listener.run_id == run_id:
                    listener.tell(text)

    def close(self) -> None:
        """End every stream within half a second."""
        self.closed = True
