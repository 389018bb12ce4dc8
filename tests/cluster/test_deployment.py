"""`deploy/` works: operator and dashboard in pods, with their rights, their probes and a read-only root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from headwater.records import upgrade

from tests.cluster.deployed import deployment, operator_deployment, permissions
from tests.cluster.fixtures import OPERATOR_IMAGE, RUNTIME_IMAGE, Cluster
from tests.cluster.test_examples import EXAMPLES, submit
from tests.cluster.workflows import spec_of, until_true
from tests.cluster.workflows import submit as submit_workflow
from tests.operator.mirror.conftest import start_server
from tests.operator.mirror.servers import Server
from tests.operator.process import running_operator

pytestmark = pytest.mark.timeout(600)

SAYS = """
nodes:
- name: say
  container: !sh echo hello; while [ ! -e /tmp/over ]; do sleep 0.1; done
"""


def test_an_operator_in_the_cluster_runs_a_pipeline(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    body = operator_deployment(namespace, OPERATOR_IMAGE, RUNTIME_IMAGE)
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
        (pod,) = _pods(cluster, namespace, "operator")
        said = cluster.logs(namespace, pod["metadata"]["name"])
        assert "active in namespace" in said
        assert "forbidden" not in said, said
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        asked = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"
        assert "headwater_active_runs" in cluster.api.text(f"{asked}:9090/proxy/metrics")
        assert "active" in cluster.api.text(f"{asked}:8080/proxy/healthz")


def test_a_dashboard_in_the_cluster_shows_runs_their_logs_and_cancels_them(
    own_cluster: Cluster, namespace: str, tmp_path: Path, postgres: Server
) -> None:
    cluster, name = own_cluster, "headwater-dashboard"
    with postgres.database() as database, permissions(cluster, namespace, "dashboard"):
        upgrade(postgres.url(database))
        from_pods = postgres.url(database).replace("127.0.0.1", cluster.host)
        secret = {"metadata": {"name": name}, "stringData": {"database": from_pods, "token": "s3cret-token"}}
        cluster.api.post(f"/api/v1/namespaces/{namespace}/secrets", secret)
        deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        cluster.api.post(deployments, deployment(namespace, OPERATOR_IMAGE, "dashboard"))
        with running_operator(
            cluster, namespace, tmp_path / "operator.log", "--database-url", postgres.url(database)
        ):
            cluster.api.wait(
                f"{deployments}/{name}",
                lambda each: (each.get("status") or {}).get("availableReplicas"),
                180.0,
            )
            (pod,) = _pods(cluster, namespace, "dashboard")
            run = submit_workflow(cluster, namespace, "said", spec_of(SAYS))
            with httpx.Client(base_url=f"http://{pod['status']['podIP']}:8265", timeout=60) as client:
                assert client.get("/api/v1/runs").status_code == 401
                client.headers["Authorization"] = "Bearer s3cret-token"

                def ask(path: str) -> Any:
                    return client.get(f"/api/v1/{path}").raise_for_status().json()

                until_true(lambda: ask("runs")["items"], "the run is not shown")
                (shown,) = ask("runs")["items"]
                logs = f"runs/{shown['run_id']}/logs"
                until_true(lambda: "say: hello\n" in ask(logs)["text"], "the log is not shown")
                wish = {"json": {"action": "cancel"}, "headers": {"X-Headwater-CSRF": ask("me")["csrf"]}}
                client.post(f"/api/v1/runs/{shown['run_id']}/actions", **wish).raise_for_status()
                run.ended("Cancelled")
                until_true(lambda: ask(logs)["complete"], "the log does not end")
        said = cluster.logs(namespace, pod["metadata"]["name"])
        assert "forbidden" not in said, said
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


@pytest.fixture
def postgres(own_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that pods can reach."""
    yield from start_server("-c", f"listen_addresses=127.0.0.1,{own_cluster.host}", hosts="all")


def _pods(cluster: Cluster, namespace: str, of: str) -> list[Any]:
    found: list[Any] = cluster.api.get(
        f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"app.kubernetes.io/name=headwater-{of}"
    )["items"]
    return found
