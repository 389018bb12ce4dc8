"""The operator's rights are what it uses: all that it does works with them, and none of them is left over."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from headwater_operator.kube.connection import connect
from headwater_operator.options import OperatorOptions
from headwater_operator.service import Service

from tests.cluster.deployed import Json, kubeconfig_of_account, manifests, permissions
from tests.cluster.fixtures import RUNTIME_IMAGE, SMALL_IMAGE, Cluster

pytestmark = pytest.mark.timeout(600)
Right = tuple[str, str]
"""A verb, and GROUP/RESOURCE."""

AFTER_LOST_ANSWERS = {("get", "/pods")}
"""Used when a creation is repeated whose answer got lost."""

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/[^/]+(?:/namespaces/[^/]+)?/(?P<kind>\w+)(?:/(?P<name>[^/]+)(?P<sub>/\w+)?)?"
)
_VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


def right_for(method: str, path: str) -> Right:
    """What RBAC calls a request.

    >>> right_for("PATCH", "/apis/headwater.dev/v1alpha1/namespaces/a/workflows/b/status")
    ('patch', 'headwater.dev/workflows/status')
    """
    found = _PATH.fullmatch(path)
    assert found is not None, path
    verb = _VERBS.get(method) or ("get" if found["name"] else "list")
    return verb, f"{found['group'] or ''}/{found['kind']}{found['sub'] or ''}"


def granted() -> set[Right]:
    return {
        (verb, f"{group}/{resource}")
        for each in manifests()
        if each["kind"] in ("ClusterRole", "Role")
        for rule in each["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def shell(script: str, **more: Any) -> Json:
    return {"container": {"image": SMALL_IMAGE, "command": ["sh", "-c", script]}, **more}


def workflow(name: str, *nodes: Json, annotations: dict[str, str] | None = None, **spec: Any) -> Json:
    return {
        "apiVersion": "headwater.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"blocks": [{"name": "main", "nodes": list(nodes)}], **spec},
    }


def over(name: str, script: str, **more: Any) -> Json:
    """A map of a container over `make.xs`."""
    container = shell(script)["container"]
    return {"name": name, "map": {"container": container, "over": {"x": {"from": "make.xs"}}, **more}}


MAKE = shell(
    'echo "{\\"xs\\": [1, 2, 3]}" > $HEADWATER_RESULT', name="make", outputs={"xs": {"type": "list"}}
)
FAILS = {**over("flaky", 'test "$(cat /headwater/index)" != 1', tolerate="all"), "retry": {"limit": 1}}
KEEPS = shell("echo kept > /out/file.txt", name="keep", artifacts={"file": {"path": "/out/file.txt"}})
TEMPLATE = {
    "apiVersion": "headwater.dev/v1alpha1",
    "kind": "WorkflowTemplate",
    "metadata": {"name": "shared"},
    "spec": {"blocks": [{"name": "main", "nodes": [shell("exit 0", name="only")]}]},
}


class Bystander:
    """The test's own hands on the cluster, as the administrator."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.api = cluster.api
        self.path = f"/apis/headwater.dev/v1alpha1/namespaces/{namespace}"

    async def create(self, body: Json) -> None:
        await asyncio.to_thread(self.api.post, f"{self.path}/{body['kind'].lower()}s", body)

    async def change(self, name: str, **spec: Any) -> None:
        await asyncio.to_thread(self.api.patch, f"{self.path}/workflows/{name}", {"spec": spec})

    async def until(self, name: str, done: Callable[[Json], object], kind: str = "workflows") -> Json:
        wait = self.api.wait
        found: Json = await asyncio.to_thread(
            wait, f"{self.path}/{kind}/{name}", lambda each: done(each.get("status") or {}), 180.0
        )
        return found["status"]

    async def ends(self, name: str) -> str:
        status = await self.until(name, lambda each: each.get("finishedAt"))
        return f"{status['phase']} {status.get('message', '')}".strip()


@asynccontextmanager
async def recorded_operator(options: OperatorOptions, used: set[Right]) -> AsyncIterator[Service]:
    """An operator in this process that writes down every right it has used, and complains of every refusal."""
    service = Service(options, connect(options.kubeconfig))
    once, watch = service.api._once, service.api.watch

    async def recording_once(method: str, path: str, *rest: Any) -> Any:
        used.add(right_for(method, path))
        return await once(method, path, *rest)

    def recording_watch(path: str, *rest: Any) -> Any:
        used.add(("watch", right_for("GET", path)[1]))
        return watch(path, *rest)

    service.api._once = recording_once  # type: ignore[method-assign]
    service.api.watch = recording_watch  # type: ignore[method-assign]
    task = asyncio.create_task(service.run())
    try:
        yield service
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_operator_needs_all_of_its_rights_and_no_more(
    cluster: Cluster, namespace: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    used: set[Right] = set()
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "crds/")
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", "crds/")
    with permissions(cluster, namespace):
        options = OperatorOptions(
            kubeconfig=str(kubeconfig_of_account(cluster, namespace, tmp_path)),
            namespace=namespace,
            image=RUNTIME_IMAGE,
            database_url=f"sqlite:///{tmp_path}/runs.db",
        )
        async with recorded_operator(options, used):
            await _everything(Bystander(cluster, namespace), cluster, namespace)
    refused = [each.getMessage() for each in caplog.records if "forbidden" in each.getMessage()]
    assert [each for each in refused if "customresourcedefinitions" not in each] == []
    used = {each for each in used if "customresourcedefinitions" not in each[1]}
    assert used - granted() == set()
    assert granted() - used - AFTER_LOST_ANSWERS == set()


NOBODY = {
    "apiVersion": "headwater.dev/v1alpha1",
    "kind": "SlurmCluster",
    "metadata": {"name": "nobody"},
    "spec": {"transport": "rest", "endpoint": "http://127.0.0.1:9", "workdir": "/scratch"},
}


async def _everything(here: Bystander, cluster: Cluster, namespace: str) -> None:
    """Runs that between them make the operator do all that it can do."""
    await here.create(TEMPLATE)
    await here.create(workflow("first", MAKE, FAILS, {**KEEPS, "dependsOn": ["flaky"]}))
    await here.create({**workflow("by-template"), "spec": {"template": {"name": "shared"}}})
    await here.create(workflow("soon-gone", shell("exit 0", name="only"), ttlSecondsAfterFinished=1))
    await here.create(workflow("ended", MAKE, over("long", "sleep 300"), shell("sleep 300", name="longer")))
    await here.create(workflow("held", MAKE, over("slow", "sleep 6", parallelism=1)))
    await here.create(workflow("faster", MAKE, over("slow", "sleep 6"), parallelism=1))
    nobody = {**over("nobody", "exit 0")["map"], "over": {"x": {"value": [1, 2]}}}
    await here.create(
        workflow("stuck", {"name": "nobody", "map": nobody}, serviceAccountName="not-there-yet")
    )

    on_slurm = {"name": "far", "task": "tasks:far", "executor": "slurm", "slurm": {"cluster": "no-such"}}
    await here.create(workflow("on-slurm", on_slurm))
    assert "there is no SlurmCluster 'no-such'" in await here.ends("on-slurm")
    await here.create(NOBODY)
    await here.until("nobody", lambda each: "Secret" in each.get("message", ""), "slurmclusters")

    await here.until(
        "held", lambda each: each.get("nodes", {}).get("slow", {}).get("items", {}).get("succeeded")
    )
    await here.change("held", suspend=True)
    await here.until(
        "faster", lambda each: "running" in each.get("nodes", {}).get("slow", {}).get("items", {})
    )
    await here.change("faster", parallelism=3)
    await here.until(
        "ended", lambda each: "running" in each.get("nodes", {}).get("long", {}).get("items", {})
    )
    await here.change("ended", terminate="Cancel")

    assert await here.ends("first") == "Succeeded failed items: 1"
    await here.create(workflow("second", MAKE, FAILS, annotations={"headwater.dev/resumes": "first"}))
    assert await here.ends("by-template") == "Succeeded"
    assert (await here.ends("ended")).startswith("Cancelled")
    await here.until("stuck", lambda each: "not-there-yet" in str(each))
    await here.create(workflow("nowhere", shell("exit 0", name="only", nodeSelector={"no": "such"})))
    await here.until("nowhere", lambda each: "no=such" in str(each))
    await here.change("nowhere", terminate="Cancel")
    await asyncio.sleep(5)  # it looks for events only after a while
    await here.change("stuck", terminate="Cancel")
    await here.change("held", suspend=False)
    for name in ("held", "faster"):
        assert await here.ends(name) == "Succeeded"
    assert (await here.ends("stuck")).startswith("Cancelled")
    await here.ends("second")
    left = await asyncio.to_thread(cluster.api.get, f"{here.path}/workflows")
    assert "soon-gone" not in [each["metadata"]["name"] for each in left["items"]]


@pytest.mark.usefixtures("_turn")
def test_the_manifests_are_valid_and_build_with_kustomize(cluster: Cluster) -> None:
    built = list(yaml.safe_load_all(cluster.kubectl("kustomize", "deploy")))
    assert {each["kind"] for each in built} == {
        "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Deployment",
    }  # fmt: skip
    for each in built:
        if "namespace" not in each["metadata"]:  # of the others the namespace would have to be there
            cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(each))


def test_the_dashboards_manifests_are_valid(cluster: Cluster, namespace: str) -> None:
    for each in manifests("dashboard"):
        if "namespace" in each["metadata"]:
            each["metadata"]["namespace"] = namespace
        cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(each))
