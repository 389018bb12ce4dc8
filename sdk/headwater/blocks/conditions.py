"""Branches: a condition that decides once, its two sides, and the merge that brings them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headwater.blocks.block import Block
from headwater.blocks.names import snake_case
from headwater.blocks.targets import Target
from headwater.blocks.task import Task
from headwater.errors import DefinitionError


class ConditionBlock(Block):
    """Decides which side runs; it is called with the outputs of what is piped into it."""

    def __init__(self, condition: Callable[..., object]) -> None:
        self.condition = condition
        self.name = "if_" + snake_case(getattr(condition, "__name__", "condition").strip("<>"))
        super().__init__()

    @property
    def input_targets(self) -> Mapping[str, Target]:
        return {}

    @property
    def output_targets(self) -> Mapping[str, Target]:
        return {}


class BranchBlock(Block):
    """One side of a condition. What is piped out of it runs when the condition's answer is `when`."""

    def __init__(self, condition: ConditionBlock, when: bool) -> None:
        self.condition = condition
        self.when = when
        self.name = "then" if when else "else"
        super().__init__()

    @property
    def input_targets(self) -> Mapping[str, Target]:
        return {}

    @property
    def output_targets(self) -> Mapping[str, Target]:
        return {}


def IfThenElse(condition: Callable[..., object]) -> tuple[Block, Block, Block]:  # noqa: N802  # a public name
    """Split a workflow in two: pipe into the first block, out of the second and the third.

    `condition` is called once, with the upstream's outputs as keywords. The side not taken is skipped.

    >>> if_task, then_task, else_task = IfThenElse(lambda **outputs: True)
    >>> then_task.name, else_task.name
    ('then', 'else')
    """
    if not callable(condition):
        raise DefinitionError(
            f"IfThenElse needs a function; got {type(condition).__name__}",
            fix="Give it a function of the upstream's outputs.",
        )
    block = ConditionBlock(condition)
    return block, BranchBlock(block, True), BranchBlock(block, False)


class MergeTask(Task):
    """Passes on the outputs of the one live branch among those that are piped into it."""

    name = "merge_task"

    def setup_targets(self) -> None:
        """A merge has no targets of its own: it takes what its branches offer."""
