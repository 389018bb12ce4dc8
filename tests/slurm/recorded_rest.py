"""A slurmrestd that answers as one of Slurm 24.11.5 has answered, in versions that the test cluster's does not speak.

`recorded/slurm-24.11.json` holds, for each version of the API, the status and body of its answers to our own requests;
they were taken from Debian 13's packages, started in a folder of their own beside the test cluster.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ANSWERS: Mapping[str, Any] = json.loads((Path(__file__).parent / "recorded" / "slurm-24.11.json").read_text())
VERSIONS = ("v0.0.40", "v0.0.41", "v0.0.42")
_USUAL = {
    "GET ping": "ping", "GET partitions": "partitions", "GET nodes": "nodes", "POST job/submit": "submit",
    "GET jobs": "job running", "GET job/N": "job running", "POST job/N": "limit", "DELETE job/N": "cancel",
}  # fmt: skip


@dataclass(slots=True)
class Recorded:
    """The server: `port`, the one version that it speaks, what it has been sent, and what it answers instead of the
    usual (by request, such as `{"POST job/submit": "submit refused"}`)."""

    version: str
    port: int = 0
    instead: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[str, Any]] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and body."""
        found = re.fullmatch(rf"/slurm/{re.escape(self.version)}/(.*)", path)
        if found is None:
            return tuple(ANSWERS["other"])
        request = re.sub(r"\d+(_\d+)?$", "N", f"{method} {found[1]}")
        self.sent.append((f"{method} {found[1]}", body))
        return tuple(ANSWERS[self.version][self.instead.get(request, _USUAL[request])])


@contextmanager
def recorded(version: str) -> Iterator[Recorded]:
    """The server while the block runs."""
    served = Recorded(version)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, said = served.answer(self.command, self.path, body)
            raw = (json.dumps(said) if not isinstance(said, str) else said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
