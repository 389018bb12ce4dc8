"""Bring the cluster up and down, and say how it is."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

from tests.cluster import build, certificates, fakes, images, machine, node_files, processes
from tests.cluster.api import Api, ApiError, Json
from tests.cluster.components import API, CONTAINERD, KUBELET, Component, components, kubeconfig, stages
from tests.cluster.machine import Slot
from tests.cluster.places import KUBECONFIG, LOGS, NODE, ROOM, STATE, VOLUMES, locked, this_checkout
from tests.cluster.report import ClusterError, say, step

RECORD = STATE / "cluster.json"
LOCK = f"cluster-{this_checkout()}.lock"
GONE = (OSError, ApiError)


def up() -> None:
    """Make the cluster run: build what is missing, start what does not run, leave alone what does."""
    with locked(LOCK):
        _build()
        if healthy():
            images.import_images()
            return
        with step("starting the cluster"):
            try:
                importing = _start_all()
            except (ClusterError, OSError) as error:
                say(f"{error}\nstarting again from nothing")
                _end()
                importing = _start_all()
            importing.result()
        say(f"export KUBECONFIG={KUBECONFIG}")


def mend() -> None:
    """Bring back what has ended, and leave the images as they are."""
    with locked(LOCK):
        if not healthy():
            _start_node()
            _start_rest()


def down() -> None:
    """End every process of the cluster and remove its state. What was built stays."""
    with locked(LOCK):
        _end()


def _build() -> None:
    build.install_packages()
    if problem := build.go_problem():
        raise ClusterError(problem)
    for make in (build.kube, build.kwok, build.debian):
        make()
    images.images()  # downloads their wheels


def slot() -> Slot:
    """The slot of the cluster that runs, or ran."""
    try:
        return Slot(json.loads(RECORD.read_text())["slot"])
    except FileNotFoundError:
        raise ClusterError("no cluster runs here: `make cluster`") from None


def healthy() -> bool:
    """Whether everything runs as it should."""
    if not RECORD.exists() or not processes.find(machine.INIT):
        return False
    for component in components(slot()).values():
        if not _as_wanted(component):
            return False
    with suppress(*GONE):
        api = Api(KUBECONFIG)
        return api.text("/readyz") == "ok" and _ready(api.get("/api/v1/nodes/node1"))
    return False


def _as_wanted(component: Component) -> bool:
    found = processes.find(component.name)
    return found is not None and found.command == tuple(component.full_command)


def _start_all() -> Future[None]:
    _start_node()
    with ThreadPoolExecutor() as pool:
        importing = pool.submit(images.import_images)
        _start_rest()
    return importing


def _start_node() -> None:
    """The machine and its containerd, which is enough to import images."""
    processes.forget_ended()
    here = slot() if RECORD.exists() else None
    if here is None or not processes.find(machine.INIT):
        STATE.mkdir(exist_ok=True)
        here = machine.boot(here)
        RECORD.write_text(json.dumps({"slot": here.number}))
    _write_files(here)
    if not _as_wanted(components(here)[CONTAINERD]):
        start(CONTAINERD)
    _wait("containerd", 20, _containerd_answers)


def _containerd_answers() -> bool:
    """Not only its socket is there: a kubelet that comes too early gives up."""
    asked = machine.inside(
        ["ctr", "--address=/run/containerd/containerd.sock", "--connect-timeout=1s", "version"]
    )
    return subprocess.run(asked, capture_output=True).returncode == 0


def _start_rest() -> None:
    for name, component in components(slot()).items():
        if not _as_wanted(component):
            start(name)
        if name == API:
            _wait(API, 60, lambda: Api(KUBECONFIG).text("/readyz") == "ok")
    api = Api(KUBECONFIG)
    _make_objects(api)
    _wait("the node", 60, lambda: _ready(api.get("/api/v1/nodes/node1")))
    _wait("the node's lease", 60, lambda: _fresh(api))
    _wait("the default service account", 30, lambda: bool(api.get(SERVICE_ACCOUNT)))


def _make_objects(api: Api) -> None:
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "directories",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "headwater.dev/directory",
    }
    api.apply("/apis/storage.k8s.io/v1/storageclasses/directories", storage)
    for number in range(FAKE_NODES):
        fakes.make_node(api, f"fake-{number}")


FAKE_NODES = 3
SERVICE_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1"


def _write_files(here: Slot) -> None:
    for folder in (NODE, VOLUMES, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    VOLUMES.chmod(0o755)
    if not KUBECONFIG.exists():
        certificates.issue_all(here.host, here.node)
        outside, from_node = (f"https://{host}:{here.port(0)}" for host in ("127.0.0.1", here.host))
        for user in ("admin", "controller-manager", "scheduler"):
            certificates.write_kubeconfig(kubeconfig(user), user, outside)
        for user in ("kubelet", "proxy"):
            certificates.write_kubeconfig(kubeconfig(user, in_node=True), user, from_node)
        certificates.write_kubeconfig(KUBECONFIG, "admin", outside)
    node_files.write(here)
    shutil.copy(ROOM / "stages.yaml", stages())
    kubectl = STATE / "bin" / "kubectl"
    kubectl.parent.mkdir(exist_ok=True)
    kubectl.unlink(missing_ok=True)
    kubectl.symlink_to(build.kube())


def _ready(node: Json) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _fresh(api: Api) -> bool:
    renewed = datetime.fromisoformat(api.get(LEASE)["spec"]["renewTime"])
    found = processes.find(KUBELET)
    return found is not None and (datetime.now(UTC) - renewed).total_seconds() < found.age


def _wait(what: str, seconds: float, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(*GONE):
            if ready():
                return
        for name in components(slot()):
            if (processes.RECORDS / f"{name}.json").exists() and not processes.find(name):
                raise ClusterError(f"{name} has ended; {LOGS / name}.log says:\n{processes.last_words(name)}")
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} was not ready after {seconds:.0f} s; logs are in {LOGS}")
        time.sleep(0.05)


def start(name: str) -> None:
    """Start one component; one that runs, or an old one, is ended first."""
    component = components(slot())[name]
    stop(name)
    processes.start(name, component.full_command, child=component.in_node)


def stop(name: str, how: signal.Signals = signal.SIGTERM) -> None:
    if found := processes.find(name):
        found.end(how)


def _end() -> None:
    here = slot() if RECORD.exists() else None
    for found in [machine.INIT, *(path.stem for path in processes.RECORDS.glob("*.json"))]:
        stop(found, signal.SIGKILL)
    if here:
        machine.shut_down(here)
    shutil.rmtree(STATE, ignore_errors=True)


def import_images() -> None:
    """Import the images whose files have changed into the running cluster."""
    with locked(LOCK):
        slot()
        images.import_images()


def print_status() -> int:
    """Print a line per process; 0 if all is well."""
    for name in [machine.INIT, *components(slot())]:
        found = processes.find(name)
        state = (
            f"process {found.pid}, {found.megabytes} MB, up {found.age:.0f} s" if found else "does not run"
        )
        print(f"{name:<25}{state}")
    well = healthy()
    print("healthy" if well else f"not healthy: `make cluster` mends it; logs are in {LOGS}")
    return 0 if well else 1


def restart(name: str) -> None:
    """Restart one component and wait until the API answers."""
    if name not in components(slot()):
        raise ClusterError(f"no component {name}; there are: {', '.join(components(slot()))}")
    start(name)
    _wait(API, 60, lambda: Api(KUBECONFIG).text("/readyz") == "ok")
