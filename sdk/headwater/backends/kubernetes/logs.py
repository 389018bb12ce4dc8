"""What the pods of a run printed, line by line: of all of them, of one node, of one item of a map."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.errors import ClusterError, ClusterForbidden, ClusterNotFound
from headwater.backends.kubernetes.order import static_nodes
from headwater.backends.kubernetes.outcome import has_ended, phase_of
from headwater.engine.intervals import IntervalSet
from headwater.errors import UsageError

RUN_UID = "headwater.dev/run-uid"
JOB = "batch.kubernetes.io/job-name"
AT_ONCE = 16
MOST_FOLLOWED = 64
LOOK_SECONDS = 1.5
LEAST_OF_A_POD = 4096
_FUSED = re.compile(r"^(\S+) \| (.*)$")
_ITEM = re.compile(r"(.*)\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: when, of which node (with the item's index in a map), in which attempt."""

    at: float
    node: str
    text: str
    attempt: int = 1
    item: int | None = None

    def as_entry(self) -> dict[str, Any]:
        """The form that logs of this machine have."""
        item = {} if self.item is None else {"i": self.item}
        return {"t": self.at, "p": self.node, "a": self.attempt, "s": "log", "x": self.text, **item}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are asked for; `node` "" stands for all."""

    node: str = ""
    item: int | None = None

    @classmethod
    def of(cls, workflow: Json, node: str | None, item: int | None = None) -> Wanted:
        """Read `NODE` or `NODE[3]`.

        Raises:
            UsageError: the run has no such node.
        """
        if not node:
            return cls("", item)
        nodes = (workflow.get("status") or {}).get("nodes") or {}
        known = {path.replace("_", "-") for path in (*static_nodes(workflow["spec"]), *nodes)}
        path = node.replace("_", "-").removeprefix("main/").strip("/")
        match = _ITEM.fullmatch(path)
        if path not in known and match is not None:
            path, item = match[1], int(match[2])
        plain = "/".join(part.partition("[")[0] for part in path.split("/"))
        if known and path not in known and plain not in known:
            name = workflow["metadata"]["name"]
            raise UsageError(
                f"there is no node {node!r} in {name!r}", fix=f"Nodes: {', '.join(sorted(known)[:30])}."
            )
        total = ((nodes.get(path) or {}).get("items") or {}).get("total")
        if item is not None and total is not None and item >= total:
            raise UsageError(f"{path!r} has no item {item}", fix=f"It has {total}, counted from 0.")
        return cls(path, item)

    def has(self, line: Line) -> bool:
        """Whether a line is of the node, of something below it, and of the item."""
        path = line.node.replace("_", "-")
        if self.item is None:
            return self._is_below(path, self.node)
        own = f"{self.node}[{self.item}]"
        return (self._is_below(path, self.node) and line.item == self.item) or path.startswith(
            (own + "/", own + "[")
        )

    @staticmethod
    def _is_below(path: str, above: str) -> bool:
        return not above or path == above or path.startswith((above + "/", above + "["))

    def wants(self, pod: Pod) -> bool:
        """Whether such lines may come from a pod."""
        path = pod.path.replace("_", "-")
        if not (self._is_below(path, self.node) or self._is_below(self.node, path)):
            return False
        return self.item is None or pod.items is None or path != self.node or self.item in pod.items


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of a run; `items` are the indices of its share of a map."""

    name: str
    path: str
    attempt: int
    container: str
    phase: str
    created: str
    items: tuple[int, ...] | None = None
    waits: str = ""

    @property
    def has_begun(self) -> bool:
        """Whether there can be a log."""
        return self.phase in ("Running", "Succeeded", "Failed")

    def line(self, text: str) -> Line:
        """A line of its log, which begins with the time."""
        stamp, _, rest = text.partition(" ")
        try:
            at = datetime.fromisoformat(stamp).timestamp()
        except ValueError:
            at, rest = time.time(), text
        node, item = self.path, self.items[0] if self.items is not None and len(self.items) == 1 else None
        fused = _FUSED.match(rest)
        if fused is not None and (not self.path or fused[1].startswith(self.path)):
            node, rest = fused[1], fused[2]
            match = _ITEM.fullmatch(node)
            if match is not None and match[1] == self.path and self.items is not None:
                node, item = match[1], int(match[2])
        return Line(at, node, rest, self.attempt, item)


def pod_of(found: Json, jobs: Mapping[str, Json] | None = None) -> Pod:
    """A pod as the API gives it; `jobs` by name say which items a pod of theirs has.

    >>> job = {"metadata": {"annotations": {"headwater.dev/items": "0-9", "headwater.dev/per-pod": "4"}}}
    >>> pod_of({"metadata": {"name": "p", "labels": {"batch.kubernetes.io/job-name": "j"}, "annotations": {
    ...     "headwater.dev/path": "m", "batch.kubernetes.io/job-completion-index": "1"}}}, {"j": job}).items
    (4, 5, 6, 7)
    """
    metadata = found["metadata"]
    said = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    job = (jobs or {}).get(said.get(JOB, ""))
    if job is not None:
        said = {**(job["metadata"].get("annotations") or {}), **said}
    containers = (found.get("spec") or {}).get("containers") or [{"name": "main"}]
    names = [each["name"] for each in containers]
    status = found.get("status") or {}
    return Pod(
        metadata["name"],
        said.get("headwater.dev/path", ""),
        int(said.get("headwater.dev/attempt", 1)),
        "main" if "main" in names else names[0],
        status.get("phase", "Pending"),
        metadata.get("creationTimestamp") or "",
        _share(said),
        _waits(status),
    )


def _share(said: Mapping[str, str]) -> tuple[int, ...] | None:
    items, index = said.get("headwater.dev/items"), said.get("batch.kubernetes.io/job-completion-index")
    if items is None or index is None:
        return None
    per_pod = int(said.get("headwater.dev/per-pod", 1))
    first = int(index) * per_pod
    return tuple(list(IntervalSet.parse(items))[first : first + per_pod])


def _waits(status: Json) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason") or "")
    for each in status.get("containerStatuses") or ():
        waiting = (each.get("state") or {}).get("waiting")
        if waiting:
            return f"{waiting.get('reason', '')} {waiting.get('message', '')}".strip()
    return ""


def pods_of(cluster: Cluster, workflow: Json) -> list[Pod]:
    """The pods of a run that there still are, the oldest first."""
    chosen = {"labelSelector": f"{RUN_UID}={workflow['metadata']['uid']}"}
    found = cluster.list(cluster.core("pods"), **chosen)
    jobs: dict[str, Json] = {}
    if any(JOB in (each["metadata"].get("labels") or {}) for each in found):
        with suppress(ClusterForbidden):  # then lines of single items cannot be told apart
            jobs = {
                each["metadata"]["name"]: each
                for each in cluster.list(f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs", **chosen)
            }
    return sorted((pod_of(each, jobs) for each in found), key=lambda pod: (pod.created, pod.name))


def lines_of(
    cluster: Cluster, workflow: Json, wanted: Wanted, *, most_bytes: int | None = None
) -> list[Line]:
    """The lines that there are now, in the order of time; about `most_bytes` of them, the first of each pod.

    Raises:
        ClusterError: there are no pods to ask, or none of them has begun; says why.
    """
    pods = [pod for pod in pods_of(cluster, workflow) if wanted.wants(pod)]
    begun = [pod for pod in pods if pod.has_begun]
    if not begun:
        said, fix = why_nothing(workflow, wanted, pods)
        raise ClusterError(said, fix=fix)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        limit = None if most_bytes is None else max(most_bytes // len(begun), LEAST_OF_A_POD)
        found = [
            line for lines in threads.map(lambda pod: _whole(cluster, pod, limit), begun) for line in lines
        ]
    return sorted(filter(wanted.has, found), key=lambda line: line.at)


def _whole(cluster: Cluster, pod: Pod, limit: int | None) -> list[Line]:
    path = cluster.core("pods", pod.name) + "/log"
    bound = {} if limit is None else {"limitBytes": str(limit)}
    with suppress(ClusterNotFound):  # it has been deleted meanwhile
        text = cluster.text(path, container=pod.container, timestamps="true", **bound)
        lines = [pod.line(line) for line in text.splitlines()]
        if limit is not None and len(text.encode()) >= limit:
            lines.append(replace(lines[-1], text=f"… only the first {limit:,} bytes of {pod.name} are kept"))
        return lines
    return []


def why_nothing(workflow: Json, wanted: Wanted, pods: Sequence[Pod]) -> tuple[str, str]:
    """Why there are no lines, and what to do."""
    name = workflow["metadata"]["name"]
    what = f"node {wanted.node!r} of {name!r}" if wanted.node else f"the run {name!r}"
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    if pods:
        # What the operator has made of it is shorter than the kubelet's words, and says what to do.
        explained = (nodes.get(pods[0].path) or {}).get("waiting")
        waits = next((f": {said}" for said in (explained, *(pod.waits for pod in pods)) if said), "")
        return f"the pod {pods[0].name} of {what} has not begun yet{waits}", "Follow it with --follow."
    status = workflow.get("status") or {}
    node = nodes.get(wanted.node) or {}
    if node.get("phase") in ("Cached", "Skipped", "Cancelled"):
        return f"{what} has no log: it was {node['phase'].lower()}, nothing ran", ""
    if not status.get("phase"):
        return f"{what} has no pods: no operator has seen it yet", "`flowctl doctor` says whether one runs."
    if has_ended(workflow):
        again = f"flowctl retry {name}" + (f" --from {wanted.node}" if wanted.node else "")
        return (
            f"{what} has no pods any more: they were removed, and their logs with them",
            f"Look in your cluster's log store, or run it again: {again}.",
        )
    reason = node.get("waiting") or node.get("message") or status.get("message") or ""
    said = f"{what} has no pods yet; it is {phase_of(workflow)}" + (f": {reason}" if reason else "")
    return said, "Follow it with --follow."


class Follower:
    """Gives the lines of all pods of a run as they come, of those too that start later, until the run ends."""

    def __init__(self, cluster: Cluster, name: str, wanted: Wanted) -> None:
        self._cluster = cluster
        self._name = name
        self._wanted = wanted
        self._lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._open: dict[str, threading.Thread] = {}
        self._over = threading.Event()

    def __iter__(self) -> Iterator[Line]:
        try:
            ended = False
            while not self._over.is_set():
                if not ended:
                    ended = self._look()
                if ended and not any(thread.is_alive() for thread in self._open.values()):
                    break
                yield from self._for_a_while()
            yield from self._drained()
        finally:
            self._over.set()

    def end(self) -> None:
        """Let whoever iterates stop within a moment."""
        self._over.set()

    def _for_a_while(self) -> Iterator[Line]:
        until = time.monotonic() + LOOK_SECONDS
        while (left := until - time.monotonic()) > 0:
            try:
                yield self._lines.get(timeout=left)
            except queue.Empty:
                return

    def _drained(self) -> Iterator[Line]:
        while not self._lines.empty():
            yield self._lines.get()

    def _look(self) -> bool:
        """Open the logs of new pods; whether the run has ended."""
        workflow = self._cluster.get(self._cluster.own("workflows", self._name))
        ended = has_ended(workflow)
        for pod in pods_of(self._cluster, workflow):
            running = sum(thread.is_alive() for thread in self._open.values())
            if pod.name in self._open or not pod.has_begun or not self._wanted.wants(pod):
                continue
            if running >= MOST_FOLLOWED:
                return False
            thread = threading.Thread(target=self._follow, args=(pod,), daemon=True, name=f"log {pod.name}")
            self._open[pod.name] = thread
            thread.start()
        return ended

    def _follow(self, pod: Pod) -> None:
        path = self._cluster.core("pods", pod.name) + "/log"
        query = {"container": pod.container, "timestamps": "true", "follow": "true"}
        seen = ""
        for attempt in range(3):
            with suppress(ClusterError):
                for text in self._cluster.lines(path, **query, **({"sinceTime": seen} if seen else {})):
                    stamp = text.partition(" ")[0]
                    if seen and stamp <= seen and attempt:
                        continue
                    seen = stamp
                    line = pod.line(text)
                    if self._wanted.has(line):
                        self._lines.put(line)
                    if self._over.is_set():
                        return
                return
            time.sleep(0.5)
