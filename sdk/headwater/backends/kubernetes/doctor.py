"""What a cluster needs so that runs work there, checked one by one, each with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from headwater.backends.kubernetes.api import GROUP, VERSION, Cluster, Json
from headwater.backends.kubernetes.errors import (
    ClusterError,
    ClusterForbidden,
    ClusterNotFound,
    ClusterUnreachable,
)
from headwater.backends.kubernetes.leases import health_of, holder_of, operator_leases, renewed_at
from headwater.backends.kubernetes.outcome import epoch, phase_of
from headwater.backends.kubernetes.refusals import INSTALL
from headwater.errors import HeadwaterError

STORE_CLAIM = "headwater-store"
OLDEST_MINOR = 30
LEASE_PATIENCE = 45.0
MOST_WAITING = 10
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NEEDED = (
    *((verb, GROUP, "workflows", "") for verb in ("create", "get", "list", "watch", "patch", "delete")),
    *((verb, "", "configmaps", "") for verb in ("create", "get", "patch")),
    *((verb, "", "pods", "") for verb in ("get", "list", "create", "delete")),
    ("get", "", "pods", "log"),
    ("list", "batch", "jobs", ""),
)
_BAD_IMAGE = ("ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `ok` is None where it is only told, or could not be looked at."""

    name: str
    ok: bool | None
    said: str
    fix: str = ""


def examine(cluster: Cluster) -> Iterator[Finding]:
    """All checks, in an order in which the first that fails explains those after it."""
    try:
        yield _version(cluster)
    except HeadwaterError as error:
        yield Finding("API server", False, error.message, error.fix)
        return
    for name, check in (
        ("namespace", _namespace),
        ("resources", _resources),
        ("operator", operator_findings),
        ("permissions", _permissions),
        ("store", _store),
        ("Slurm", _slurm),
        ("pods", _pods),
        ("runs", _runs),
    ):
        yield from _tried(name, check, cluster)


def _tried(name: str, check: Callable[[Cluster], Iterator[Finding]], cluster: Cluster) -> Iterator[Finding]:
    try:
        yield from check(cluster)
    except ClusterForbidden as error:
        yield Finding(name, None, f"cannot be looked at: {error.message}", error.fix)
    except ClusterUnreachable:
        raise
    except ClusterError as error:
        yield Finding(name, False, error.message, error.fix)


def _version(cluster: Cluster) -> Finding:
    found = cluster.get("/version")
    where = f"{cluster.server} is Kubernetes {found['gitVersion']}, context {cluster.login.context or '(in cluster)'}"
    minor = "".join(filter(str.isdigit, found.get("minor", "")))
    if minor and (found.get("major"), int(minor)) < ("1", OLDEST_MINOR):
        return Finding(
            "API server", False, where, f"Headwater needs Kubernetes 1.{OLDEST_MINOR} or newer: upgrade it."
        )
    return Finding("API server", True, f"{where}, namespace {cluster.namespace}")


def _namespace(cluster: Cluster) -> Iterator[Finding]:
    """A namespace that does not exist; of one that does there is nothing to say."""
    try:
        cluster.get(f"/api/v1/namespaces/{cluster.namespace}")
    except ClusterForbidden:
        return
    except ClusterNotFound as error:
        yield Finding("namespace", False, error.message, error.fix)


def _resources(cluster: Cluster) -> Iterator[Finding]:
    from headwater.document.crd import custom_resource_definitions

    missing, other = [], []
    for own in custom_resource_definitions():
        name = own["metadata"]["name"]
        try:
            if not _same(own, cluster.get(f"{_CRDS}/{name}")):
                other.append(name)
        except ClusterNotFound:
            missing.append(name)
        except ClusterForbidden:
            cluster.get(f"/apis/{GROUP}/{VERSION}")  # whoever may not read them may use them all the same
            yield Finding("resources", None, f"{GROUP}/{VERSION} is served; its schemas cannot be compared")
            return
    if missing:
        yield Finding("resources", False, f"not installed: {', '.join(missing)}", INSTALL)
    if other:
        said = f"of another version than this flowctl: {', '.join(other)}"
        yield Finding("resources", False, said, "Install those of this version: kubectl apply -f crds/.")
    if not missing and not other:
        yield Finding("resources", True, f"{GROUP}/{VERSION} is installed, in this version")


def _same(own: Json, served: Json) -> bool:
    def schemas(definition: Json) -> dict[str, Any]:
        return {each["name"]: _without_empty(each.get("schema")) for each in definition["spec"]["versions"]}

    return schemas(own) == schemas(served)


def _without_empty(written: Any) -> Any:
    """The server leaves out empty lists."""
    if isinstance(written, dict):
        return {key: _without_empty(part) for key, part in written.items() if part != []}
    return [_without_empty(part) for part in written] if isinstance(written, list) else written


def operator_findings(cluster: Cluster) -> Iterator[Finding]:
    """Whether an operator is alive that looks after the namespace."""
    leases = operator_leases(cluster)
    now = cluster.clock()
    # An operator that ends in order gives its Lease back: it keeps its time, but nobody holds it.
    fresh = [each for each in leases if holder_of(each) and now - renewed_at(each) < LEASE_PATIENCE]
    if not leases:
        yield Finding(
            "operator",
            False,
            "no operator has ever run here",
            "Start one: flowctl operator run.",
        )
    elif not fresh:
        last = max(leases, key=renewed_at)
        ago = f"{now - renewed_at(last):,.0f} s ago"
        if holder_of(last):
            said, fix = f"was last alive {ago}", "Look at its pod and log, or start it: flowctl operator run."
        else:
            said, fix = f"has ended, {ago}", "Start it again: flowctl operator run."
        yield Finding("operator", False, f"the operator {said}", fix)
    elsewhere = {id(each): found for each in fresh if (found := _only_looks_after(each, cluster.namespace))}
    for lease in fresh:
        if id(lease) in elsewhere:
            continue
        where = f"{lease['metadata']['namespace']}/{lease['metadata']['name']}"
        yield Finding("operator", True, f"{holder_of(lease)} is alive (lease {where})")
        yield from _health(lease)
    if elsewhere:
        listed = ", ".join(sorted(set(elsewhere.values()))[:5])
        if len(elsewhere) == len(fresh):
            yield Finding(
                "operator",
                False,
                f"none looks after namespace {cluster.namespace!r}; those that run look after {listed}",
                f"Start one: flowctl operator run --namespace {cluster.namespace}.",
            )
        else:
            yield Finding("operator", None, f"others look after {listed}")


def _only_looks_after(lease: Json, namespace: str) -> str:
    """The one namespace that an operator looks after, where it is another one."""
    found = str(health_of(lease).get("namespace") or "")
    return found if found != namespace else ""


def _health(lease: Json) -> Iterator[Finding]:
    """What the operator itself says of what it depends on."""
    said = health_of(lease)
    mirror = str(said.get("mirror") or "")
    if mirror:
        broken = "not recorded since" in mirror
        fix = (
            "Look after the database; nothing is lost, what waits is written when it is back."
            if broken
            else ""
        )
        yield Finding("database", None if mirror == "no database" else not broken, mirror, fix)


def _permissions(cluster: Cluster) -> Iterator[Finding]:
    def allowed(needed: tuple[str, str, str, str]) -> bool:
        verb, group, resource, sub = needed
        asked = {"verb": verb, "group": group, "resource": resource, "namespace": cluster.namespace}
        if sub:
            asked["subresource"] = sub
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        answer = cluster.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(allowed, _NEEDED))
    refused = [
        f"{verb} {resource}{f'/{sub}' if sub else ''}"
        for (verb, _, resource, sub), fine in zip(_NEEDED, answers, strict=True)
        if not fine
    ]
    if refused:
        yield Finding(
            "permissions",
            False,
            f"you may not {', '.join(refused)} in namespace {cluster.namespace!r}",
            "Ask for a role with these verbs in that namespace.",
        )
    else:
        yield Finding("permissions", True, f"you may run workflows in namespace {cluster.namespace!r}")


def _store(cluster: Cluster) -> Iterator[Finding]:
    try:
        claim = cluster.get(cluster.core("persistentvolumeclaims", STORE_CLAIM))
    except ClusterNotFound:
        yield Finding(
            "store", None, f"no claim {STORE_CLAIM!r} yet: the operator makes one when it is needed"
        )
        return
    phase = (claim.get("status") or {}).get("phase")
    if phase == "Bound":
        size = (claim["status"].get("capacity") or {}).get("storage", "")
        yield Finding(
            "store", True, f"the claim {STORE_CLAIM!r} is bound {f'({size})' if size else ''}".rstrip()
        )
    elif phase == "Pending" and not claim["spec"].get("storageClassName"):
        yield Finding(
            "store",
            False,
            f"the claim {STORE_CLAIM!r} waits: there is no default StorageClass",
            "Make a StorageClass the default, or start the operator with --store claim://NAME?class=CLASS.",
        )
    elif phase == "Pending":
        said = f"the claim {STORE_CLAIM!r} is not bound yet: it may wait for its first pod"
        yield Finding("store", None, said, f"kubectl describe pvc {STORE_CLAIM} says what it waits for.")
    else:
        yield Finding(
            "store", False, f"the claim {STORE_CLAIM!r} is {phase}", "Its volume is gone: delete it."
        )


def _slurm(cluster: Cluster) -> Iterator[Finding]:
    for each in cluster.list(f"/apis/{GROUP}/{VERSION}/namespaces/{cluster.namespace}/slurmclusters"):
        name, status = each["metadata"]["name"], each.get("status") or {}
        phase, seen = status.get("phase"), status.get("lastSeen")
        title = f"Slurm cluster {name}"
        if phase == "Ready":
            said = f"Slurm {status.get('version', '?')} answered at {seen}"
            yield Finding(title, True, f"{said}; partitions: {', '.join(status.get('partitions') or ())}")
        elif phase in ("Unreachable", "Invalid"):
            last = f"; it answered last at {seen}" if seen else ""
            yield Finding(title, False, f"{phase}: {status.get('message', '')}{last}")
        else:
            yield Finding(
                title, None, status.get("message") or "has not been asked yet: is an operator active?"
            )


def _pods(cluster: Cluster) -> Iterator[Finding]:
    """Pods of runs that cannot start because of their image."""
    pods = cluster.list(cluster.core("pods"), labelSelector="app.kubernetes.io/managed-by=headwater")
    bad: dict[str, str] = {}
    for pod in pods:
        for each in (pod.get("status") or {}).get("containerStatuses") or ():
            waiting = (each.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _BAD_IMAGE:
                bad[each.get("image", "")] = f"{waiting['reason']}: {waiting.get('message', '')}".strip(": ")
    for image, said in bad.items():
        yield Finding(
            "image",
            False,
            f"{image} cannot be pulled: {said}",
            "Check the name, push it, or add imagePullSecrets; --image names another one.",
        )
    if not bad:
        yield Finding("image", True if pods else None, f"no pod of the {len(pods)} here waits for its image")


def _runs(cluster: Cluster) -> Iterator[Finding]:
    """Runs that wait, and for what."""
    waiting: list[str] = []
    unseen: list[str] = []
    total = 0
    now = cluster.clock()
    for run in cluster.list(cluster.own("workflows")):
        name, phase = run["metadata"]["name"], phase_of(run)
        total += 1
        status = run.get("status") or {}
        if not status.get("phase") and now - (epoch(run["metadata"]["creationTimestamp"]) or now) > 15:
            unseen.append(name)
        elif phase in ("Pending", "Suspended") and status.get("message"):
            waiting.append(f"{name}: {status['message']}")
        elif phase == "Running":
            nodes = (status.get("nodes") or {}).items()
            waiting += [f"{name} {path}: {n['waiting']}" for path, n in nodes if _is_stuck(n)]
    if unseen:
        listed = ", ".join(unseen[:5])
        yield Finding("runs", False, f"no operator has seen {listed}", "Is one running for this namespace?")
    for said in waiting[:MOST_WAITING]:
        yield Finding("runs", None, f"waits: {said}")
    if not unseen and not waiting:
        yield Finding("runs", True, f"none of the {total} runs in namespace {cluster.namespace!r} waits")


def _is_stuck(node: Json) -> bool:
    """Whether a node waits for something else than other nodes: capacity, an image, a person."""
    return (bool(node.get("waiting")) and node.get("phase") != "Pending") or " " in str(
        node.get("waiting", "")
    )
