"""A workflow with its own `_run` as a task: it decides itself whether what is inside runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.blocks.task import Outputs, Task
from headwater.blocks.workflow import Workflow


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
        return dict(self.workflow._run(**inputs))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "workflow": self.workflow}
