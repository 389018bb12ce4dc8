"""`deploy/*.yaml` in a namespace of a test: its own names for what belongs to the whole cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.fixtures import Cluster
from tests.cluster.places import CHECKOUT

Json = dict[str, Any]
ACCOUNT = "headwater-operator"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_CLUSTER_WIDE = {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings"}


def manifests(of: str = "operator") -> list[Json]:
    """What `deploy/operator.yaml` creates, or another file there."""
    text = (CHECKOUT / "deploy" / f"{of}.yaml").read_text(encoding="utf-8")
    return [each for each in yaml.safe_load_all(text) if each]


@contextmanager
def permissions(cluster: Cluster, namespace: str, of: str = "operator") -> Iterator[None]:
    """The service account of `deploy/operator.yaml`, or of another file, in this namespace, with its rights."""
    left_out = ("Namespace", "Deployment")
    own = [_moved(each, namespace) for each in manifests(of) if each["kind"] not in left_out]
    try:
        cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(own))
        yield
    finally:
        for each in own:
            if each["kind"] in _CLUSTER_WIDE:
                cluster.api.delete(f"{_RBAC}/{_CLUSTER_WIDE[each['kind']]}/{each['metadata']['name']}")


def _moved(obj: Json, namespace: str) -> Json:
    found: Json = yaml.safe_load(yaml.safe_dump(obj))
    suffix = f"-{namespace}"
    if found["kind"] in _CLUSTER_WIDE:
        found["metadata"]["name"] += suffix
    else:
        found["metadata"]["namespace"] = namespace
    if found.get("roleRef", {}).get("kind") == "ClusterRole":
        found["roleRef"]["name"] += suffix
    for subject in found.get("subjects") or ():
        subject["namespace"] = namespace
    return found


def kubeconfig_of_account(cluster: Cluster, namespace: str, folder: Path) -> Path:
    """A kubeconfig that logs in as the operator's service account."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{ACCOUNT}/token"
    answer = cluster.api.post(
        path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    )
    config = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    config["users"] = [
        {"name": each["name"], "user": {"token": answer["status"]["token"]}} for each in config["users"]
    ]
    for each in config["contexts"]:
        each["context"]["namespace"] = namespace
    found = folder / "operator.kubeconfig"
    found.write_text(yaml.safe_dump(config), encoding="utf-8")
    return found


def deployment(namespace: str, image: str, of: str = "operator") -> Json:
    """The Deployment, in this namespace and with this image."""
    found = _moved(next(each for each in manifests(of) if each["kind"] == "Deployment"), namespace)
    found["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return found


def operator_deployment(namespace: str, image: str, runtime_image: str) -> Json:
    """The operator's Deployment, for one namespace and with these images."""
    found = deployment(namespace, image)
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["args"] = [
        *(each for each in container["args"] if not each.startswith("--image=")),
        f"--image={runtime_image}",
        f"--namespace={namespace}",
    ]
    return found
