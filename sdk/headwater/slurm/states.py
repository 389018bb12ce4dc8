"""What the states of Slurm mean for a task, and what a person can do about them."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.engine.graph import ErrorClass
from headwater.slurm.records import Record
from headwater.slurm.script import NO_RESULT_WRITTEN

ACTIVE = frozenset({
    "PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "REQUEUED", "RESIZING", "STAGE_OUT",
    "SIGNALING", "STOPPED", "REQUEUE_HOLD", "SPECIAL_EXIT", "REQUEUE_FED", "RESV_DEL_HOLD", "UPDATE_DB",
    "POWER_UP_NODE", "EXPEDITING",
})  # fmt: skip
WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD", "CONFIGURING"})
ENDED_WELL = "COMPLETED"
LAUNCH_SIGNAL = 53
"""Slurm's own "signal" where a job could not begin: its folder or output file cannot be used on the node."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a task has no result."""

    error_class: ErrorClass
    type: str
    message: str


_CAUSES: dict[str, tuple[ErrorClass, str, str]] = {
    "TIMEOUT": (
        ErrorClass.TIMEOUT, "ran over its time limit",
        "Give it more with slurm={{'time': ...}}, or fewer items for each task.",
    ),
    "DEADLINE": (ErrorClass.TIMEOUT, "missed its deadline", "Give it a later one."),
    "OUT_OF_MEMORY": (
        ErrorClass.OOM, "used more memory than it had asked for",
        "Give it more with slurm={{'mem': ...}}.",
    ),
    "NODE_FAIL": (ErrorClass.INFRASTRUCTURE, "was on a node that failed ({node})", "It is tried again."),
    "BOOT_FAIL": (ErrorClass.INFRASTRUCTURE, "got a node that did not start ({node})", "It is tried again."),
    "LAUNCH_FAILED": (ErrorClass.INFRASTRUCTURE, "could not be launched on {node}", "See slurmd's log there."),
    "RECONFIG_FAIL": (ErrorClass.INFRASTRUCTURE, "could not be launched on {node}", "It is tried again."),
    "REVOKED": (ErrorClass.INFRASTRUCTURE, "was revoked by a federation", "It is tried again."),
    "PREEMPTED": (ErrorClass.PREEMPTED, "was preempted by a job of higher priority", "It is tried again."),
    "CANCELLED": (
        ErrorClass.ERROR, "was cancelled by somebody else (scancel)",
        "Ask who did, then: flowctl resume.",
    ),
}  # fmt: skip


def cause_of(record: Record, said: str = "") -> Cause:
    """Why a task that has ended has left no result; `said` is what its script has noted, or nothing.

    >>> cause = cause_of(Record(17, 3, "OUT_OF_MEMORY", node="n1"))
    >>> print(cause.error_class, cause.message, sep=": ")
    Oom: Slurm job 17_3 (OUT_OF_MEMORY) used more memory than it had asked for. Give it more with slurm={'mem': ...}.
    """
    known = _CAUSES.get(record.state)
    if known is not None:
        error_class, what, fix = known
        text = f"Slurm job {record.where} ({record.state}) {what}. {fix}"
        kind = {ErrorClass.OOM: "OutOfMemory", ErrorClass.TIMEOUT: "Timeout"}.get(
            error_class, "SlurmJobEnded"
        )
        return Cause(error_class, kind, text.format(node=record.node or "unknown"))
    if record.signal == LAUNCH_SIGNAL:
        return Cause(
            ErrorClass.INFRASTRUCTURE,
            "SlurmJobEnded",
            f"Slurm job {record.where} ({record.state}) could not begin on {record.node or 'its node'}: its "
            "folder or output file cannot be used there. Is `slurm.workdir` on a file system that the nodes share?",
        )
    return died(record.where, record.state, record.exit_code, record.signal, record.node, said)


def died(where: str, state: str, exit_code: int, signal: int, node: str, said: str = "") -> Cause:
    """The worker process has ended by itself, without a result."""
    if exit_code > 128 and not signal:
        exit_code, signal = 0, exit_code - 128
    how = f"was killed by signal {signal}" if signal else f"exited with code {exit_code}"
    on = f" on {node}" if node else ""
    text = f"the worker process {how} (Slurm job {where}, {state}{on})"
    if exit_code == NO_RESULT_WRITTEN:
        return Cause(
            ErrorClass.INFRASTRUCTURE,
            "SlurmJobEnded",
            f"{text}: it could not write its files. Is the file system of `slurm.workdir` full or away?",
        )
    return Cause(ErrorClass.ERROR, "WorkerDied", f"{text}{': ' + said if said else ''}")


def never_begun(record: Record) -> Cause:
    """Slurm says that it ended, but it never began: a launch that went wrong, which is nobody's code."""
    if record.exit_code == NO_RESULT_WRITTEN:
        return died(record.where, record.state, record.exit_code, record.signal, record.node)
    return Cause(
        ErrorClass.INFRASTRUCTURE,
        "SlurmJobEnded",
        f"Slurm job {record.where} ({record.state}, {record.reason or 'no reason given'}) ended before it had begun"
        f"{' on ' + record.node if record.node else ''}. It is tried again; see slurmd's log there.",
    )


def lost(where: str) -> Cause:
    """Slurm does not know the job any more, and it has left nothing."""
    return Cause(
        ErrorClass.INFRASTRUCTURE,
        "SlurmJobLost",
        f"Slurm does not know job {where} any more, and it has left no result. "
        "Was the controller's state lost? It is tried again.",
    )


def mistaken(record: Record) -> Cause:
    """The controller has lost its state and given an id again: a node that knows the first job ends the second."""
    return Cause(
        ErrorClass.INFRASTRUCTURE,
        "SlurmJobEnded",
        f"Slurm job {record.where} ({record.state}) was ended by Slurm itself, which had given its id to another job "
        "before. Was the controller's state lost? It is tried again.",
    )


def taken_out(where: str) -> Cause:
    """Slurm knows the array and not this task, which had not begun: it forgets one that is cancelled in the queue."""
    return Cause(
        ErrorClass.ERROR,
        "SlurmJobEnded",
        f"Slurm job {where} was cancelled by somebody else (scancel) before it began. "
        "Ask who did, then: flowctl resume.",
    )


_HELD = {
    "JobHeldUser": "it is held: scontrol release {where}",
    "JobHeldAdmin": "an administrator holds it: ask them for `scontrol release {where}`",
    "launch_failed_requeued_held": "it could not be launched: see slurmd's log, then scontrol release {where}",
    "JobHoldMaxRequeue": "it was requeued too often and is held: scontrol release {where}",
    "PartitionTimeLimit": "its time limit is above the partition's: scontrol update jobid={where} timelimit=...",
    "PartitionNodeLimit": "it asks for more nodes than its partition gives: scontrol update jobid={where} ...",
    "PartitionDown": "its partition is down: ask the administrators, or scontrol update jobid={where} partition=...",
    "PartitionInactive": "its partition is inactive: scontrol update jobid={where} partition=...",
    "BadConstraints": "no node can satisfy its constraints: scontrol update jobid={where} features=...",
    "DependencyNeverSatisfied": "what it depends on has failed: scancel {where}",
    "AssocGrpCPUMinutesLimit": "the account's CPU time is used up: ask for more, or use another account",
    "QOSMaxJobsPerUserLimit": "you have as many jobs as the QOS allows: it waits for others to end",
}


def why_it_waits(record: Record) -> str:
    """What a person has to know about a job that waits for more than its turn; nothing for an ordinary wait.

    >>> why_it_waits(Record(17, -1, "PENDING", "JobHeldUser"))
    'Slurm job 17 waits: it is held: scontrol release 17'
    >>> why_it_waits(Record(17, -1, "PENDING", "Resources"))
    ''
    """
    reason = record.reason.strip("()").replace(" ", "_")
    if record.state not in WAITING:
        return ""
    if reason.startswith("ReqNodeNotAvail") or "DOWN,_DRAINED" in reason:
        return f"Slurm job {record.where} waits: nodes that it needs are down, drained or reserved ({record.reason})"
    found = _HELD.get(reason)
    return f"Slurm job {record.where} waits: {found.format(where=record.where)}" if found else ""


def has_reason(record: Record) -> bool:
    """Whether Slurm has said yet why a job waits."""
    return record.reason.strip("()") not in ("", "None")


def is_queued(record: Record) -> str:
    """What there is to say of a job that waits for its turn.

    >>> is_queued(Record(17, -1, "PENDING", "Resources"))
    'Slurm job 17 is queued (Resources)'
    """
    reason = record.reason.strip("()")
    return f"Slurm job {record.where} is queued" + (f" ({reason})" if has_reason(record) else "")
