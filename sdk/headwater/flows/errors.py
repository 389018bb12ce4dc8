"""What can be wrong with a flow, or a flow of flows."""

from __future__ import annotations

from collections.abc import Iterable

from headwater.errors import HeadwaterError, UsageError


class FlowError(HeadwaterError):
    """Something is wrong with a flow, or a flow of flows."""

    code = "HW030"


class FlowDefinitionError(FlowError, UsageError):
    """A flow, or a composition of flows, cannot work as it is written."""

    code = "HW041"


class ParameterNotInFlowError(FlowDefinitionError):
    """A mapped parameter is none of the flow's."""

    code = "HW031"

    def __init__(self, parameter: str, flow: str, known: Iterable[str] = ()) -> None:
        listed = ", ".join(known) or "none"
        super().__init__(f"flow {flow!r} has no parameter {parameter!r}", fix=f"Its parameters: {listed}.")


class ParentFlowNotInFlowsError(FlowDefinitionError):
    """A parameter is mapped from a flow that is not part of the composition."""

    code = "HW032"

    def __init__(self, parent: str, child: str, known: Iterable[str] = ()) -> None:
        super().__init__(
            f"flow {child!r} maps a parameter from {parent!r}, which is not among the composing flows",
            fix=f"Composing flows: {', '.join(known)}.",
        )


class TaskNotInFlowError(FlowDefinitionError):
    """A parameter is mapped from a task that the parent flow does not have."""

    code = "HW033"

    def __init__(self, task: str, flow: str, known: Iterable[str] = ()) -> None:
        super().__init__(
            f"flow {flow!r} has no task {task!r}", fix=f"Its tasks: {', '.join(known) or 'none'}."
        )


class ParentAfterChildError(FlowDefinitionError):
    """A flow is listed before one that it maps from."""

    code = "HW034"

    def __init__(self, parent: str, child: str) -> None:
        super().__init__(
            f"flow {child!r} maps from {parent!r}, which is listed after it", fix=f"List {parent!r} first."
        )


class SelfMappingError(FlowDefinitionError):
    """A flow maps a parameter from itself."""

    code = "HW035"

    def __init__(self, parameter: str, flow: str) -> None:
        super().__init__(
            f"flow {flow!r} maps its parameter {parameter!r} from itself",
            fix="Name another parent_flow_name.",
        )


class DuplicateFlowError(FlowDefinitionError):
    """Two composing flows have one name."""

    code = "HW036"

    def __init__(self, flow: str) -> None:
        super().__init__(f"flow {flow!r} is listed twice", fix="Register one of them under another name.")


class FlowNotFoundError(FlowDefinitionError):
    """No such flow is registered."""

    code = "HW037"


class FlowFailedError(FlowError):
    """The run of a flow failed; `result` is the whole result."""

    code = "HW038"

    def __init__(self, message: str, *, fix: str = "", result: object = None) -> None:
        super().__init__(message, fix=fix)
        self.result = result


class EmptyResultError(FlowError):
    """A task whose result was asked for, or is mapped, has none: it returned nothing or was skipped."""

    code = "HW039"
