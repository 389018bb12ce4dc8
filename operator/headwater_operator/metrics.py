"""What Prometheus can ask of an operator."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server


class Metrics:
    """The operator's figures, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.pass_seconds = Histogram(
            "headwater_pass_seconds", "Duration of one pass over a run.", registry=self.registry,
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
        )  # fmt: skip
        self.failed_passes = Counter(
            "headwater_failed_passes",
            "Passes that ended with an error and are repeated.",
            registry=self.registry,
        )
        self.conflicts = Counter(
            "headwater_status_conflicts", "Statuses that somebody else had changed.", registry=self.registry
        )

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """A figure that is read when somebody asks."""
        Gauge(f"headwater_{name}", help_text, registry=self.registry).set_function(value)

    def serve(self, port: int) -> None:
        """Answer on `/metrics`, from a thread of its own."""
        start_http_server(port, registry=self.registry)
