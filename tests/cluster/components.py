"""The components of the cluster: the command line of each, and how one sees that it works."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import build
from tests.cluster.cached import digest
from tests.cluster.machine import Slot, inside
from tests.cluster.places import NODE, PKI, ROOM, STATE, VOLUMES

ETCD, API, MANAGER, SCHEDULER = "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"
VOLUMES_ = "volumes"
KWOK, CONTAINERD, KUBELET, PROXY = "kwok", "containerd", "kubelet", "kube-proxy"
SERVICES = "10.96.0.0/16"


@dataclass(frozen=True, slots=True)
class Component:
    """One process of the cluster."""

    name: str
    command: tuple[str, ...]
    in_node: bool = False

    @property
    def full_command(self) -> list[str]:
        return inside(self.command) if self.in_node else list(self.command)


def kubeconfig(user: str, *, in_node: bool = False) -> Path:
    return (NODE if in_node else STATE) / f"{user}.kubeconfig"


def components(slot: Slot) -> dict[str, Component]:
    """All of them, in the order in which they start."""
    in_node = {CONTAINERD: _containerd, KUBELET: _kubelet, PROXY: _proxy}
    outside: dict[str, Callable[[Slot], list[str | Path]]] = {
        ETCD: _etcd,
        API: _api_server,
        MANAGER: _controller_manager,
        SCHEDULER: _scheduler,
        VOLUMES_: _volumes,
        KWOK: _kwok,
    }
    table = {name: Component(name, tuple(map(str, command(slot)))) for name, command in outside.items()}
    for name, command in in_node.items():
        table[name] = Component(name, tuple(map(str, command(slot))), in_node=True)
    return table


def _etcd(slot: Slot) -> list[str | Path]:
    client, peer = (f"http://127.0.0.1:{slot.port(offset)}" for offset in (1, 2))
    return [
        build.kube(),
        "etcd",
        f"--data-dir={STATE / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--quota-backend-bytes=8589934592",
        "--log-level=warn",
    ]


def _api_server(slot: Slot) -> list[str | Path]:
    return [
        build.kube(),
        API,
        f"--etcd-servers=http://127.0.0.1:{slot.port(1)}",
        "--bind-address=0.0.0.0",
        f"--secure-port={slot.port(0)}",
        f"--advertise-address={slot.host}",
        f"--tls-cert-file={PKI / 'apiserver.crt'}",
        f"--tls-private-key-file={PKI / 'apiserver.key'}",
        f"--client-ca-file={PKI / 'ca.crt'}",
        f"--requestheader-client-ca-file={PKI / 'ca.crt'}",
        f"--kubelet-client-certificate={PKI / 'admin.crt'}",
        f"--kubelet-client-key={PKI / 'admin.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={PKI / 'service-accounts.key'}",
        f"--service-account-key-file={PKI / 'service-accounts.pub'}",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=Node,RBAC",
        "--enable-aggregator-routing=true",  # webhooks are reached at their pods: no kube-proxy runs out here
        "--allow-privileged=true",
        "--profiling=false",
    ]


def _controller_manager(slot: Slot) -> list[str | Path]:
    return [
        build.kube(),
        MANAGER,
        f"--kubeconfig={kubeconfig('controller-manager')}",
        f"--service-account-private-key-file={PKI / 'service-accounts.key'}",
        f"--root-ca-file={PKI / 'ca.crt'}",
        "--use-service-account-credentials=true",  # else RBAC refuses its controllers
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=2000",  # its 20 a second make a Job of 1,000 take 100 s
        "--kube-api-burst=4000",
        "--concurrent-job-syncs=20",
        "--concurrent-namespace-syncs=20",
        "--node-monitor-grace-period=20s",
        "--profiling=false",
    ]


def _scheduler(slot: Slot) -> list[str | Path]:
    return [
        build.kube(),
        SCHEDULER,
        f"--kubeconfig={kubeconfig('scheduler')}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=2000",
        "--kube-api-burst=4000",
        "--profiling=false",
    ]


def _volumes(slot: Slot) -> list[str | Path]:
    return [build.kube(), VOLUMES_, f"--kubeconfig={kubeconfig('admin')}", f"--root={VOLUMES}"]


def _kwok(slot: Slot) -> list[str | Path]:
    return [
        build.kwok(),
        f"--kubeconfig={kubeconfig('admin')}",
        f"--config={stages()}",
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--node-lease-duration-seconds=40",
        "--node-name=fake",
        f"--server-address=127.0.0.1:{slot.port(3)}",
    ]


def stages() -> Path:
    """The copy of stages.yaml that kwok reads: named by its content, so that another content restarts kwok."""
    return STATE / f"stages-{digest(ROOM / 'stages.yaml')}.yaml"


def _containerd(slot: Slot) -> list[str | Path]:
    return ["containerd", "--config=/run/node/containerd.toml"]


def _kubelet(slot: Slot) -> list[str | Path]:
    return [
        build.kube(),
        KUBELET,
        "--config=/run/node/kubelet.yaml",
        f"--kubeconfig={kubeconfig('kubelet', in_node=True)}",
        "--hostname-override=node1",
        f"--node-ip={slot.node}",
    ]


def _proxy(slot: Slot) -> list[str | Path]:
    return [
        build.kube(),
        PROXY,
        f"--kubeconfig={kubeconfig('proxy', in_node=True)}",
        "--hostname-override=node1",
        "--proxy-mode=iptables",
        f"--cluster-cidr={slot.pods}",
        "--conntrack-max-per-core=0",
    ]


def answers(port: int) -> bool:
    """Whether something listens on this port of this machine."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
