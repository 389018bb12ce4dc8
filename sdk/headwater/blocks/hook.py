"""A workflow with its own `_run` as a task: it decides itself whether what is inside runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.blocks.task import Outputs, Task
from headwater.blocks.workflow import Workflow
from headwater.errors import TargetError


class RunHook(Task):
    """Calls a workflow's `_run` with its inputs."""

    name = "run_hook"

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        super().__init__()
        self.name = workflow.name
        self.parent = None

    def setup_targets(self) -> None:
        """The workflow's targets. Outputs are not typed: `_run` may give None for each."""
        for target in self.workflow.input_targets.values():
            self.add_input(target.name, target.type, target.default)
        for target in self.workflow.output_targets.values():
            self.add_output(target.name)

    def _execute(self, inputs: Mapping[str, object]) -> Outputs:
        returned = self.workflow._run(**inputs)
        if not isinstance(returned, Mapping) or not set(self.outputs) <= set(returned):
            got = ", ".join(returned) if isinstance(returned, Mapping) else type(returned).__name__
            wanted = ", ".join(self.outputs) or "nothing"
            raise TargetError(f"In workflow {self.name!r}: _run must return a dict of {wanted}; got {got}")
        return {name: returned[name] for name in self.outputs}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "workflow": self.workflow}
