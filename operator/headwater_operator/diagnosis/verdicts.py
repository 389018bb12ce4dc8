"""What a diagnosis comes to: why something waits, or how it ended."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.engine.events import Failure


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a pod does not run yet: one line with what to do, and a code for programs.

    `hopeless`: nothing outside of the document can mend it, so there is no point in waiting.
    """

    text: str
    reason: str
    hopeless: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pod ended. `failure` is None exactly when it succeeded.

    `message` is its termination message, where that is a result or a report (else ""). Times are seconds since
    the epoch on the node's clock, None where no container ran. `lingers`: the work is done, but other
    containers of the pod keep running; delete it.
    """

    succeeded: bool
    message: str = ""
    failure: Failure | None = None
    exit_code: int | None = None
    started_at: float | None = None
    finished_at: float | None = None
    lingers: bool = False
