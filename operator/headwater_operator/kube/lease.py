"""One active operator by a Lease. Whoever holds it renews it; whoever waits watches it stand still.

Nobody compares clocks: a lease has ended when it has not changed for its duration on the watcher's own clock. A
holder that is known to be dead (a process of this machine that is gone, an earlier life of this pod) is replaced
at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headwater.errors import UsageError

from headwater_operator.kube.api import Api, ApiError, Object

logger = logging.getLogger("headwater.operator.lease")

DURATION = 15.0
RENEW = 4.0
POLL = 1.0
_SEPARATOR = "~"


def own_identity() -> str:
    """Who this process is: its machine, its pid, and when it was born."""
    pid = os.getpid()
    return _SEPARATOR.join((_machine(), str(pid), _born(pid) or "0"))


def is_dead(identity: str) -> bool:
    """Whether a holder is certainly gone: a process of this machine that does not run any more.

    >>> is_dead(own_identity()), is_dead("another-machine~1~1")
    (False, False)
    """
    host, _, rest = identity.partition(_SEPARATOR)
    pid, _, born = rest.partition(_SEPARATOR)
    if host != _machine() or not pid.isdigit():
        return False
    return _born(int(pid)) != born


def _machine() -> str:
    """This machine since it was started: two of them may have the same name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")[:8]
    except OSError:
        boot = ""
    return f"{socket.gethostname()}/{boot}"


def _born(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


@dataclass(slots=True)
class Lease:
    """A Lease that this process holds, or wants to."""

    api: Api
    namespace: str
    name: str
    identity: str = field(default_factory=own_identity)
    duration: float = DURATION
    health: Callable[[], str] | None = None
    _seen: tuple[str, str, float] = ("", "", 0.0)
    _held: Object | None = None

    @property
    def path(self) -> str:
        """Where the Lease is."""
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/{self.name}"

    @property
    def holder(self) -> str:
        """Who held it when we last looked."""
        return self._seen[0]

    async def taken(self) -> bool:
        """Whether it could be had, and is ours now."""
        try:
            return await self._try()
        except ApiError as error:
            logger.warning("%s", error.message)
            return False

    async def keep(self) -> None:
        """Renew it until that fails for as long as others respect it; then return."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(RENEW * random.uniform(0.9, 1.1))
            try:
                async with asyncio.timeout(self.duration * 2 / 3):
                    if not await self._renew():
                        return
                renewed = loop.time()
            except (ApiError, TimeoutError) as error:
                logger.warning("the lease could not be renewed: %s", error)
                if loop.time() - renewed > self.duration * 2 / 3:
                    return

    async def release(self) -> None:
        """Give it up, so that another operator can begin at once."""
        if self._held is None:
            return
        spec = {**self._held["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        held, self._held = self._held, None
        try:
            await self.api.replace(self.path, {**held, "spec": spec})
        except ApiError as error:
            logger.info("the lease could not be released: %s", error.message)

    # ------------------------------------------------------------

    async def _try(self) -> bool:
        try:
            found = await self.api.get(self.path)
        except ApiError as error:
            if error.status != 404:
                raise
            return await self._make()
        spec = found.get("spec") or {}
        holder, mark = spec.get("holderIdentity") or "", str(found["metadata"]["resourceVersion"])
        now = asyncio.get_running_loop().time()
        if (holder, mark) != self._seen[:2]:
            self._seen = (holder, mark, now)
        patience = float(spec.get("leaseDurationSeconds") or self.duration)
        stale = now - self._seen[2] > patience
        if holder and holder != self.identity and not stale and not is_dead(holder):
            return False
        return await self._take(found, int(spec.get("leaseTransitions") or 0) + 1)

    async def _make(self) -> bool:
        lease: Object = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": self._spec(0),
        }
        try:
            return await self._kept(self.api.create(self.path.rpartition("/")[0], lease))
        except ApiError as error:
            if error.status != 404:
                raise
            raise UsageError(
                f"there is no namespace {self.namespace!r}, where the operator keeps its lease",
                fix=f"Create it (kubectl create namespace {self.namespace}), or name another one.",
            ) from error

    async def _take(self, found: Object, transitions: int) -> bool:
        return await self._kept(self.api.replace(self.path, {**found, "spec": self._spec(transitions)}))

    async def _renew(self) -> bool:
        assert self._held is not None
        held = self._held
        spec = {**held["spec"], "renewTime": _micro_time()}
        metadata = held["metadata"]
        if self.health is not None:
            annotations = {**(metadata.get("annotations") or {}), "headwater.dev/health": self.health()}
            metadata = {**metadata, "annotations": annotations}
        if await self._kept(self.api.replace(self.path, {**held, "metadata": metadata, "spec": spec})):
            return True
        found = await self.api.get(self.path)
        if (found.get("spec") or {}).get("holderIdentity") != self.identity:
            return False
        self._held = found  # somebody only changed a label
        return True

    async def _kept(self, call: Awaitable[Object]) -> bool:
        try:
            self._held = await call
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

    def _spec(self, transitions: int) -> Mapping[str, Any]:
        now = _micro_time()
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self.duration),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }


async def acquire(leases: Sequence[Lease]) -> int:
    """Wait until one of the Leases is ours; which."""
    waited = False
    while True:
        for number, lease in enumerate(leases):
            if await lease.taken():
                return number
        if not waited:
            holders = ", ".join(lease.holder for lease in leases if lease.holder)
            waited = bool(holders)
            if holders:
                logger.info("another operator is active (%s): standing by", holders)
        await asyncio.sleep(POLL * random.uniform(0.8, 1.2))


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
