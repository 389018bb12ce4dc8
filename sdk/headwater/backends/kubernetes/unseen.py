"""A run that no operator takes up: whoever follows it is told, and what to do about it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.doctor import operator_findings
from headwater.errors import HeadwaterError

PATIENCE_SECONDS = 8.0


class Unseen:
    """While it is entered: says once, after some seconds, why nothing happens to a run. Its thread ends by itself."""

    def __init__(
        self, cluster: Cluster, tell: Callable[[str], None], patience: float = PATIENCE_SECONDS
    ) -> None:
        self._cluster = cluster
        self._tell = tell
        self._patience = patience
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._wait, daemon=True, name="unseen run")

    def __enter__(self) -> Unseen:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def see(self, workflow: Json) -> None:
        """Look at a newer state: with a phase in it, an operator has seen the run."""
        if (workflow.get("status") or {}).get("phase"):
            self._over.set()

    def _wait(self) -> None:
        if self._over.wait(self._patience):
            return
        said = why_unseen(self._cluster)
        if not self._over.is_set():
            self._tell(f"no operator has taken the run up yet: {said}")


def why_unseen(cluster: Cluster) -> str:
    """Why no operator has seen a run of the namespace, and what to do."""
    try:
        found = list(operator_findings(cluster))
    except HeadwaterError as error:
        return f"{error.message}. `flowctl doctor` says more."
    wrong = next((each for each in found if each.ok is False), None)
    if wrong is not None:
        return f"{wrong.said}. {wrong.fix}"
    return "one is alive. Look at its log; `flowctl doctor` says more."
