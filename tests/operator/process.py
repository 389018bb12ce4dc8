"""An operator in a process of its own, as `flowctl operator run` starts it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.fixtures import RUNTIME_IMAGE, Cluster
from tests.cluster.places import CHECKOUT

START_SECONDS = 60.0


@contextmanager
def running_operator(cluster: Cluster, namespace: str, log: Path, *options: str) -> Iterator[None]:
    """An operator that looks after one namespace, for the time of a `with`; what it says goes to `log`."""
    command = [
        *(sys.executable, "-c", "from headwater.cli.main import main; main()", "operator", "run"),
        *("--kubeconfig", str(cluster.kubeconfig), "--namespace", namespace, "--lease-namespace", namespace),
        *("--image", RUNTIME_IMAGE, "--pull-policy", "Never" if cluster.kind == "own" else "IfNotPresent"),
        *options,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=CHECKOUT)
    try:
        _wait(cluster, namespace, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(cluster: Cluster, namespace: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    while not any((each.get("spec") or {}).get("holderIdentity") for each in cluster.api.get(path)["items"]):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the operator does not start:\n{log.read_text()}")
        time.sleep(0.2)
