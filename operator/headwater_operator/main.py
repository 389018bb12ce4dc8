"""The operator's process: kopf starts and stops it, answers probes, and handles signals."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import kopf
from headwater.errors import HeadwaterError

from headwater_operator import logs
from headwater_operator.kube.connection import Connection, connect
from headwater_operator.options import OperatorOptions
from headwater_operator.service import Service

logger = logging.getLogger("headwater.operator")


def run_operator(options: OperatorOptions) -> int:
    """Run an operator until a signal ends it; 0 when it ended well."""
    logs.set_up(options.log_format, options.log_level)
    connection = connect(options.kubeconfig, options.context)
    service = Service(options, connection)
    process = Process(service, connection)
    if options.metrics_port is not None:
        service.metrics.serve(options.metrics_port)
    endpoint = f"http://0.0.0.0:{options.probe_port}/healthz" if options.probe_port is not None else None
    kopf.run(
        registry=process.registry,
        standalone=True,
        clusterwide=options.namespace is None,
        namespaces=[options.namespace] if options.namespace else [],
        liveness_endpoint=endpoint,
        stop_flag=process.stop,
    )
    if process.failure is not None:
        known = isinstance(process.failure, HeadwaterError)
        logger.error("the operator ended: %s", process.failure, exc_info=None if known else process.failure)
        return 1
    return 0


class Process:
    """What kopf is told: how to log in, what to start, what to stop."""

    def __init__(self, service: Service, connection: Connection) -> None:
        self.service = service
        self.connection = connection
        self.failure: BaseException | None = None
        self.stop = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self.registry = kopf.OperatorRegistry()
        kopf.on.startup(registry=self.registry)(self.start)
        kopf.on.cleanup(registry=self.registry)(self.end)
        kopf.on.login(registry=self.registry)(self.login)
        kopf.on.probe(registry=self.registry, id="active")(self.probe)

    def login(self, **_: Any) -> kopf.ConnectionInfo:
        """kopf logs in as we do."""
        found = self.connection
        return kopf.ConnectionInfo(
            server=found.server,
            ca_data=found.authority,
            certificate_data=found.certificate,
            private_key_data=found.key,
            insecure=found.insecure or None,
            token=found.bearer(),
            default_namespace=found.namespace,
        )

    async def start(self, settings: kopf.OperatorSettings, **_: Any) -> None:
        """Begin to work."""
        settings.posting.enabled = False
        # kopf looks once for what it could watch, waits for the API server as long as we do, and watches nothing:
        # it would end us when such a watch goes wrong.
        settings.scanning.disabled = True
        settings.networking.error_backoffs = [1.0, 2.0, *[5.0] * 100_000]
        settings.process.ultimate_exiting_timeout = 10
        self._task = asyncio.create_task(self.service.run())
        self._task.add_done_callback(self._ended)

    async def end(self, **_: Any) -> None:
        """Stop: what runs in the cluster runs on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def probe(self, **_: Any) -> str:
        """What a probe is told: whether this operator works or stands by."""
        return "active" if self.service.active else "standing by"

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.failure = task.exception()
        self.stop.set()
