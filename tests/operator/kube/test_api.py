"""The client of the API server: what it leaves behind."""

from __future__ import annotations

import asyncio
import datetime
import gc
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from headwater_operator.kube.api import Api
from headwater_operator.kube.connection import Connection

WATCH = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n"


def server_side(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    both = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password) + certificate.public_bytes(
        pem
    )
    (folder / "server.pem").write_bytes(both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@pytest.fixture
def silent_server(tmp_path: Path) -> Iterator[str]:
    """The address of a server that answers one watch with an event, and a farewell with nothing."""
    context = server_side(tmp_path)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with context.wrap_socket(listener.accept()[0], server_side=True) as client:
                client.recv(65536)
                client.send(WATCH)
                over.wait(60)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join(60)


def test_a_watch_that_was_left_is_cut_when_the_client_is_closed(silent_server: str) -> None:
    async def leave_a_watch() -> None:
        api, heard = Api(Connection(silent_server, insecure=True)), asyncio.Event()

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
