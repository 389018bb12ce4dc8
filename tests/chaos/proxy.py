"""A proxy before the API server that lets some calls fail: before or after they take effect, slowly, or without a word.

Operators reach it by plain HTTP at 127.0.0.1; it holds the administrator's certificate. Which call meets which fault
is drawn from a seeded generator. Watches are cut in the middle of a line, and lose bookmarks.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from headwater_operator.kube.api import connector_of
from headwater_operator.kube.connection import connect
from yarl import URL

WRITES = ("POST", "PUT", "PATCH", "DELETE")
_HOP = {"connection", "content-length", "transfer-encoding", "content-encoding", "host", "keep-alive"}
_NOT_SENT = {*_HOP, "accept-encoding", "authorization"}
_BOOKMARK = b'"BOOKMARK"'


@dataclass
class Faults:
    """Which faults, and how many of them.

    `rate` is the share of calls that fail. `watch` is between how many seconds a watch lives (None: as long as the
    server likes), `bookmarks` the share of bookmarks that arrive, `slowest` the longest delay in seconds.
    """

    rate: float = 0.0
    watch: tuple[float, float] | None = None
    bookmarks: float = 1.0
    slowest: float = 0.5
    kinds: tuple[str, ...] = (
        "conflict", "conflict-after", "busy", "error", "error-after", "reset", "reset-after", "slow", "no-answer",
    )  # fmt: skip


Hook = Callable[[int, bool], bool]
"""Told of each call by its number, before and after it takes effect; True cuts the connection there."""


@dataclass
class FaultProxy:
    """The proxy; `calls` have been made through it so far, `injected` counts the faults among them."""

    kubeconfig: Path
    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    hook: Hook = lambda call, done: False
    calls: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    port: int = 0
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._connection = connect(str(self.kubeconfig))

    def write_kubeconfig(self, file: Path) -> Path:
        """A kubeconfig for clients of the proxy."""
        named = {"name": "proxy"}
        file.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{**named, "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
                    "users": [{**named, "user": {}}],
                    "contexts": [{**named, "context": {"cluster": "proxy", "user": "proxy"}}],
                    "current-context": "proxy",
                }
            )
        )
        return file

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FaultProxy]:
        """Serve for the time of a `with`."""
        async with aiohttp.ClientSession(connector=connector_of(self._connection)) as session:
            self._session = session
            app = web.Application(client_max_size=64 * 1024 * 1024)
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            try:
                yield self
            finally:
                await runner.cleanup()

    async def made(self, calls: int, seconds: float) -> bool:
        """Wait until so many calls were made in all; False when that takes too long."""
        try:
            async with asyncio.timeout(seconds):
                while self.calls < calls:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    # ------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if "watch" in request.query:
            return await self._watch(request)
        self.calls += 1
        self._moved.set()
        call = self.calls
        if self.hook(call, False):
            return _cut(request)
        fault = self._fault(request.method)
        if fault is not None:
            self.injected[fault] += 1
            early = await self._before(fault, request)
            if early is not None:
                return early
        try:
            response = await self._forward(request, body)
        except (aiohttp.ClientError, OSError):
            return _cut(request)  # the server itself is away
        if self.hook(call, True):
            return _cut(request)
        return self._after(fault, request) or response

    def _fault(self, method: str) -> str | None:
        if self._rng.random() >= self.faults.rate:
            return None
        kinds = (
            self.faults.kinds if method in WRITES else [k for k in self.faults.kinds if "conflict" not in k]
        )
        return self._rng.choice(kinds) if kinds else None

    async def _before(self, fault: str, request: web.Request) -> web.StreamResponse | None:
        match fault:
            case "conflict":
                return _status(409, "Conflict", "injected: the object has been modified")
            case "busy":
                return _status(429, "TooManyRequests", "injected: too many requests", retry_after="1")
            case "error":
                return _status(500, "InternalError", "injected: etcdserver: leader changed")
            case "reset":
                return _cut(request)
            case "slow":
                await asyncio.sleep(self._rng.uniform(0, self.faults.slowest))
            case "no-answer":
                await asyncio.sleep(self._rng.uniform(0, 4 * self.faults.slowest))
                return _cut(request)
        return None

    def _after(self, fault: str | None, request: web.Request) -> web.StreamResponse | None:
        match fault:
            case "conflict-after":
                return _status(409, "Conflict", "injected: the object has been modified")
            case "error-after":
                return _status(500, "InternalError", "injected: the request has timed out")
            case "reset-after":
                return _cut(request)
        return None

    def _send(self, request: web.Request, body: bytes) -> aiohttp.client._RequestContextManager:
        headers = {name: text for name, text in request.headers.items() if name.lower() not in _NOT_SENT}
        url = URL(self._connection.server + request.raw_path, encoded=True)
        return self._session.request(
            request.method,
            url,
            data=body or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        )

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        async with self._send(request, body) as answer:
            return web.Response(status=answer.status, body=await answer.read(), headers=_headers(answer))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        limits = self.faults.watch
        life = self._rng.uniform(*limits) if limits is not None else None
        try:
            async with asyncio.timeout(life), self._send(request, b"") as answer:
                if answer.status != 200:
                    return web.Response(
                        status=answer.status, body=await answer.read(), headers=_headers(answer)
                    )
                response = web.StreamResponse(status=200, headers=_headers(answer))
                await response.prepare(request)
                async for line in answer.content:
                    if _BOOKMARK in line[:40] and self._rng.random() >= self.faults.bookmarks:
                        self.injected["bookmark"] += 1
                        continue
                    await response.write(line)
                return response
        except TimeoutError:
            self.injected["watch"] += 1
            if request.transport is not None:
                with suppress(OSError):
                    request.transport.write(b"40\r\n" + b'{"type":"MODIFIED","object":{"kind')
        except (aiohttp.ClientError, OSError):
            pass
        return _cut(request)


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: text for name, text in answer.headers.items() if name.lower() not in _HOP}


def _cut(request: web.Request) -> web.Response:
    """The connection breaks."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _status(code: int, reason: str, message: str, *, retry_after: str = "") -> web.Response:
    body = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    }  # fmt: skip
    headers = {"Retry-After": retry_after} if retry_after else {}
    return web.Response(status=code, text=json.dumps(body), content_type="application/json", headers=headers)
