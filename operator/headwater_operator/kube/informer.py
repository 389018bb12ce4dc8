"""A local copy of a kind of object: listed in pages, kept up to date by a watch, listed again and compared.

The copy holds what `slim` makes of an object, so its size is the operator's choice. Whoever writes an object puts
the answer into the copy with `learn`, so that the next look does not see the past.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import aiohttp

from headwater_operator.kube.api import Api, ApiError, Object

logger = logging.getLogger("headwater.operator.informer")

Key = tuple[str, str]
"""Namespace and name."""

RELIST_SECONDS = 600.0
REMEMBERED_DELETIONS = 10_000
PATIENCE = 5
"""How often a watch may be refused, one time after the other, before everything is listed again."""


class Slim(Protocol):
    """What is kept of an object."""

    @property
    def version(self) -> int:
        """Its `resourceVersion`."""


T = TypeVar("T", bound=Slim)


def key_of(obj: Mapping[str, Any]) -> Key:
    """Namespace and name of an object.

    >>> key_of({"metadata": {"namespace": "science", "name": "a"}})
    ('science', 'a')
    """
    meta = obj["metadata"]
    return (meta.get("namespace", ""), meta["name"])


class Informer(Generic[T]):
    """Keeps `objects` like the server's. `slim` answers None for what is of no interest."""

    def __init__(
        self,
        api: Api,
        path: str,
        slim: Callable[[Object], T | None],
        changed: Callable[[Key, T | None, T | None], None],
        *,
        params: Mapping[str, str] | None = None,
        relist_seconds: float = RELIST_SECONDS,
    ) -> None:
        self.api = api
        self.path = path
        self.objects: dict[Key, T] = {}
        self.synced = asyncio.Event()
        self.relists = 0
        self._slim = slim
        self._changed = changed
        self._params = dict(params or {})
        self._relist_seconds = relist_seconds
        self._version = 0
        self._deleted: OrderedDict[Key, int] = OrderedDict()

    async def run(self) -> None:
        """Stay up to date until cancelled, whatever happens to the connection."""
        wait = 0.1
        while True:
            try:
                await self._list()
                wait = 0.1
                await self._follow()
            except ApiError as error:
                if error.status == 410:
                    logger.info(
                        "%s: the server has forgotten version %s, listing again", self.path, self._version
                    )
                    continue
                logger.warning("%s: %s; again in %.1f s", self.path, error.message, wait)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                logger.info("%s: %s: %s; again in %.1f s", self.path, type(error).__name__, error, wait)
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))
            wait = min(wait * 2, 15.0)

    def learn(self, obj: Object) -> None:
        """Take in an object that a call of ours has answered with."""
        self._put(key_of(obj), obj)

    def forget(self, wanted: Callable[[Key, T], bool]) -> None:
        """Drop what is of no interest any more, without a word to anybody."""
        for key in [key for key, found in self.objects.items() if wanted(key, found)]:
            del self.objects[key]

    # ------------------------------------------------------------

    async def _list(self) -> None:
        self.relists += 1
        seen: set[Key] = set()
        version = 0
        async for page in self.api.pages(self.path, self._params):
            version = version or int(page["metadata"]["resourceVersion"])
            for item in page.get("items") or ():
                key = key_of(item)
                seen.add(key)
                self._put(key, item)
        for key in [
            key for key, found in self.objects.items() if key not in seen and found.version <= version
        ]:
            self._drop(key, version)
        self._version = version
        self.synced.set()

    async def _follow(self) -> None:
        """Watch, and watch again from where the last watch ended, until it is time for a new list."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._relist_seconds * random.uniform(0.9, 1.1)
        failures = 0
        while loop.time() < until:
            began, heard = loop.time(), self._version
            seconds = max(5, min(300, int(until - loop.time())))
            params = {**self._params, "resourceVersion": str(self._version), "timeoutSeconds": str(seconds)}
            try:
                async for event in self.api.watch(self.path, params):
                    self._take(event)
            except ApiError as error:
                if error.status == 410 or failures >= PATIENCE:
                    raise
                logger.info("%s: %s", self.path, error.message)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                logger.debug("%s: the watch ended: %r", self.path, error)
            failures = 0 if loop.time() - began > 1.0 or self._version != heard else failures + 1
            if failures:
                await asyncio.sleep(min(0.1 * 2**failures, 2.0) * random.uniform(0.0, 1.0))

    def _take(self, event: Object) -> None:
        kind, obj = event["type"], event["object"]
        version = int(obj["metadata"]["resourceVersion"])
        if kind == "DELETED":
            self._drop(key_of(obj), version)
        elif kind != "BOOKMARK":
            self._put(key_of(obj), obj)
        self._version = max(self._version, version)

    def _put(self, key: Key, obj: Object) -> None:
        version = int(obj["metadata"]["resourceVersion"])
        old = self.objects.get(key)
        if (old is not None and old.version >= version) or self._deleted.get(key, 0) > version:
            return
        new = self._slim(obj)
        if new is None:
            if old is not None:
                del self.objects[key]
                self._changed(key, old, None)
            return
        self.objects[key] = new
        self._changed(key, old, new)

    def _drop(self, key: Key, version: int) -> None:
        self._deleted[key] = version
        self._deleted.move_to_end(key)
        if len(self._deleted) > REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)
        old = self.objects.get(key)
        if old is not None and old.version <= version:
            del self.objects[key]
            self._changed(key, old, None)
