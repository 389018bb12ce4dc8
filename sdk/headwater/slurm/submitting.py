"""Submitting once: the name of a job says which it is, so whoever asks again finds the first."""

from __future__ import annotations

from headwater.slurm.errors import SlurmAway
from headwater.slurm.transport import Job, Transport


def find_or_cancel_others(transport: Transport, name: str) -> int | None:
    """The job of that name, or None; where a cut connection has made several, the first is kept.

    The others have done nothing: the script of a job begins only if no other job of its name has begun (`script.py`).
    """
    found = transport.find(name)
    if len(found) > 1:
        transport.cancel([str(job) for job in found[1:]])
    return found[0] if found else None


def submit_once(transport: Transport, job: Job, *, is_new: bool = False) -> int:
    """Submit a job, or find it where it has been submitted already; its id.

    `is_new` says that this name has never been handed to Slurm, which saves the question.

    Raises:
        SlurmAway: it is not known whether it was submitted; ask again (without `is_new`) after a few seconds.
        SlurmRefused: Slurm will not take it.
    """
    if not is_new:
        known = find_or_cancel_others(transport, job.name)
        if known is not None:
            return known
    try:
        return transport.submit(job)
    except SlurmAway:
        # The answer is lost, perhaps the job is not.
        known = find_or_cancel_others(transport, job.name)
        if known is not None:
            return known
        raise
