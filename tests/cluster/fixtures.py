"""Pytest fixtures: `cluster` (a real Kubernetes), `namespace` (one of the test's own), `chaos` (to do it harm)."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from tests.cluster.choice import Kind, choose, obstacle
from tests.cluster.places import CHECKOUT, KUBECONFIG, cache, this_checkout

if TYPE_CHECKING:
    from tests.cluster.api import Api

RUNTIME_IMAGE = "localhost/headwater-runtime:dev"
OPERATOR_IMAGE = "localhost/headwater-operator:dev"
SMALL_IMAGE = "localhost/debian:bookworm"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster.

    Attributes:
        kind: own, kind or given (by KUBECONFIG).
        kubeconfig: for every client that takes one; it is the administrator's.
        api: a small JSON client.
    """

    kind: Kind
    kubeconfig: Path
    api: Api

    @property
    def url(self) -> str:
        return self.api.url

    @property
    def host(self) -> str:
        """The address at which pods of our own cluster reach this machine: bind test servers to it."""
        from tests.cluster.cluster import slot

        return slot().host

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints; raises CalledProcessError, with its words, when it fails."""
        own = ["-m", "tests.cluster", "kubectl"]
        command = [sys.executable, *own] if self.kind is Kind.OWN else ["kubectl"]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run(
            [*command, *arguments], input=stdin, env=environment, cwd=CHECKOUT, capture_output=True, text=True
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, f"kubectl {arguments}: {done.stderr}")
        return done.stdout

    def logs(self, namespace: str, pod: str) -> str:
        return self.api.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the cluster ready before the first test: building it takes longer than a test may.

    Never later: an unhealthy cluster would be one that another worker's test has just broken, and will mend.
    """
    wanted = any("cluster" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly and not (choose() is Kind.OWN and obstacle()):
        make_ready(choose())


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """A real Kubernetes cluster; skips, saying why, where there can be none. CI never skips."""
    from tests.cluster.api import Api

    kind = choose()
    if kind is Kind.GIVEN:
        kubeconfig = Path(os.environ["KUBECONFIG"])
        return Cluster(kind, kubeconfig, Api(kubeconfig))
    if kind is Kind.OWN and (reason := obstacle()):
        reason = f"no Kubernetes cluster: {reason}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason} (CI never skips these tests)")
        pytest.skip(reason)
    return Cluster(kind, KUBECONFIG, Api(KUBECONFIG))


def make_ready(kind: Kind) -> None:
    """Have the cluster run with current images and Headwater's resources; cheap when it does."""
    from tests.cluster import definitions
    from tests.cluster.api import Api

    with _held(exclusive=False):  # what a test of another session has just broken is that session's to mend
        if kind is not Kind.GIVEN:
            _up(kind)
        definitions.install(Api(KUBECONFIG if kind is not Kind.GIVEN else Path(os.environ["KUBECONFIG"])))


def _up(kind: Kind) -> None:
    from tests.cluster import cluster, images

    if kind is Kind.OWN and cluster.healthy() and images.current():
        return
    up = [sys.executable, "-m", "tests.cluster", "up"]
    done = subprocess.run(up, cwd=CHECKOUT, capture_output=True, text=True)
    if done.returncode:
        pytest.exit(f"the test cluster does not start:\n{done.stderr}", returncode=3)


@contextmanager
def new_namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace for the time of a `with`."""
    from tests.cluster.api import ApiError

    name = f"test-{uuid.uuid4().hex[:10]}"
    cluster.api.post(
        "/api/v1/namespaces", {"metadata": {"name": name, "labels": {"headwater.dev/test": "true"}}}
    )
    # After the API server was killed the controllers come back one by one, later and later.
    cluster.api.wait(f"/api/v1/namespaces/{name}/serviceaccounts/default", lambda account: account, 180)
    try:
        yield name
    finally:
        try:
            cluster.api.delete(f"/api/v1/namespaces/{name}")
        except ApiError as error:
            if error.code not in (404, 409):  # the test has deleted it itself
                raise


@pytest.fixture
def namespace(cluster: Cluster, _turn: None) -> Iterator[str]:
    """A fresh namespace; it is deleted after the test, without waiting."""
    with new_namespace(cluster) as name:
        yield name


@pytest.fixture
def own_cluster(cluster: Cluster) -> Cluster:
    """Our own cluster, with its fake nodes; skips on others."""
    if cluster.kind is not Kind.OWN:
        pytest.skip(f"needs the project's own cluster; this one is {cluster.kind}")
    return cluster


@pytest.fixture
def chaos(own_cluster: Cluster, _turn: None) -> Iterator[ModuleType]:
    """`tests.cluster.chaos`, while no other test uses the cluster; whatever was broken is mended after the test."""
    from tests.cluster import chaos

    yield chaos
    chaos.heal()


@pytest.fixture
def _turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests with `chaos` have the cluster to themselves, the others share it."""
    with _held(exclusive="chaos" in request.fixturenames):
        yield


_turns = 0
"""How many shared turns this process has."""


@contextmanager
def _held(*, exclusive: bool) -> Iterator[None]:
    global _turns
    if _turns:
        # Whoever waits in the gate waits for us too: to queue up behind it would be for ever.
        assert not exclusive, (
            "a test that wants the cluster alone runs while Workflows of this process are open"
        )
        yield
        return
    folder = cache() / "locks"
    folder.mkdir(exist_ok=True)
    gate, lock = (folder / f"tests-{this_checkout()}.{name}" for name in ("gate", "lock"))
    with gate.open("w") as at_gate, lock.open("w") as inside:
        # Who wants it alone waits in the gate, so that no further ones get in before.
        fcntl.flock(at_gate, fcntl.LOCK_EX)
        fcntl.flock(inside, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        fcntl.flock(at_gate, fcntl.LOCK_UN)
        _turns += not exclusive
        try:
            yield
        finally:
            _turns -= not exclusive
