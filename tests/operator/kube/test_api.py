"""The client of the API server: how its watches end."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from headwater_operator.kube.api import Api, ApiError
from headwater_operator.kube.connection import Connection

from tests.cluster.certificates import Authority

WATCH = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"type":"ADDED"}\n\r\n'


@pytest.fixture
def silent_server(tmp_path: Path) -> Iterator[Connection]:
    """A server that answers one watch with an event, and a farewell with nothing."""
    Authority(tmp_path).issue("server", "server", hosts=["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with context.wrap_socket(listener.accept()[0], server_side=True) as client:
                client.recv(65536)
                client.send(WATCH)
                over.wait(60)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = f"https://127.0.0.1:{listener.getsockname()[1]}"
        yield Connection(address, authority=(tmp_path / "ca.crt").read_text())
        over.set()
        thread.join(60)


def test_a_watch_that_was_left_is_cut_when_the_client_is_closed(silent_server: Connection) -> None:
    async def leave_a_watch() -> None:
        api, heard = Api(silent_server), asyncio.Event()

        async def watch() -> None:
            async for _ in api.watch("/anything", {}):
                heard.set()

        task = asyncio.create_task(watch())
        await asyncio.wait_for(heard.wait(), 30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await api.close()

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncio.run(leave_a_watch())
        gc.collect()
    assert [str(each.message) for each in told if "unclosed" in str(each.message)] == []


async def test_a_watch_that_cannot_go_on_raises_what_the_server_says_after_what_it_saw() -> None:
    said = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    events = [{"type": "ADDED", "object": {"kind": "Pod"}}, {"type": "ERROR", "object": said}]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="".join(json.dumps(event) + "\n" for event in events))

    app = web.Application()
    app.router.add_get("/pods", answer)
    async with TestServer(app) as server:
        api, seen = Api(Connection(str(server.make_url("")).rstrip("/"))), []

        async def follow() -> None:
            async for event in api.watch("/pods", {}):
                seen.append(event)

        with pytest.raises(ApiError, match="too old resource version") as raised:
            await follow()
        await api.close()
    assert seen == events[:1]
    assert (raised.value.status, raised.value.reason) == (410, "Expired")
