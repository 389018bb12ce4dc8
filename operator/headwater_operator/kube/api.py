"""A small client of the API server: JSON in and out, patient with what passes, exact about what does not.

Every write that the operator makes may be sent twice: names are deterministic and patches carry the version that
they are meant for. So all calls are repeated when the connection breaks, and after 429 (as long as `Retry-After`
says) and 5xx; what the server answers otherwise is an `ApiError`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from headwater.errors import HeadwaterError
from pydantic_core import from_json

from headwater_operator.kube.clock import ServerClock
from headwater_operator.kube.connection import Connection

Object = dict[str, Any]
Params = Mapping[str, str]

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
TRIES = 6
LONGEST_WAIT = 10.0
TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)


class ApiError(HeadwaterError):
    """The API server refused a call, or could not be reached for a while (`status` 0)."""

    code = "HW030"

    def __init__(self, status: int, message: str, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Mapping[str, Any] = body or {}

    @property
    def reason(self) -> str:
        """Kubernetes' word for it: AlreadyExists, Conflict, Expired…"""
        return str(self.body.get("reason") or "")


class Api:
    """Calls one API server over a pool of connections, `concurrency` at once."""

    def __init__(
        self, connection: Connection, *, concurrency: int = 48, clock: ServerClock | None = None
    ) -> None:
        self.connection = connection
        self.clock = clock or ServerClock()
        self.writes = 0
        self.calls = 0
        self._gate = asyncio.Semaphore(concurrency)
        self._not_before = 0.0
        self._session: aiohttp.ClientSession | None = None
        self._token: tuple[float, str | None] = (0.0, None)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, params: Params | None = None) -> Object:
        """Read an object, or one page of a list."""
        return await self._call("GET", path, params=params)

    async def create(self, path: str, body: Object) -> Object:
        """Create an object below a collection. `AlreadyExists` is an `ApiError` with status 409."""
        return await self._call("POST", path, body=body)

    async def patch(self, path: str, body: Object) -> Object:
        """Merge-patch an object; `metadata.resourceVersion` in the patch makes it conditional (409)."""
        return await self._call("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def json_patch(self, path: str, operations: list[Object]) -> Object:
        """Patch an object by operations (RFC 6902): a merge patch cannot store a null inside a value."""
        return await self._call("PATCH", path, body=operations, content_type=JSON_PATCH)

    async def replace(self, path: str, body: Object) -> Object:
        """Replace an object."""
        return await self._call("PUT", path, body=body)

    async def delete(self, path: str, *, propagation: str = "Background", grace: int | None = None) -> None:
        """Delete an object; nothing happens when there is none."""
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            await self._call("DELETE", path, body=body)
        except ApiError as error:
            if error.status != 404:
                raise

    async def pages(self, path: str, params: Params, size: int = 500) -> AsyncIterator[Object]:
        """The pages of a list, each with its `items` and `metadata`."""
        token = ""
        while True:
            page = await self.get(
                path, {**params, "limit": str(size), **({"continue": token} if token else {})}
            )
            yield page
            token = page["metadata"].get("continue") or ""
            if not token:
                return

    async def watch(self, path: str, params: Params, idle: float = 90.0) -> AsyncIterator[Object]:
        """The events of a watch until the server ends it, or nothing is heard for `idle` seconds.

        Raises:
            ApiError: the server refuses the watch, or says in it that it cannot go on (410: list anew).
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=idle)
        asked = {**params, "watch": "1", "allowWatchBookmarks": "true"}
        async with self._open().get(
            self.connection.server + path, params=asked, headers=self._headers(), timeout=timeout
        ) as response:
            if response.status != 200:
                raise await _error(response)
            rest = b""
            async for chunk in response.content.iter_any():
                lines = (rest + chunk).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    event = from_json(line)
                    if event["type"] == "ERROR":
                        said = event["object"]
                        raise ApiError(int(said.get("code") or 0), str(said.get("message")), said)
                    yield event

    # ------------------------------------------------------------

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Object | list[Object] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        wait = 0.1
        for attempt in range(1, TRIES + 1):
            await self._patience()
            try:
                async with self._gate:
                    return await self._once(method, path, params, data, content_type)
            except ApiError as error:
                if attempt == TRIES or not _passes(error):
                    raise
                if error.status == 429:
                    self._hold_back(float(error.body.get("retryAfter") or 1.0))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if attempt == TRIES:
                    said = f"{method} {path}: {type(error).__name__}: {error}".rstrip(": ")
                    raise ApiError(0, f"the API server cannot be reached: {said}") from error
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))
            wait = min(wait * 2, LONGEST_WAIT)
        raise AssertionError("unreachable")

    async def _once(
        self, method: str, path: str, params: Params | None, data: bytes | None, content_type: str
    ) -> Object:
        self.calls += 1
        self.writes += method != "GET"
        headers = self._headers()
        if data is not None:
            headers["Content-Type"] = content_type
        sent_at = self.clock.monotonic()
        async with self._open().request(
            method, self.connection.server + path, params=params, data=data, headers=headers, timeout=TIMEOUT
        ) as response:
            date = response.headers.get("Date")
            if response.status >= 300:
                raise await _error(response)
            found: Object = from_json(await response.read())
            if date:
                self.clock.heard(date, sent_at)
            return found

    async def _patience(self) -> None:
        left = self._not_before - self.clock.monotonic()
        if left > 0:
            await asyncio.sleep(left * random.uniform(1.0, 1.2))

    def _hold_back(self, seconds: float) -> None:
        """The server is too busy for all of us: nothing is sent for a while."""
        self._not_before = max(self._not_before, self.clock.monotonic() + min(seconds, LONGEST_WAIT))

    def _headers(self) -> dict[str, str]:
        now = self.clock.monotonic()
        if now >= self._token[0]:
            self._token = (now + 60.0, self.connection.bearer())
        token = self._token[1]
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=connector_of(self.connection),
                headers={"User-Agent": "headwater-operator"},
                auto_decompress=True,
            )
        return self._session


def connector_of(connection: Connection) -> aiohttp.TCPConnector:
    """A pool of connections without a limit.

    Before Python 3.12.7 asyncio keeps a TLS connection open whose other side does not answer its farewell;
    the pool cuts those when it is closed.
    """
    tls = connection.tls()
    return aiohttp.TCPConnector(
        limit=0,
        ssl=tls if tls is not None else True,
        keepalive_timeout=60,
        enable_cleanup_closed=sys.version_info < (3, 12, 7),
    )


def _passes(error: ApiError) -> bool:
    return error.status in (408, 429) or error.status >= 500


async def _error(response: aiohttp.ClientResponse) -> ApiError:
    text = await response.text()
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    if response.status == 429:
        body["retryAfter"] = response.headers.get("Retry-After") or 1
    message = body.get("message") or text[:300] or response.reason or ""
    return ApiError(
        response.status, f"{response.method} {response.url.path}: {response.status}: {message}", body
    )
