"""The backends that the conformance cases run on. A new backend registers here and gets them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headwater.backends.result import RunResult

Run = Callable[..., RunResult]


def _local(name: str) -> Run:
    def run(workflow: Any, **inputs: Any) -> RunResult:
        result: RunResult = workflow.run(backend=name, check=False, **inputs)
        return result

    return run


BACKENDS: dict[str, Run] = {"default": _local("default"), "parallel": _local("parallel")}
