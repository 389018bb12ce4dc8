"""Fake nodes: kwok plays their kubelet, so that thousands of pods cost nothing. How a pod fares, its annotations say.

A pod gets onto them by `FAKE_POD`, merged into its spec; what is possible with annotations is in the README.
"""

from __future__ import annotations

from tests.cluster.api import Api, Json

SELECTOR = {"type": "kwok"}
TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
FAKE_POD: Json = {"nodeSelector": SELECTOR, "tolerations": [{**TAINT, "operator": "Equal"}]}
MESSAGE = "fake.headwater.dev/message"  # the termination message; "{}" where it is not given
DELAY = "fake.headwater.dev/delay"  # milliseconds that it runs
EXIT_CODE = "fake.headwater.dev/exit-code"  # fails with it
FAILING = (
    "fake.headwater.dev/failing"  # attempts of Headwater that fail: "1,2"; "1/4": index 4 of a Job's first
)
OUTCOME = "fake.headwater.dev/outcome"  # "manual": it runs until somebody patches its status


def make_node(api: Api, name: str) -> None:
    """Add a fake node to the cluster, or leave it as it is."""
    labels = {**SELECTOR, "kubernetes.io/hostname": name}
    metadata = {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"taints": [TAINT]}}
    api.apply(f"/api/v1/nodes/{name}", node)


def remove_node(api: Api, name: str) -> None:
    api.delete(f"/api/v1/nodes/{name}")
