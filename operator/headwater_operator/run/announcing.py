"""Kubernetes events of a run: few of them, each told once. `kubectl describe` shows what went wrong; nothing waits."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC, datetime

from headwater.engine.state import Phase

from headwater_operator.kube.api import ApiError
from headwater_operator.run.cluster import Cluster
from headwater_operator.run.memory import Run
from headwater_operator.run.status import cut, told

logger = logging.getLogger("headwater.operator.events")

MOST_PER_RUN = 20
WAIT_BEFORE_TELLING = 15.0
"""Seconds that a node may wait before anybody is told."""


class Announcer:
    """Tells of failures and long waits, each once a run."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._sending: set[asyncio.Task[None]] = set()

    def announce(self, run: Run, now: float) -> None:
        """Tell what has not been told yet."""
        for path, text in run.waiting.items():
            since = run.launched.get(path, (now, 0.0))[0]
            if now - since > WAIT_BEFORE_TELLING:
                self._tell(run, "NodeWaiting", path, f"{path}: {text}")
        for state in run.changed.values():
            if state.phase is Phase.FAILED and state.failure is not None and not state.children:
                self._tell(run, "NodeFailed", state.path, f"{state.path}: {told(state.failure)}")

    def _tell(self, run: Run, reason: str, path: str, message: str) -> None:
        if (reason, path) in run.told or len(run.told) >= MOST_PER_RUN:
            return
        run.told.add((reason, path))
        task = asyncio.create_task(self._send(run, reason, path, cut(message)))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, run: Run, reason: str, path: str, message: str) -> None:
        namespace, name = run.key
        # The name is the same after a restart, so an event is never there twice.
        mark = hashlib.sha256(f"{run.uid} {reason} {path}".encode()).hexdigest()[:12]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name[:200]}.{mark}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": "headwater.dev/v1alpha1", "kind": "Workflow", "name": name,
                "namespace": namespace, "uid": run.uid,
            },
            "reason": reason,
            "message": message,
            "type": "Warning",
            "source": {"component": "headwater-operator"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }  # fmt: skip
        try:
            await self.cluster.api.create(f"/api/v1/namespaces/{namespace}/events", event)
        except ApiError as error:
            if error.status != 409:
                logger.info("an event could not be sent: %s", error.message)
