"""The configuration files of what runs in the node. Their paths are those inside it: /run/node is `.cluster/node`."""

from __future__ import annotations

import json

import yaml

from tests.cluster.machine import Slot
from tests.cluster.places import NODE, PKI

CONTAINERD = """\
version = 2
root = "/run/node/containerd"
state = "/run/containerd"
# Those that this machine lacks, and one that would make a folder outside the node.
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt"]
[grpc]
  address = "/run/containerd/containerd.sock"
[debug]
  level = "warn"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true  # where a container may not lower it, every sandbox would die
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/run/node/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""


def _network(slot: Slot) -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": slot.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/cni",
    }
    bridge = {"type": "bridge", "bridge": "pods", "isGateway": True, "ipMasq": True, "hairpinMode": True}
    plugins = [{**bridge, "ipam": addresses}, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}


def _kubelet(slot: Slot) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": slot.node,
        "authentication": {"webhook": {"enabled": True}, "x509": {"clientCAFile": str(PKI / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(PKI / "kubelet.crt"),
        "tlsPrivateKeyFile": str(PKI / "kubelet.key"),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{slot.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "maxPods": 200,
        "resolvConf": "/run/node/resolv.conf",
        "volumePluginDir": "/run/node/volume-plugins",
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "eventRecordQPS": 0,
        "serializeImagePulls": False,
        "nodeStatusUpdateFrequency": "4s",
        "nodeLeaseDurationSeconds": 16,
        "shutdownGracePeriod": "0s",
    }


def write(slot: Slot) -> None:
    (NODE / "cni").mkdir(parents=True, exist_ok=True)
    (NODE / "containerd.toml").write_text(CONTAINERD)
    (NODE / "cni" / "pods.conflist").write_text(json.dumps(_network(slot), indent=2))
    (NODE / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(slot), sort_keys=False))
    (NODE / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # there is no DNS: say so at once
