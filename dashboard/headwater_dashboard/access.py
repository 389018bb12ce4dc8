"""Who may see and change which namespaces: the cluster is asked, whose RBAC says it for kubectl too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from headwater.backends.kubernetes.api import GROUP

from headwater_dashboard.problems import RequestError

if TYPE_CHECKING:
    from headwater.backends.kubernetes.api import Cluster

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
KEPT_SECONDS = 30.0
"""For how long an answer of the cluster counts."""

WORKFLOWS = f"workflows.{GROUP}"
POD_LOGS = "pods/log"
"""What a log shows is more than what a Workflow says of itself: the cluster guards it by a right of its own."""

_RESOURCES = {
    WORKFLOWS: {"group": GROUP, "resource": "workflows"},
    POD_LOGS: {"group": "", "resource": "pods", "subresource": "log"},
}

_AT_ONCE = 8
_MOST_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, as the proxy in front says."""

    name: str
    groups: tuple[str, ...] = ()


class Access:
    """What the cluster lets people do with its Workflows and their logs."""

    def __init__(self, cluster: Callable[[], Cluster], clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._clock = clock
        self._kept: dict[tuple[Person, str, str, str], tuple[float, bool]] = {}
        self._lock = Lock()

    def visible(self, who: Person, namespaces: Iterable[str], verb: str = "get") -> tuple[str, ...]:
        """Those of the namespaces whose runs somebody may see, or do something else with.

        Raises:
            ClusterError: the cluster cannot be asked.
        """
        asked = list(namespaces)
        unknown = [namespace for namespace in asked if self._known((who, verb, namespace, WORKFLOWS)) is None]
        if len(unknown) > 1:
            with ThreadPoolExecutor(_AT_ONCE) as threads:
                list(threads.map(lambda namespace: self.may(who, verb, namespace), unknown))
        return tuple(namespace for namespace in asked if self.may(who, verb, namespace))

    def require(self, who: Person, verb: str, namespace: str, what: str = WORKFLOWS) -> None:
        """Go on only if somebody may do this.

        Raises:
            RequestError: the cluster does not let them.
        """
        if not self.may(who, verb, namespace, what):
            raise RequestError(
                403, f"{who.name} may not {verb} {what.removesuffix(f'.{GROUP}')} in namespace {namespace!r}",
                fix=f"Ask who runs the cluster for the role: {verb} {what}.",
            )  # fmt: skip

    def may(self, who: Person, verb: str, namespace: str, what: str = WORKFLOWS) -> bool:
        """Whether somebody may do this with the Workflows of a namespace, or with its `POD_LOGS`."""
        key = (who, verb, namespace, what)
        known = self._known(key)
        if known is not None:
            return known
        attributes = {**_RESOURCES[what], "verb": verb, "namespace": namespace}
        review: dict[str, Any] = {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": who.name, "groups": list(who.groups), "resourceAttributes": attributes},
        }  # fmt: skip
        allowed = self._cluster().create(REVIEWS, review)["status"]["allowed"] is True
        with self._lock:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (self._clock(), allowed)
        return allowed

    def _known(self, key: tuple[Person, str, str, str]) -> bool | None:
        with self._lock:
            asked_at, allowed = self._kept.get(key, (float("-inf"), False))
        return allowed if self._clock() - asked_at < KEPT_SECONDS else None
