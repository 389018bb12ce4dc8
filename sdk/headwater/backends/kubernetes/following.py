"""Stay with a run until it ends, and tell those who look on what changes, as a run on this machine does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.errors import ClusterError
from headwater.backends.kubernetes.order import in_order, static_nodes
from headwater.backends.kubernetes.outcome import has_ended, node_record
from headwater.backends.observers import Observers
from headwater.backends.result import NodeRecord
from headwater.engine.graph import Block, Graph, Node, Task

KINDS = ("map", "call", "loop", "iterate", "condition", "merge", "race", "suspend", "container")


def states_of(cluster: Cluster, name: str) -> Iterator[Json]:
    """The Workflow each time that it changes, the last time when it has ended.

    Raises:
        ClusterError: it was deleted meanwhile, or the cluster is out of reach for long.
    """
    seen = False
    for workflow in cluster.states(cluster.own("workflows"), name):
        if workflow is None:
            said = "was deleted" if seen else "does not exist"
            raise ClusterError(
                f"the run {name!r} {said} in namespace {cluster.namespace!r}",
                fix="`flowctl list --namespace ...` shows what runs there.",
            )
        seen = True
        yield workflow
        if has_ended(workflow):
            return


def outline(workflow: Json) -> Graph:
    """The nodes of a run's entry block as a graph of nothing but names: what a live tree shows first."""
    spec = workflow["spec"]
    blocks = spec.get("blocks") or []
    entry = spec.get("entrypoint") or (blocks[0]["name"] if blocks else "main")
    named = [node["name"] for block in blocks if block["name"] == entry for node in block["nodes"]]
    return Graph({entry: Block(entry, tuple(Node(name, Task("")) for name in named))}, entry)


class Mirror(Protocol):
    """Keeps what is seen of nodes: the record of this machine."""

    def node(self, path: str, record: NodeRecord, kind: str, ref: str) -> None:
        """A node has changed."""


class Changes:
    """Finds what is new in each status of a run, and tells the observers and the record of it."""

    def __init__(self, run_id: str, observers: Observers, mirror: Mirror | None = None) -> None:
        self._run_id = run_id
        self._observers = observers
        self._mirror = mirror
        self._seen: dict[str, Any] = {}
        self._asked: set[str] = set()
        self._kinds: dict[str, Mapping[str, Any]] | None = None
        self._message = ""

    def see(self, workflow: Json) -> None:
        """Look at a newer state."""
        if self._kinds is None and workflow["spec"].get("blocks"):
            self._kinds = static_nodes(workflow["spec"])
        nodes = (workflow.get("status") or {}).get("nodes") or {}
        for path in in_order(nodes, workflow["spec"]):
            if self._seen.get(path) != nodes[path]:
                self._seen[path] = nodes[path]
                self._tell(path, node_record(path, nodes[path]))

    def _tell(self, path: str, record: NodeRecord) -> None:
        written = self._written(path)
        kind = next((kind for kind in KINDS if kind in written), "task")
        items = record.items
        if items is not None:
            self._observers.items(path, items.total, items.succeeded, items.failed, items.running)
        created = (self._seen[path].get("at") or [time.time()])[0]
        at = record.finished_at or record.started_at or created
        if record.finished_at is not None and record.started_at is not None:
            # It may have run between two looks; and only now it is known for sure when it began.
            self._observers.node(
                path, "Running", record.attempts, record.started_at, kind=kind, message="", error=None
            )
        self._observers.node(
            path, record.phase, record.attempts, at, kind=kind, message=record.message, error=record.error
        )
        if self._mirror is not None:
            self._mirror.node(path, record, kind, str(written.get("task", "")))
        approval = (written.get("suspend") or {}).get("approval")
        if record.phase == "Suspended" and approval is not None and path not in self._asked:
            self._asked.add(path)
            self._observers.approval_asked(self._run_id, path, approval.get("message", ""))

    def _written(self, path: str) -> Mapping[str, Any]:
        plain = "/".join(part.partition("[")[0] for part in path.split("/"))
        return (self._kinds or {}).get(plain, {})
