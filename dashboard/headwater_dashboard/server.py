"""Serve the dashboard from this process until it is told to end."""

from __future__ import annotations

import errno
import logging
import socket
import webbrowser
from types import FrameType

import uvicorn
from fastapi import FastAPI
from headwater.errors import UsageError

from headwater_dashboard.app import create_app
from headwater_dashboard.options import Options

GRACE_SECONDS = 3


class _Server(uvicorn.Server):
    """Ends its streams first: they would go on as long as pages are open."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._dashboard = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does."""
        self._dashboard.state.hub.close()
        super().handle_exit(sig, frame)


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
            timeout_graceful_shutdown=GRACE_SECONDS, ws="none",
        )  # fmt: skip
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        try:
            _Server(config, app).run(sockets=[listener])
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
            listener.listen(128)
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
