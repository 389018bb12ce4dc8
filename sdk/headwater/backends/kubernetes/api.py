"""The cluster's API in plain JSON, over the connection and login of the official client."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from headwater.backends.kubernetes.errors import ClusterConflict, ClusterError, ClusterUnreachable
from headwater.backends.kubernetes.login import Login, Place, log_in
from headwater.backends.kubernetes.refusals import refusal

Json = dict[str, Any]

GROUP = "headwater.dev"
VERSION = "v1alpha1"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
WATCH_SECONDS = 50.0
ATTEMPTS = 5
LATER = frozenset({429, 500, 502, 503, 504})
PAGE = 500
PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class Cluster:
    """One cluster, as one user, in one namespace. Safe in several threads.

    What is refused, out of reach or missing comes as a `ClusterError` that says what to do.
    """

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()

    @cached_property
    def login(self) -> Login:
        """Who we are, and where."""
        return log_in(self.place)

    @cached_property
    def _api(self) -> Any:
        from kubernetes import client

        configuration = self.login.configuration
        configuration.retries = False  # we know better which requests may be repeated
        configuration.connection_pool_maxsize = 64
        return client.ApiClient(configuration)

    @property
    def namespace(self) -> str:
        """The namespace that commands are about."""
        return self.login.namespace

    @property
    def server(self) -> str:
        """The address of the API."""
        return str(self.login.configuration.host)

    # ------------------------------------------------------------------ paths

    def own(self, resource: str, name: str = "") -> str:
        """The path of one of Headwater's own resources in the namespace."""
        return _below(f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/{resource}", name)

    def core(self, resource: str, name: str = "") -> str:
        """The path of a core resource in the namespace."""
        return _below(f"/api/v1/namespaces/{self.namespace}/{resource}", name)

    # ------------------------------------------------------------------ requests

    def get(self, path: str, **query: str) -> Json:
        """Read an object, or one page of a list."""
        return self.request("GET", path, query=query)

    def list(self, path: str, **query: str) -> list[Json]:
        """All objects of a collection, page by page."""
        found: list[Json] = []
        query = {"limit": str(PAGE), **query}
        while True:
            page = self.get(path, **query)
            found += page.get("items") or []
            more = page.get("metadata", {}).get("continue")
            if not more:
                return found
            query["continue"] = more

    def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """Create an object."""
        return self.request("POST", path, body)

    def patch(self, path: str, body: Mapping[str, Any], kind: str = "merge") -> Json:
        """Change an object: a merge patch, or a `strategic` one for core resources."""
        return self.request("PATCH", path, body, content=PATCHES[kind])

    def delete(self, path: str, **query: str) -> Json:
        """Delete an object."""
        return self.request("DELETE", path, query=query)

    def clock(self) -> float:
        """The API server's time, in seconds since the epoch: leases are judged by it, not by this machine's."""
        with self._answer("GET", "/version") as answer:
            _read(answer)
            said = answer.headers.get("Date")
            return parsedate_to_datetime(said).timestamp() if said else time.time()

    def text(self, path: str, **query: str) -> str:
        """An answer that is no JSON."""
        with self._answer("GET", path, query=query) as answer:
            return _read(answer).decode(errors="replace")

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Json:
        """One request; what the server cannot take right now is asked again, with growing pauses."""
        pause = 0.2
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                with self._answer(method, path, body, query=query, content=content, later=not last) as answer:
                    found: Json = json.loads(_read(answer))
                    return found
            except _LaterError as later:
                time.sleep(max(pause, later.seconds))
            except ClusterUnreachable:
                # Whether a POST has arrived is not known: its caller finds out by the object's name.
                if last or method == "POST" or attempt:
                    raise
            pause *= 2
        raise AssertionError("the last attempt raises or returns")

    def lines(self, path: str, **query: str) -> Iterator[str]:
        """The lines of an answer as they come: a log that is followed."""
        with self._answer("GET", path, query=query, seconds=None) as answer:
            yield from _lines(answer)

    def watch(self, path: str, seconds: float = WATCH_SECONDS, **query: str) -> Iterator[Json]:
        """The events of a collection as they come, for at most `seconds`; ends early when the server ends it."""
        query = {"watch": "true", "timeoutSeconds": str(max(1, round(seconds))), **query}
        with self._answer("GET", path, query=query, seconds=seconds + 10) as answer:
            for line in _lines(answer):
                yield json.loads(line)

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
        seconds: float | None = ANSWER_SECONDS,
        later: bool = False,
    ) -> Iterator[Any]:
        import urllib3
        from urllib3.exceptions import HTTPError

        url = f"{self.server}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "User-Agent": "flowctl", "Content-Type": content}
        for setting in self.login.configuration.auth_settings().values():
            if setting["value"] and setting["in"] == "header":
                headers[setting["key"]] = setting["value"]
        try:
            answer = self._api.rest_client.pool_manager.request(
                method,
                url,
                body=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
                headers=headers,
                preload_content=False,
                retries=False,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds),
            )
            try:
                if answer.status >= 400:
                    said = _read(answer).decode(errors="replace")
                    if later and answer.status in LATER and "too large" not in said:
                        raise _LaterError(_seconds(answer.headers.get("Retry-After")))
                    raise refusal(answer.status, said, method, path)
                yield answer
            finally:
                answer.close()
                answer.release_conn()
        except (HTTPError, OSError) as error:
            raise _unreachable(self.server, error) from error

    # ------------------------------------------------------------------ following one object

    def states(self, path: str, name: str, patience: float = 60.0) -> Iterator[Json | None]:
        """One object of a collection each time that it changes, from how it is now on; None once it is gone.

        Watches again when a watch ends or breaks; gives up when nothing has answered for `patience` seconds.
        """
        chosen = {"fieldSelector": f"metadata.name={name}"}
        answered_at = time.monotonic()
        while True:
            try:
                listed = self.get(path, **chosen)
                answered_at = time.monotonic()
                yield listed["items"][0] if listed["items"] else None
                version = listed["metadata"]["resourceVersion"]
                while version:
                    version = yield from self._changes(path, chosen, version)
                    answered_at = time.monotonic()
            except ClusterUnreachable:  # a watch that breaks is nothing unusual
                if time.monotonic() - answered_at > patience + WATCH_SECONDS:
                    raise
                time.sleep(1.0)

    def _changes(
        self, path: str, chosen: Mapping[str, str], version: str
    ) -> Generator[Json | None, None, str]:
        """Returns the version from which to go on; "" when all has to be listed again."""
        try:
            for event in self.watch(path, WATCH_SECONDS, **chosen, resourceVersion=version):
                found = event["object"]
                if event["type"] == "ERROR":
                    return ""
                version = found["metadata"]["resourceVersion"]
                if event["type"] == "DELETED":
                    yield None
                elif event["type"] != "BOOKMARK":
                    yield found
        except ClusterConflict:  # 410: the version is too old
            return ""
        return version


class _LaterError(Exception):
    """The server is busy."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = min(seconds, 10.0)


def _below(collection: str, name: str) -> str:
    return f"{collection}/{urllib.parse.quote(name)}" if name else collection


def _read(answer: Any) -> bytes:
    data: bytes = answer.read(decode_content=True)
    return data


def _lines(answer: Any) -> Iterator[str]:
    pending = b""
    for chunk in answer.stream(65_536, decode_content=True):
        pending += chunk
        *whole, pending = pending.split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if pending:
        yield pending.decode(errors="replace")


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() else 0.0


def _unreachable(server: str, error: BaseException) -> ClusterError:
    cause: object = error
    while isinstance(getattr(cause, "reason", None), BaseException):
        cause = cause.reason  # type: ignore[attr-defined]  # it has just been looked at
    said = " ".join(str(cause).split())
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return ClusterUnreachable(
            f"the certificate of {server} is not one that the kubeconfig trusts: {said}",
            fix="The cluster was made anew, or this is another one: fetch its kubeconfig again.",
        )
    return ClusterUnreachable(
        f"the cluster at {server} cannot be reached: {said}",
        fix="Check that it runs, VPN and proxy, and the context: `kubectl cluster-info` asks the same way.",
    )
