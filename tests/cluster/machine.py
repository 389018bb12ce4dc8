"""The machine that is the cluster's node: namespaces (processes, mounts, network) with `pause` as their first process.

It is like the container that kind uses as a node, without Docker. When its first process ends, the kernel ends every
process in it, unmounts what was mounted and removes the network with its bridges and rules: nothing is left behind.
"""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import processes
from tests.cluster.build import pause
from tests.cluster.places import NODE
from tests.cluster.report import ClusterError
from tests.cluster.shell import run

INIT = "node-init"
CGROUPS = Path("/sys/fs/cgroup")
SLOTS = 200


@dataclass(frozen=True, slots=True)
class Slot:
    """Which addresses, ports and names on this machine are this cluster's: several clusters can run side by side.

    Addresses are of 198.18.0.0/15, which is set aside for tests: no real network has them.

    >>> Slot(3).node
    '198.18.3.2'
    """

    number: int

    @property
    def link(self) -> str:
        return f"headwater{self.number}"

    @property
    def host(self) -> str:
        return f"198.18.{self.number}.1"

    @property
    def node(self) -> str:
        return f"198.18.{self.number}.2"

    @property
    def pods(self) -> str:
        return f"198.19.{self.number}.0/24"

    @property
    def cgroup(self) -> str:
        return f"headwater{self.number}"

    def port(self, offset: int) -> int:
        return 21000 + 10 * self.number + offset


SETUP = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/node /run/lock
mount --bind {node} /run/node
mount --bind {node}/kubelet /var/lib/kubelet
mount --make-rshared /
ip link set lo up
ip address add {slot.node}/30 dev eth0
ip link set eth0 up
ip route add default via {slot.host}
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables || true
"""


def boot(wanted: Slot | None = None) -> Slot:
    """Start the machine, on the first free slot or on the one `wanted`."""
    for folder in (NODE / "kubelet", Path("/var/lib/kubelet")):
        folder.mkdir(parents=True, exist_ok=True)
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
    init = processes.start(INIT, ["unshare", *namespaces, pause()], child=True)
    for slot in [wanted] if wanted else map(Slot, range(SLOTS)):
        if _connected(slot, init.pid):
            break
    else:
        init.end()
        taken = wanted.link if wanted else "every slot"
        raise ClusterError(f"{taken} is taken by another cluster on this machine: `make cluster-down` there")
    _make_cgroups(slot)
    run(inside(["sh", "-c", SETUP.format(node=NODE, slot=slot)]))
    return slot


def _connected(slot: Slot, init: int) -> bool:
    link = ["ip", "link", "add", slot.link, "type", "veth", "peer", "name", "eth0", "netns", str(init)]
    if subprocess.run(link, capture_output=True).returncode:
        return False
    run(["ip", "address", "add", f"{slot.host}/30", "dev", slot.link])
    run(["ip", "link", "set", slot.link, "up"])
    run(["ip", "route", "replace", slot.pods, "via", slot.node])
    return True


def inside(command: Sequence[str | Path]) -> list[str]:
    """The command line that runs `command` in the machine."""
    return ["nsenter", "--target", str(_init().pid), "--net", "--pid", "--mount", "--", *map(str, command)]


def _init() -> processes.Process:
    init = processes.find(INIT)
    if init is None:
        raise ClusterError("the cluster's node does not run: `make cluster`")
    return init


def path(name: str) -> Path:
    """A file of the machine, as seen from outside."""
    return Path(f"/proc/{_init().pid}/root") / name.lstrip("/")


def shut_down(slot: Slot) -> None:
    """End the machine and everything in it, and remove what the kernel does not remove by itself."""
    if init := processes.find(INIT):
        init.end(patience=0)
    subprocess.run(["ip", "link", "delete", slot.link], capture_output=True)
    remove_cgroups(slot.cgroup)
    # To remove the folder would take away what another cluster of this machine has mounted there.
    if not any(Path("/sys/class/net", other.link).exists() for other in map(Slot, range(SLOTS))):
        with suppress(OSError):
            Path("/var/lib/kubelet").rmdir()


def _hierarchies() -> list[Path]:
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink()]


def _make_cgroups(slot: Slot) -> None:
    for hierarchy in _hierarchies():
        folder = hierarchy / slot.cgroup
        folder.mkdir(exist_ok=True)
        if (hierarchy / "cgroup.controllers").exists():
            wanted = " ".join(f"+{name}" for name in (hierarchy / "cgroup.controllers").read_text().split())
            with suppress(OSError):  # processes in the root of a container's own cgroup namespace
                (hierarchy / "cgroup.subtree_control").write_text(wanted)
        for setting in (
            "cpuset.cpus",
            "cpuset.mems",
        ):  # of version 1: empty until set, and nothing runs in it
            if (hierarchy / setting).exists():
                (folder / setting).write_text((hierarchy / setting).read_text())


def remove_cgroups(name: str) -> None:
    """Remove the cgroup and those in it, from every hierarchy."""
    for hierarchy, _ in itertools.product(_hierarchies(), range(100)):
        folder = hierarchy / name
        if not folder.exists():
            continue
        for nested in sorted(folder.rglob("*/"), key=lambda path: len(path.parts), reverse=True):
            with suppress(OSError):
                nested.rmdir()
        with suppress(OSError):
            folder.rmdir()
        if folder.exists():
            time.sleep(0.02)  # its last process is not quite gone
