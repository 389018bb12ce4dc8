"""Units that answer a question of the engine: whether a condition holds, how long a sequence is."""

from __future__ import annotations

from headwater.document.unit import UnitReport
from headwater.errors import DocumentError
from headwater.runtime import scope
from headwater.runtime.pod.task import within
from headwater.runtime.pod.work import Work


def decide(work: Work) -> UnitReport:
    """Answer the question of a node: its condition, its `when`, or whether an iteration is done."""
    from headwater.engine.graph import Condition, Iterate, Task, Test

    node, stage = work.node, work.spec.stage
    question: Task | Test | None = None
    if stage == "when":
        question = node.when
    elif isinstance(node.kind, Condition):
        question = node.kind.decide
    elif isinstance(node.kind, Iterate) and node.kind.until is not None:
        question = Task(node.kind.until)
    if question is None:
        raise DocumentError(f"node {work.spec.path!r} asks no question at the stage {stage!r}")
    if isinstance(question, Task):
        code = work.code([question.ref])
        work.resolved(code, question.ref)
        inputs = work.inputs
        with within(work.timeout), work.termination.task():
            try:
                return UnitReport(answer=code.decide(question.ref, inputs))
            finally:
                scope.end()
    from headwater.runtime.inline import tested

    work.code([])
    value = None if work.spec.value is None else work.values.decode(work.spec.value)
    return UnitReport(answer=tested(question, value))


def measure(work: Work) -> UnitReport:
    """Say how many items a map has."""
    from headwater.runtime.items import one_length

    work.code([])
    lengths = {name: work.values.length(value) for name, value in work.spec.over.items()}
    return UnitReport(length=one_length(lengths))
