"""Slurm by slurmrestd, versions 0.0.38 and newer; the standard library's HTTP client, one connection kept open."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headwater.slurm.errors import NotAllowed, SlurmAway, SlurmError, SlurmRefused
from headwater.slurm.records import Record
from headwater.slurm.rest_shapes import fields, partition_of, record_of
from headwater.slurm.site import Site, merged
from headwater.slurm.tokens import Tokens, end_of
from headwater.slurm.transport import Job

VERSIONS = ("v0.0.44", "v0.0.43", "v0.0.42", "v0.0.41", "v0.0.40", "v0.0.39", "v0.0.38")
PATIENCE_SECONDS = 30.0
_NOT_FOUND = frozenset({2017, 2009, 9002})
_NO_ENTRY = frozenset({1007, 2002, 5005})
_SAYS_NOTHING = frozenset({-1, 0})
_UNFINISHED = frozenset(range(1000, 1900)) | frozenset(range(5000, 5100))
_PATH = "/usr/local/bin:/usr/bin:/bin"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Problems(Exception):
    """slurmrestd's own list of errors."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        self.numbers = {each.get("error_number") or each.get("error_code") or 0 for each in errors}
        texts = [_said(each) for each in errors]
        super().__init__("; ".join(dict.fromkeys(filter(None, texts))) or "no reason given")


def _said(error: Mapping[str, Any]) -> str:
    """What was done and why it failed: newer versions say only the first in `description`."""
    words = [str(error.get(name) or "") for name in ("description", "error")]
    return ": ".join(dict.fromkeys(filter(None, words))) or str(error.get("source") or "")


class RestTransport:
    """slurmrestd at `endpoint` (http, https or unix)."""

    name = "rest"

    def __init__(self, endpoint: str, tokens: Tokens, version: str = "") -> None:
        self._url = urllib.parse.urlsplit(endpoint)
        if self._url.scheme not in ("http", "https", "unix"):
            raise SlurmError(
                f"the endpoint of slurmrestd must be an http, https or unix URL; got {endpoint!r}",
                fix="Write `endpoint: https://slurm.example.org:6820`.",
            )
        self._tokens = tokens
        self._version = version
        self._connection: http.client.HTTPConnection | None = None

    # ---------------------------------------------------------------- what a transport does

    def submit(self, job: Job) -> int:
        """POST job/submit."""
        try:
            said = self._call("POST", "job/submit", {"script": job.script, "job": self._job(job)})
        except _Problems as problems:
            if problems.numbers & _UNFINISHED or problems.numbers <= _SAYS_NOTHING:
                raise SlurmAway(f"slurmrestd: {problems}") from None
            raise SlurmRefused(f"Slurm refuses the job: {problems}") from None
        found = said.get("job_id") or (said.get("result") or {}).get("job_id")
        if not found:
            raise SlurmAway(f"slurmrestd gave no job id: {str(said)[:200]}")
        return int(found)

    def find(self, name: str) -> list[int]:
        """GET jobs, of which those of that name."""
        return sorted({record.job for record in self._all() if record.name == name})

    def records(self, jobs: Sequence[int]) -> list[Record]:
        """GET job or, for several, jobs."""
        if not jobs:
            return []
        if len(jobs) > 1:
            wanted = set(jobs)
            return [record for record in self._all() if record.job in wanted]
        try:
            said = self._call("GET", f"job/{jobs[0]}")
        except _Problems as problems:
            if problems.numbers & _NOT_FOUND:
                return []
            raise SlurmAway(f"slurmrestd: {problems}") from None
        return [record_of(each) for each in said.get("jobs") or ()]

    def cancel(self, jobs: Sequence[str]) -> None:
        """DELETE job."""
        for job in jobs:
            try:
                self._call("DELETE", f"job/{job}")
            except _Problems as problems:
                if not problems.numbers & _NOT_FOUND and "already" not in str(problems):
                    raise SlurmAway(f"slurmrestd: {problems}") from None

    def limit(self, job: int, tasks: int) -> None:
        """POST job; here `array` is only the number."""
        try:
            self._call("POST", f"job/{job}", {"array": str(tasks)})
        except _Problems as problems:
            # Until 0.0.38 the change of an array that was made is called one that failed, without a number.
            was_made = self._minor < 39 and "job array update" in str(problems)
            is_over = problems.numbers & _NOT_FOUND or "already" in str(problems)
            if not is_over and not (was_made and problems.numbers <= _SAYS_NOTHING):
                raise SlurmAway(f"slurmrestd: {problems}") from None

    def site(self) -> Site:
        """GET partitions and nodes. The largest array is not told: Slurm's default is taken."""
        try:
            partitions = self._call("GET", "partitions")
            nodes = self._call("GET", "nodes")
        except _Problems as problems:
            raise SlurmAway(f"slurmrestd: {problems}") from None
        version = (
            (partitions.get("meta") or {}).get("Slurm") or (partitions.get("meta") or {}).get("slurm") or {}
        )
        parts = version.get("version") or {}
        found = [partition_of(each, nodes.get("nodes") or ()) for each in partitions.get("partitions") or ()]
        return Site(merged(found), version=".".join(str(parts.get(part, "")) for part in ("major", "minor")))

    def _all(self) -> Iterable[Record]:
        try:
            return [record_of(each) for each in self._call("GET", "jobs").get("jobs") or ()]
        except _Problems as problems:
            raise SlurmAway(f"slurmrestd: {problems}") from None

    # ---------------------------------------------------------------- HTTP

    def _job(self, job: Job) -> dict[str, Any]:
        environment: Any = {"PATH": _PATH, **(job.environment or {})}
        new = self._minor >= 39
        if new:
            environment = [f"{name}={value}" for name, value in environment.items()]
        written: dict[str, Any] = {
            "name": job.name, "environment": environment, "current_working_directory": job.folder,
            "standard_output": job.output, **fields(job.directives, new=new),
        }  # fmt: skip
        # The first versions take sbatch's own names, the later ones a value.
        written.update({"requeue": False} if new else {"no_requeue": True})
        if job.comment:
            written["comment"] = job.comment
        if job.array:
            written["array"] = job.array_expression
        if job.after:
            written["dependency"] = f"afterany:{':'.join(map(str, job.after))}"
        return written

    @property
    def _minor(self) -> int:
        if not self._version:
            self._version = self._find_version()
        return int(self._version.rpartition(".")[2])

    def _find_version(self) -> str:
        for version in VERSIONS:
            status, _ = self._request("GET", f"/slurm/{version}/ping", None)
            if status != 404:  # one that it does not speak is a page that is not there
                return version
        raise SlurmError(
            f"slurmrestd at {self._url.geturl()} speaks none of {', '.join(reversed(VERSIONS))}",
            fix="Set `version` of the cluster, or start slurmrestd with one of its newer plugins.",
        )

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        minor = self._minor
        status, raw = self._request(method, f"/slurm/v0.0.{minor}/{path}", body)
        try:
            said = json.loads(raw)
        except ValueError:
            raise SlurmAway(f"slurmrestd answered {status} and no JSON: {raw[:200]!r}") from None
        if not isinstance(said, dict):
            raise SlurmAway(f"slurmrestd answered {status}: {raw[:200]!r}")
        errors = said.get("errors") or ()
        # Errors beside a job id are warnings: the job is queued. To raise here would submit it a second time.
        if errors and not (said.get("job_id") or (said.get("result") or {}).get("job_id")):
            problems = _Problems(errors)
            if problems.numbers & _NO_ENTRY:
                raise self._not_allowed(str(problems))
            if problems.numbers <= _SAYS_NOTHING:
                self._doubt_token(str(problems))
            raise problems
        if status >= 500:
            raise SlurmAway(f"slurmrestd answered {status}")
        return said

    def _request(self, method: str, path: str, body: object) -> tuple[int, bytes]:
        token = self._tokens.current()
        headers = {
            "Accept": "application/json",
            "X-SLURM-USER-NAME": self._tokens.user,
            "X-SLURM-USER-TOKEN": token,
        }
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        where = self._url.geturl()
        fresh = self._connection is None
        connection = self._connection or self._connect()
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not fresh and method == "GET":  # the server had closed the idle connection: nothing was done
                return self._request(method, path, body)
            raise SlurmAway(
                f"no answer from slurmrestd at {where}: {type(error).__name__}: {error}"
            ) from None
        self._connection = connection
        if answer.will_close:
            self.close()
        if answer.status in (401, 403):
            raise self._not_allowed(f"HTTP {answer.status}")
        return answer.status, raw

    def _connect(self) -> http.client.HTTPConnection:
        if self._url.scheme == "unix":
            return _UnixConnection(self._url.path, PATIENCE_SECONDS)
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        return kind(self._url.hostname or "", self._url.port, timeout=PATIENCE_SECONDS)

    def _doubt_token(self, said: str) -> None:
        """Slurm 22.05 answers a request with an ended token with "Unspecified error"."""
        ends = end_of(self._tokens.current())
        if ends is not None and ends <= time.time():
            raise self._not_allowed(f"it has ended ({said})")

    def _not_allowed(self, said: str) -> NotAllowed:
        return NotAllowed(
            f"slurmrestd does not accept the token of {self._tokens.user!r}: {said}",
            fix="Put a new one into the Secret: scontrol token lifespan=86400. Jobs that run go on meanwhile.",
        )

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
