"""A Docker daemon of our own that lives as long as a build: in namespaces, with its images in the cache.

It is there so that the project's real Dockerfiles are what is tested. It has no network: builds need none.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.cluster.machine import remove_cgroups
from tests.cluster.places import cache, locked
from tests.cluster.processes import children
from tests.cluster.report import ClusterError
from tests.cluster.shell import run

CGROUP = "headwater-build"


def store() -> Path:
    """Where the daemon keeps images and layers."""
    return cache() / "docker"


@dataclass(frozen=True, slots=True)
class Docker:
    """A client of a daemon."""

    environment: dict[str, str]

    def run(self, *arguments: str | Path, stdin: IO[bytes] | None = None) -> str:
        return run([_client(), *arguments], environment=self.environment, stdin=stdin)

    def has(self, image: str) -> bool:
        return bool(self.run("image", "ls", "--quiet", image).strip())

    def id_of(self, image: str) -> str:
        return self.run("image", "inspect", "--format={{.Id}}", image).strip()


def _client() -> str:
    debians = Path("/usr/bin/docker")  # of the same version as the daemon
    return str(debians) if debians.exists() else "docker"


@contextmanager
def docker() -> Iterator[Docker]:
    """The daemon, for the time of a `with`; one at a time on this machine."""
    with locked("docker.lock"):
        folder = Path(tempfile.mkdtemp(prefix="headwater-docker-"))  # sockets want short paths
        log = cache() / "docker.log"
        with log.open("wb") as output:
            daemon = subprocess.Popen(_daemon(folder), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            client = Docker(
                {"DOCKER_HOST": _address(folder), "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": str(folder)}
            )
            _wait(daemon, folder, log)
            yield client
        finally:
            _end(daemon)
            shutil.rmtree(folder, ignore_errors=True)
            remove_cgroups(CGROUP)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    for child in children(daemon.pid):  # `unshare` itself is deaf to signals while it waits for its child
        os.kill(child, signal.SIGTERM)
    try:
        daemon.wait(15)
    except subprocess.TimeoutExpired:
        daemon.kill()  # and its child with it
        daemon.wait()


def _address(folder: Path) -> str:
    return f"unix://{folder}/docker.sock"


def _daemon(folder: Path) -> list[str]:
    namespaces = [
        "--net",
        "--pid",
        "--mount",
        "--mount-proc",
        "--propagation",
        "slave",
        "--fork",
        "--kill-child",
    ]
    options = [
        f"--host={_address(folder)}",
        f"--data-root={store()}",
        "--exec-root=/run/docker",
        "--pidfile=/run/docker.pid",
        "--bridge=none",
        "--iptables=false",
        f"--cgroup-parent={CGROUP}",
    ]
    script = 'ip link set lo up; mount -t tmpfs tmpfs /run; exec dockerd "$@"'
    return ["unshare", *namespaces, "sh", "-c", script, "dockerd", *options]


def _wait(daemon: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    deadline = time.monotonic() + 60
    while not (folder / "docker.sock").exists():
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise ClusterError(f"the Docker daemon for builds does not start; see {log}")
        time.sleep(0.05)
