"""The whole cluster: up, down, and how it is."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.slurm import daemons
from tests.slurm.daemons import Daemon, last_words, wait_until
from tests.slurm.places import ENV, RESOURCE, STATE, Slot, SlurmTestError, host_address, locked, slot
from tests.slurm.settings import CGROUP, NODES, environment, write_all

PACKAGES = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "slurmrestd": "slurmrestd",
    "sbatch": "slurm-client",
    "munged": "munge",
    "sshd": "openssh-server",
}
JWT_PLUGIN = "slurm-wlm-jwt-plugin"


def missing_packages() -> list[str]:
    """The Debian packages that are not installed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [package for program, package in PACKAGES.items() if shutil.which(program, path=path) is None]
    plugins = list(Path("/usr/lib").glob("*/slurm-wlm/auth_jwt.so"))
    return missing if plugins else [*missing, JWT_PLUGIN]


def obstacle() -> str | None:
    """Why the cluster cannot run on this machine; None when it can."""
    if os.geteuid() != 0:
        return (
            "the Slurm test cluster needs root (munge, cgroups, slurmd): run as root, e.g. `sudo make slurm`"
        )
    missing = missing_packages()
    if missing and shutil.which("apt-get") is None:
        return f"not installed: {', '.join(missing)}; install them with this system's package manager"
    return None


def install() -> None:
    """Install what is missing."""
    missing = missing_packages()
    if not missing:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-qq", "--no-install-recommends", *missing]
    for attempt in (command, ["apt-get", "update", "-qq"], command):
        said = subprocess.run(attempt, env=quiet, capture_output=True, text=True)
        if attempt is command and said.returncode == 0:
            return
    raise SlurmTestError(f"`{' '.join(command)}` failed:\n{said.stderr[-1500:]}")


def up() -> Slot:
    """Start what does not run; a cluster that runs is left as it is."""
    if why := obstacle():
        raise SlurmTestError(why)
    with locked():
        install()
        chosen = slot()
        os.environ.update(environment(chosen))
        os.environ.pop("SLURM_JWT", None)
        if not is_complete(chosen):
            write_all(chosen)
            _start_missing(chosen)
        return chosen


def is_complete(chosen: Slot) -> bool:
    """Whether every daemon runs and Slurm answers."""
    names = {daemon.name for daemon in daemons.every()}
    return ENV.exists() and RESOURCE.exists() and _wanted(chosen) <= names and responds(chosen)


def _wanted(chosen: Slot) -> set[str]:
    return {"munged", "slurmctld", "slurmrestd", *(f"slurmd-{chosen.node(i + 1)}" for i in range(NODES))}


def responds(chosen: Slot) -> bool:
    """Whether all nodes are ready for jobs."""
    states = "idle,mix,alloc,comp"
    command = ["sinfo", "-h", "-N", "-p", "debug", "-t", states, "-o", "%N"]
    with suppress(subprocess.TimeoutExpired):
        said = subprocess.run(command, capture_output=True, text=True, timeout=5)
        return len(set(said.stdout.split())) == NODES
    return False


def _start_missing(chosen: Slot) -> None:
    if daemons.find("munged") is None:
        (STATE / "munge.sock").unlink(missing_ok=True)
        daemons.start("munged", _munged())
        _expect("munged", lambda: (STATE / "munge.sock").exists(), 10)
    if daemons.find("slurmctld") is None:
        start_controller(chosen)
    for index in range(1, NODES + 1):
        start_node(chosen, index)
    if daemons.find("slurmrestd") is None:
        _start_rest(chosen)
    for index in range(1, NODES + 1):
        if not responds(chosen):
            undrain(chosen.node(index))
    _expect("slurmctld", lambda: responds(chosen), 30)


def _munged() -> list[str]:
    paths = {
        "key-file": "munge.key",
        "socket": "munge.sock",
        "pid-file": "munged.pid",
        "seed-file": "munge.seed",
    }
    return [
        "munged",
        "--foreground",
        "--force",
        *(f"--{option}={STATE / file}" for option, file in paths.items()),
    ]


def start_controller(chosen: Slot) -> Daemon:
    """Start slurmctld and wait until it answers."""
    _wait_for_port(chosen.controller)
    daemon = daemons.start("slurmctld", ["slurmctld", "-D", "-f", f"{STATE}/slurm.conf"])
    ping = ["scontrol", "ping"]
    _expect("slurmctld", lambda: subprocess.run(ping, capture_output=True).returncode == 0, 20)
    return daemon


def start_node(chosen: Slot, index: int) -> Daemon:
    """Start one slurmd, unless it runs."""
    name = f"slurmd-{chosen.node(index)}"
    if running := daemons.find(name):
        return running
    _wait_for_port(chosen.node_port(index))
    return daemons.start(name, ["slurmd", "-D", "-f", f"{STATE}/slurm.conf", "-N", chosen.node(index)])


def undrain(node: str) -> None:
    """Give a node back to Slurm."""
    command = ["scontrol", "update", f"nodename={node}", "state=resume"]
    subprocess.run(command, capture_output=True, timeout=10)


def _start_rest(chosen: Slot) -> None:
    # It must run neither as root nor as SlurmUser; without slurmdbd its other plugin would end it.
    (STATE / "sock" / "restd").unlink(missing_ok=True)
    listen = {f"{address}:{chosen.rest}": None for address in ("127.0.0.1", host_address())}
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    rest = [
        "slurmrestd",
        "-f",
        f"{STATE}/slurm.conf",
        "-a",
        "rest_auth/jwt",
        "-s",
        "openapi/v0.0.38",
        "-t",
        "4",
    ]
    _wait_for_port(chosen.rest)
    daemons.start("slurmrestd", [*user, *rest, *listen, f"unix:{STATE}/sock/restd"], {"SLURM_JWT": "daemon"})
    _expect("slurmrestd", lambda: _listens(chosen.rest), 10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for_port(port: int) -> None:
    if not wait_until(lambda: not _listens(port), 10):
        raise SlurmTestError(f"port {port} is taken by a process that this tool did not start: `ss -ltnp`")


def _expect(name: str, holds: object, seconds: float) -> None:
    if not wait_until(holds, seconds):  # type: ignore[arg-type]
        raise SlurmTestError(f"{name} is not ready after {seconds:g} s; its log says:\n{last_words(name)}")


def down() -> None:
    """Cancel what runs, end the daemons, remove the folder and the cgroups: nothing is left."""
    if not STATE.exists():
        return
    with locked():
        chosen = slot()
        os.environ.update(environment(chosen))
        _cancel_everything()
        for daemon in sorted(daemons.every(), key=lambda each: each.name == "munged"):
            daemon.end(signal.SIGKILL)
        for index in range(1, NODES + 1):
            remove_cgroups(chosen.node(index))
        shutil.rmtree(STATE)


def _cancel_everything() -> None:
    if daemons.find("slurmctld") is None:
        return
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(["scancel", "--full", "--state=PENDING"], capture_output=True, timeout=10)
        subprocess.run(
            ["scancel", "--full", "--signal=KILL", "--state=RUNNING"], capture_output=True, timeout=10
        )
    running = ["squeue", "-h", "-t", "running,completing"]
    wait_until(lambda: not subprocess.run(running, capture_output=True).stdout.strip(), 10)


def remove_cgroups(node: str) -> None:
    """Remove what slurmd has made for a node, in every hierarchy."""
    for folder in CGROUP.glob(f"*/slurm_{node}"):
        for _ in range(50):
            for nested in sorted(folder.rglob("*/"), key=lambda path: -len(path.parts)):
                with suppress(OSError):
                    nested.rmdir()
            with suppress(OSError):
                folder.rmdir()
            if not folder.exists():
                break
            time.sleep(0.02)
