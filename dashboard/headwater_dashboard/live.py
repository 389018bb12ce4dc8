"""Changes as they happen: one poller asks the database for all who listen, and rests when nobody does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
MOST_STREAMS = 200
MOST_WAITING = 50
"""Looks whose changes wait for one who does not listen."""

RENEWED_SECONDS = 5.0
"""Between two looks at what a listener may see."""

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
    """Somebody who wants to hear of all runs of a store, or of one run and its nodes."""

    store: Store
    run_id: str | None
    queue: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def tell(self, text: str) -> None:
        """What one look has found. One who does not listen is let go: the browser connects again and asks for all."""
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.queue.get_nowait()
            self.queue.put_nowait(None)


@dataclass(frozen=True, slots=True)
class _News:
    """What a look has found, as events: of runs, and of the nodes of those that somebody listens to."""

    runs: Sequence[tuple[Run, str]] = ()
    nodes: Mapping[str, str] = field(default_factory=dict)


class Hub:
    """Tells listeners what changes.

    >>> Hub(Store("sqlite:////nowhere/headwater.db")).streams
    0
    """

    def __init__(self, store: Store, interval: float = INTERVAL) -> None:
        self.closed = False
        self.streams = 0
        self._store = store
        self._interval = interval
        self._listeners: set[_Listener] = set()
        self._poller: asyncio.Task[None] | None = None
        self._seen = Seen()
        self._look_done = asyncio.Event()
        self._nodes: dict[str, Mapping[str, tuple[int, str]]] = {}

    def admit(self) -> None:
        """Refuse where too many streams go on already.

        Raises:
            RequestError: they do.
        """
        if self.streams >= MOST_STREAMS:
            raise RequestError(
                503, "too many pages are open", fix="Close some, or load the page now and then."
            )

    @contextmanager
    def counted(self) -> Iterator[None]:
        """While a stream goes on."""
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    async def listen(self, stores: Callable[[], Store], run_id: str | None = None) -> AsyncIterator[str]:
        """Server-sent events about runs, or one of them: how it stands, then what changes.

        `stores` says what the listener may see; it is asked again and again.
        """
        listener = _Listener(await asyncio.to_thread(stores), run_id)
        self._listeners.add(listener)
        try:
            with self.counted():
                await self._watched(run_id)
                if run_id is not None:
                    yield run_message(await asyncio.to_thread(listener.store.run, run_id))
                    found = await asyncio.to_thread(nodes, self._store.pool, run_id)
                    yield nodes_message(list(found.values()))
                yield message("ping", "{}")
                async for text in self._heard(listener, stores):
                    yield text
        except HeadwaterError as error:  # the browser connects again, and is told by the answer
            logger.warning("a stream ends: %s", error)
        finally:
            self._listeners.discard(listener)

    async def _watched(self, run_id: str | None) -> None:
        """Wait until what changes from now on is seen: what a listener is told first must not be older."""
        if self._poller is None or self._poller.done():
            self._seen, self._nodes = Seen(), {}
            self._poller = asyncio.create_task(self._poll())
        while not self.closed and not (self._seen.looked and (run_id is None or run_id in self._nodes)):
            await self._look_done.wait()

    async def _heard(self, listener: _Listener, stores: Callable[[], Store]) -> AsyncIterator[str]:
        clock = asyncio.get_running_loop().time
        said = renewed = clock()
        while not self.closed:
            if clock() - renewed >= RENEWED_SECONDS:
                renewed = clock()
                listener.store = await asyncio.to_thread(stores)
                if listener.run_id is not None:  # it may have been deleted, or be none of theirs any more
                    await asyncio.to_thread(listener.store.run, listener.run_id)
            try:
                text = await asyncio.wait_for(listener.queue.get(), _WAKE_SECONDS)
            except TimeoutError:
                if clock() - said < PING_SECONDS:
                    continue
                text = message("ping", "{}")
            if text is None:
                return
            said = clock()
            yield text

    async def _poll(self) -> None:
        """Look until nobody listens. Whatever goes wrong in a look, the next one comes: all pages depend on it."""
        complaint = ""
        try:
            while self._listeners and not self.closed:
                try:
                    watched = {each.run_id for each in self._listeners if each.run_id is not None}
                    self._spread(await asyncio.to_thread(self._look, watched))
                    complaint = ""
                except HeadwaterError as error:  # the database is away for a moment: pages stay as they are
                    if str(error) != complaint:
                        complaint = str(error)
                        logger.warning("%s", error)
                except Exception:
                    logger.exception("a look for changes failed; the next one comes")
                self._look_ended()
                await asyncio.sleep(self._interval)
        finally:
            self._look_ended()

    def _look_ended(self) -> None:
        self._look_done.set()
        self._look_done = asyncio.Event()

    def _look(self, watched: set[str]) -> _News:
        with self._store.reading() as connection:
            if connection is None:
                self._seen = Seen(looked=True)
                self._nodes = {run_id: {} for run_id in watched}
                return _News()
            runs, self._seen = changed_runs(connection, self._seen, time.time())
            changed = {}
            states: dict[str, Mapping[str, tuple[int, str]]] = {}
            for run_id in watched:
                found, states[run_id] = changed_nodes(connection, run_id, self._nodes.get(run_id, {}))
                if found and run_id in self._nodes:  # at the first look, listeners have asked themselves
                    changed[run_id] = nodes_message(found)
            self._nodes = states
        return _News([(run, run_message(self._store.truly(run))) for run in runs], changed)

    def _spread(self, news: _News) -> None:
        """All that a look has found is one thing to a listener: thousands of runs may change at once."""
        for listener in self._listeners:
            wanted = listener.run_id
            said = [
                text for run, text in news.runs if wanted in (None, run.run_id) and listener.store.has(run)
            ]
            if wanted is not None and wanted in news.nodes:
                said.append(news.nodes[wanted])
            if said:
                listener.tell("".join(said))

    def close(self) -> None:
        """End every stream within half a second."""
        self.closed = True
