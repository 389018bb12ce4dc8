"""A small client for the Kubernetes API: what tests and the tool need, in JSON, without another library's types."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]  # an object of Kubernetes, as it is in JSON


class ApiError(Exception):
    """The API said no; `code` is the status of its answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Api:
    """Requests to the cluster of a kubeconfig that holds a client certificate or a token (kind's and our own do)."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        config = yaml.safe_load(kubeconfig.read_text())
        named = {kind: {item["name"]: item[kind[:-1]] for item in config[kind]} for kind in NAMED}
        context = named["contexts"][config["current-context"]]
        cluster, user = named["clusters"][context["cluster"]], named["users"][context["user"]]
        self.url: str = cluster["server"]
        self._tls = _tls(cluster, user, kubeconfig.parent) if self.url.startswith("https:") else None
        self._headers = {"Accept": "application/json"}
        if token := user.get("token"):
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **query: str) -> Json:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Json) -> Json:
        return self.request("POST", path, body)

    def put(self, path: str, body: Json) -> Json:
        return self.request("PUT", path, body)

    def patch(self, path: str, body: Json, *, kind: str = "merge-patch") -> Json:
        return self.request("PATCH", path, body, content=f"application/{kind}+json")

    def apply(self, path: str, body: Json) -> Json:
        """Create the object or make it so, by server-side apply."""
        query = {"fieldManager": "headwater-tests", "force": "true"}
        return self.request("PATCH", path, body, query=query, content="application/apply-patch+yaml")

    def delete(self, path: str, **query: str) -> Json:
        return self.request("DELETE", path, query=query)

    def text(self, path: str, **query: str) -> str:
        """An answer that is not JSON: a log, a health check."""
        with closing(self._connection()) as connection:
            return self._answer(connection, "GET", path, query=query).read().decode(errors="replace")

    def request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Json:
        with closing(self._connection()) as connection:
            answer = self._answer(connection, method, path, body, query=query or {}, content=content)
            found: Json = json.loads(answer.read())
            return found

    def watch(self, path: str, seconds: float = 60, **query: str) -> Iterator[Json]:
        """The events of a collection as they come, ending after `seconds`."""
        query = {"watch": "true", "timeoutSeconds": str(max(1, round(seconds))), **query}
        with closing(self._connection(seconds + 5)) as connection:
            for line in self._answer(connection, "GET", path, query=query):
                yield json.loads(line)

    def wait(self, path: str, done: Callable[[Json], object], seconds: float = 60) -> Json:
        """Watch the object at `path` until `done(object)`; it need not exist yet.

        Raises:
            TimeoutError: with the object as it was last.
        """
        collection, _, name = path.rpartition("/")
        deadline = time.monotonic() + seconds
        last: Json = {}
        while (left := deadline - time.monotonic()) > 0:
            listed = self.get(collection, fieldSelector=f"metadata.name={name}")
            version = listed["metadata"]["resourceVersion"]
            for last in listed["items"]:
                if done(last):
                    return last
            for event in self.watch(
                collection, left, fieldSelector=f"metadata.name={name}", resourceVersion=version
            ):
                last = event["object"]
                if event["type"] in {"ADDED", "MODIFIED"} and done(last):
                    return last
                if event["type"] == "ERROR":
                    break
        raise TimeoutError(f"{path} was not as wanted after {seconds} s; it is {json.dumps(last)[:4000]}")

    def _connection(self, seconds: float = 60) -> http.client.HTTPConnection:
        host = urllib.parse.urlsplit(self.url).netloc
        if self._tls is None:
            return http.client.HTTPConnection(host, timeout=seconds)
        return http.client.HTTPSConnection(host, timeout=seconds, context=self._tls)

    def _answer(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str],
        content: str = "application/json",
    ) -> http.client.HTTPResponse:
        target = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        headers = {**self._headers, "Content-Type": content}
        connection.request(method, target, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        if answer.status >= 400:
            said = answer.read().decode(errors="replace")
            with suppress(ValueError):  # not from Kubernetes: then as it is
                said = json.loads(said).get("message", said)
            raise ApiError(answer.status, f"{method} {path}: {said}")
        return answer


NAMED = ("clusters", "contexts", "users")


def _tls(cluster: Json, user: Json, folder: Path) -> ssl.SSLContext:
    authority = _pem(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate = _pem(user, "client-certificate", folder)
    if certificate:
        with tempfile.NamedTemporaryFile() as file:  # the ssl module reads certificates from files only
            file.write(certificate + b"\n" + _pem(user, "client-key", folder))
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _pem(part: Json, name: str, folder: Path) -> bytes:
    if inline := part.get(f"{name}-data"):
        return base64.b64decode(inline)
    return (folder / part[name]).read_bytes() if name in part else b""
