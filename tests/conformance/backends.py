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


def _slurm(workflow: Any, **inputs: Any) -> RunResult:
    """On the real Slurm of the project; skipped, with the reason, where it cannot run."""
    from tests.slurm.use import require

    require()
    return _local("slurm")(workflow, **inputs)


BACKENDS: dict[str, Run] = {"default": _local("default"), "parallel": _local("parallel"), "slurm": _slurm}
