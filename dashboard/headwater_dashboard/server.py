"""Serve the dashboard from this process until it is told to end."""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket
import time
import webbrowser
from threading import Thread
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from headwater.errors import UsageError

from headwater_dashboard.app import create_app
from headwater_dashboard.options import Options

GRACE_SECONDS = 3
LAST_SECONDS = GRACE_SECONDS + 3
"""So long after a signal the process is over, whatever its threads wait for."""

REQUEST_SECONDS = 10.0
"""A connection on which no request has come for so long is cut: else half a request each would take all there are."""

MOST_FILES = 65_536
BACKLOG = 128


class _Server(uvicorn.Server):
    """Ends its streams first: they would go on as long as pages are open."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, most: int) -> None:
        super().__init__(config)
        self._dashboard = app
        self._most = most
        self._silent: dict[Any, float] = {}

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does."""
        self._dashboard.state.hub.close()
        Thread(target=_end_at_last, daemon=True).start()
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: cut connections that say nothing, and the longest silent where there are too many."""
        now = time.monotonic()
        silent: dict[Any, float] = {
            each: self._silent.get(each, now) for each in self.server_state.connections if _is_silent(each)
        }
        ordered = sorted(silent, key=lambda each: silent[each])
        too_many = max(0, len(self.server_state.connections) - self._most)
        for at, connection in enumerate(ordered):
            if at < too_many or now - silent[connection] > REQUEST_SECONDS:
                connection.transport.abort()
        self._silent = silent
        return await super().on_tick(counter)


def _is_silent(connection: Any) -> bool:
    """Whether no request is being answered on a connection."""
    cycle = getattr(connection, "cycle", None)
    return cycle is None or bool(cycle.response_complete)


def _end_at_last() -> None:
    """A thread that waits for a database that hangs is never over, and Python waits for its threads."""
    time.sleep(LAST_SECONDS)
    print("ended; what still hung was left", flush=True)
    os._exit(0)


def _files() -> int:
    """How many files and connections may be open at once: as many as this process may allow itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # the kernel has a limit of its own
        return soft
    return most


def serve(options: Options, *, port: int = 0, opens: bool = True) -> None:
    """Print the address, open the browser, answer until Ctrl-C.

    Raises:
        UsageError: the port is taken, the address is none of this machine, or it would be open to everybody.
        RecordsError: the database cannot be read.
    """
    app = create_app(options)
    with app.state.store.reading():  # what is wrong with the database is said here, not on the page
        pass
    listener = listening(options.host, port)
    with listener:
        address = f"http://{_in_url(options.host)}:{listener.getsockname()[1]}/"
        print(f"the dashboard is at {address}", flush=True)
        print("Ctrl-C ends it.", flush=True)
        # The page can only be asked once the server runs; its socket keeps who comes earlier waiting.
        if opens:
            webbrowser.open(f"{address}?token={options.token}" if options.token else address)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, proxy_headers=False, server_header=False, lifespan="on",
            timeout_graceful_shutdown=GRACE_SECONDS, ws="none", backlog=BACKLOG,
        )  # fmt: skip
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        try:
            _Server(config, app, _files() // 2).run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises it again once all is closed
            print("ended", flush=True)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UsageError: the port is taken, or the address is none of this machine.
    """
    try:
        (family, _, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise _refused(host, port, error) from error
    return listener


def _refused(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"port {port} of {host} is taken", fix="Give another with --port, or none: a free one is chosen."
        )
    if error.errno == errno.EACCES:
        return UsageError(f"port {port} is for root only", fix="Give one above 1023 with --port.")
    return UsageError(f"{host} is no address of this machine ({error})", fix="Correct --host.")


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
