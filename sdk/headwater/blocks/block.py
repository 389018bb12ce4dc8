"""What tasks and workflows have in common: targets, bound inputs, pipes, and the workflow they stand in."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from headwater.blocks.targets import Target
from headwater.errors import GraphError

if TYPE_CHECKING:
    from headwater.blocks.workflow import Workflow

_open = threading.local()


def open_workflows() -> list[Workflow]:
    """The workflows that are being built by this thread, innermost last."""
    if not hasattr(_open, "stack"):
        _open.stack = []
    stack: list[Workflow] = _open.stack
    return stack


class Block:
    """A task or a workflow: something with inputs and outputs that can be piped.

    Whatever is made while a workflow is being built belongs to that workflow.
    """

    name: str

    def __init__(self) -> None:
        self.upstreams: list[Block] = []
        self.downstreams: list[Block] = []
        self.bound: dict[str, Any] = {}
        self.parent: Workflow | None = None
        stack = open_workflows()
        if stack:
            stack[-1].adopt(self)

    # ------------------------------------------------------------------ targets

    @property
    def input_targets(self) -> Mapping[str, Target]:
        """The inputs by name."""
        raise NotImplementedError

    @property
    def output_targets(self) -> Mapping[str, Target]:
        """The outputs by name."""
        raise NotImplementedError

    def bind(self, **values: Any) -> Block:
        """Fix inputs to values, whatever is upstream. Returns the block itself.

        Raises:
            GraphError: the block has no such input.
        """
        self._refuse_unknown(values)
        self.bound.update(values)
        self.changed()
        return self

    def _refuse_unknown(self, values: Mapping[str, object]) -> None:
        known = self.input_targets
        unknown = [name for name in values if name not in known]
        if unknown:
            listed = ", ".join(known) or "none"
            raise GraphError(
                f"{self.name!r} has no input {', '.join(map(repr, unknown))}", fix=f"Its inputs: {listed}."
            )

    def changed(self) -> None:
        """What was worked out about the workflows around this block no longer holds."""
        parent = self.parent
        while parent is not None:
            parent.forget_compiled()
            parent = parent.parent

    # ------------------------------------------------------------------ pipes

    def _to(self, other: Block) -> None:
        few = len(other.upstreams) < len(self.downstreams)
        if not (self in other.upstreams if few else other in self.downstreams):
            self.downstreams.append(other)
            other.upstreams.append(self)
            self.changed()
            other.changed()

    def __or__(self, other: Any) -> Any:
        for block in _blocks(other):
            self._to(block)
        return other

    def __ror__(self, others: Any) -> Any:
        for block in _blocks(others):
            block._to(self)
        return self

    __rshift__ = __or__
    __rrshift__ = __ror__

    def __lshift__(self, others: Any) -> Any:
        for block in _blocks(others):
            block._to(self)
        return others

    def __rlshift__(self, others: Any) -> Any:
        for block in _blocks(others):
            self._to(block)
        return self


class BlockList(list[Any]):
    """A list of blocks that can be piped into another list: `BlockList([a, b]) | [c, d]`."""

    def __or__(self, other: Any) -> Any:
        for block in self:
            block | other
        return BlockList(other) if isinstance(other, list) else other

    __rshift__ = __or__


def _blocks(found: Any) -> Iterable[Block]:
    if isinstance(found, Block):
        return [found]
    if isinstance(found, type) and issubclass(found, Block):
        return [found()]
    if isinstance(found, list | tuple) and all(isinstance(part, Block) for part in found):
        return found
    raise GraphError(
        f"cannot pipe into {found!r}", fix="Pipe into a task, a workflow, or a list of them (instances)."
    )
