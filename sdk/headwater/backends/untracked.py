"""A run of which nothing is kept. Apart from the other kind, so that it loads no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headwater.backends.result import RunResult
from headwater.runtime.items import MapJob


class Untracked:
    """Keeps nothing."""

    run_id = ""
    log_file: str | None = None
    store: str | None = None
    echo = True
    watchers: Sequence[Any] = ()

    def start(self, maps: Mapping[str, MapJob]) -> None:
        """Nothing begins."""

    def finish(self, result: RunResult, outputs: Mapping[str, object]) -> None:
        """Nothing ends."""
