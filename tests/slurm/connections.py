"""Ways to the cluster that break at the worst moment."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.slurm.login_node import LoginNode


class CutConnection:
    """A port that leads to slurmrestd; the answer to the first POST is lost, everything else passes."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._cut = False
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> int:
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                self._pass_on(client)

    def _pass_on(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._to)) as server:
            while request := _whole(client):
                server.sendall(request)
                answer = _whole(server)
                if request.startswith(b"POST") and not self._cut:
                    self._cut = True
                    return
                client.sendall(answer)


def _whole(connection: socket.socket) -> bytes:
    """One message of HTTP, as long as its head says."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


class Tunnel:
    """A port that leads to another one, for what keeps a connection open (ssh): it can be cut, or away."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._is_away = False
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Tunnel:
        self._go(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_away = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def login_node(self, node: LoginNode, secret: Path) -> LoginNode:
        """The login node as it is reached through this tunnel; `secret` is made."""
        shutil.copytree(node.secret, secret)
        known = (node.secret / "known_hosts").read_text().splitlines()[0].split()
        (secret / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {known[1]} {known[2]}\n")
        return LoginNode(f"root@127.0.0.1:{self.port}", secret)

    def cut(self) -> None:
        """End every connection; new ones are let through."""
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Nobody gets through while the block runs."""
        self._is_away = True
        self.cut()
        try:
            yield
        finally:
            self._is_away = False

    def _go(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_away:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._to))
            self._open += [client, server]
            self._go(self._pass_on, client, server)
            self._go(self._pass_on, server, client)

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError), one:
            while data := one.recv(65536):
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
