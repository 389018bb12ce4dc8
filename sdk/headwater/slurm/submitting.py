"""Submitting once: the name of a job says which it is, so whoever asks again finds the first."""

from __future__ import annotations

from headwater.slurm.errors import SlurmAway
from headwater.slurm.transport import Job, Transport


def find_or_cancel_others(transport: Transport, name: str) -> int | None:
    """The job of that name, or None; where a cut connection has made several, one is kept.

    It is one that has begun, where one has. Of the others those that only wait are cancelled; what has begun goes on,
    for a task that it has claimed is done by nobody else (`script.py`), and whoever follows the job sees who has.
    """
    found = transport.find(name)
    if len(found) < 2:
        return found[0] if found else None
    records = transport.records(found)
    begun = {record.job for record in records if record.state != "PENDING"}
    kept = next((job for job in found if job in begun), found[0])
    transport.cancel([str(job) for job in found if job not in begun | {kept}])
    return kept


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
