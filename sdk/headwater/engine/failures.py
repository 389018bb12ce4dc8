"""What happens after a failure: another attempt, or an end that halts what need not start any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.engine.commands import Cancel
from headwater.engine.events import Failure
from headwater.engine.graph import (
    DISRUPTIONS,
    FREE_DISRUPTION_RETRIES,
    Call,
    ErrorClass,
    Iterate,
    Loop,
    Retry,
)
from headwater.engine.state import ENDED, NodeState, Phase

if TYPE_CHECKING:
    from headwater.engine.engine import Engine


def may_retry(retry: Retry, failure: Failure, charged: int, free: int) -> tuple[bool, bool]:
    """Whether to try again, and whether that retry counts against the limit.

    >>> may_retry(Retry(limit=0), Failure("NodeLost", "", ErrorClass.INFRASTRUCTURE), charged=0, free=0)
    (True, False)
    >>> may_retry(Retry(limit=1), Failure("ValueError", ""), charged=1, free=0)
    (False, False)
    """
    disrupted = failure.error_class in DISRUPTIONS and not retry.explicit_classes
    if disrupted and free < FREE_DISRUPTION_RETRIES:
        return True, False
    if failure.error_class in retry.classes and charged < retry.limit:
        return True, True
    return False, False


def attempt_failed(engine: Engine, state: NodeState, failure: Failure) -> None:
    """One attempt of a node has failed: start the next one now, later, or never."""
    engine.release(state)
    state.failure = failure
    again, counts = may_retry(state.node.policy.retry, failure, state.charged, state.free_retries)
    if again and engine.stopping is None and not state.frame.stopped:
        state.charged += counts
        state.free_retries += not counts
        engine.clear_timers(state)
        delay = state.node.policy.retry.delay(state.charged + state.free_retries)
        state.message = f"attempt {state.attempt} failed ({failure.type}: {failure.message}), trying again"
        if delay:
            state.stage = "retry"
            engine.mark(state, Phase.PENDING)
            engine.set_timer(f"retry:{state.path}:{state.attempt}", delay, state.path)
        else:
            state.stage = ""
            engine.begin_again(state)
        return
    if failure.node == "":
        failure = Failure(
            failure.type,
            failure.message,
            failure.error_class,
            state.path,
            failure.traceback,
            failure.exception,
        )
    engine.end(state, Phase.FAILED, failure=failure)


def timed_out(engine: Engine, state: NodeState) -> None:
    """A node ran longer than its timeout: end what runs of it, then count a failed attempt."""
    seconds = state.node.policy.timeout or 0.0
    engine.out.append(Cancel(state.path, 0, "timeout"))
    stage, state.stage = state.stage, "cancelling"
    for frame in list((state.children or {}).values()):
        frame.halted = True
        for child in frame.nodes:
            engine.cancel(child, f"{state.path} timed out")
    if stage in ("run", "running"):
        engine.release(state)
    failure = Failure(
        "Timeout", f"ran longer than its timeout of {seconds:g} s", ErrorClass.TIMEOUT, state.path
    )
    attempt_failed(engine, state, failure)


def never_started(engine: Engine, state: NodeState, why: str = "") -> None:
    """A node has waited longer than its queueTimeout for a place to run: withdraw it, count a failed attempt."""
    seconds = state.node.policy.queue_timeout or 0.0
    engine.out.append(Cancel(state.path, 0 if state.items is not None else state.attempt, "queueTimeout"))
    engine.release(state)
    message = f"did not start within its queueTimeout of {seconds:g} s{f': {why}' if why else ''}"
    failure = Failure("Timeout", message, ErrorClass.TIMEOUT, state.path)
    attempt_failed(engine, state, failure)


def is_caught(state: NodeState) -> bool:
    """Whether a failure of this node does not fail its block."""
    return state.node.policy.continue_on_failure or state.index in state.frame.plan.caught


def note(engine: Engine, state: NodeState) -> None:
    """A node has finally failed: fail its block unless the failure is caught, and halt what is hopeless."""
    failure = state.failure
    if failure is None or is_caught(state):
        return
    frame = state.frame
    if not state.children:
        engine.failures.append((engine.now, failure))
    if frame.failed is None:
        frame.failed = failure
    if not engine.graph.policy.fail_fast:
        return
    frame.halted = True
    owner = frame.owner
    while owner is not None and owner.phase not in ENDED and _will_fail(owner, failure):
        owner.frame.halted = True
        owner = owner.frame.owner


def _will_fail(owner: NodeState, failure: Failure) -> bool:
    kind = owner.node.kind
    if not isinstance(kind, Call | Iterate | Loop) or (isinstance(kind, Loop) and kind.iterations is None):
        return False
    again, _ = may_retry(owner.node.policy.retry, failure, owner.charged, owner.free_retries)
    return not again and not is_caught(owner)


def map_failed(engine: Engine, state: NodeState, failure: Failure) -> None:
    """More items failed than a map tolerates. Its retries were spent on the items, so this is final."""
    engine.release(state)
    engine.end(state, Phase.FAILED, failure=failure)
