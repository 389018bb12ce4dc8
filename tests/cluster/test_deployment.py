"""`deploy/operator.yaml` works: the operator in a pod, with its rights, its probes and its read-only root."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.deployed import deployment, permissions
from tests.cluster.fixtures import OPERATOR_IMAGE, RUNTIME_IMAGE, Cluster
from tests.cluster.test_examples import EXAMPLES, submit

pytestmark = pytest.mark.timeout(600)


def test_an_operator_in_the_cluster_runs_a_pipeline(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    body = deployment(namespace, OPERATOR_IMAGE, RUNTIME_IMAGE)
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    with permissions(cluster, namespace):
        cluster.api.post(path, body)
        cluster.api.wait(
            f"{path}/headwater-operator",
            lambda each: (each.get("status") or {}).get("availableReplicas"),
            180.0,
        )
        found = submit(cluster, namespace, tmp_path, str(EXAMPLES / "pi.py"), "-p", "batches=2")
        assert found["outputs"]["pi"] == pytest.approx(3.14, abs=0.02)
        (pod,) = _pods(cluster, namespace)
        said = cluster.logs(namespace, pod["metadata"]["name"])
        assert "active in namespace" in said
        assert "forbidden" not in said, said
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        asked = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"
        assert "headwater_active_runs" in cluster.api.text(f"{asked}:9090/proxy/metrics")
        assert "active" in cluster.api.text(f"{asked}:8080/proxy/healthz")


def _pods(cluster: Cluster, namespace: str) -> list[Any]:
    found: list[Any] = cluster.api.get(
        f"/api/v1/namespaces/{namespace}/pods", labelSelector="app.kubernetes.io/name=headwater-operator"
    )["items"]
    return found
