"""Results without a shared file system and without ssh: a job puts its report into its own comment in Slurm.

Reports are small (4 KB). Slurm forgets a comment with the job; then the job is submitted once more under a further
name, finds its result in the work folder of the cluster and only tells it again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from headwater.slurm.records import Record
from headwater.slurm.script import CLAIM, DONE, marker
from headwater.slurm.transport import Transport

PREFIX = "headwater-report:"

# The last task of an array has the array's own id, by which all of them would be given its comment.
TELL = (
    "until scontrol update "
    '"jobid=${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}" '
    f'"comment={PREFIX}$(base64 -w0 < "$at.done")" 2>/dev/null; do sleep 5; done'
)
"""Shell text that puts the result into the comment, however long Slurm is away."""


class CommentFiles:
    """Looks to a follower like the folder of markers; its content is what Slurm says of the jobs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._found: dict[str, bytes] = {}

    def records(self, jobs: Sequence[int]) -> list[Record]:
        """The records of jobs, the reports in their comments remembered."""
        records = self._transport.records(jobs)
        for record in records:
            report = report_in(record.comment)
            if report is not None:
                self._found[marker(record.name, max(record.task, 0), DONE)] = report
        return records

    def put(self, path: str, content: bytes) -> None:
        """Nothing can be written this way."""
        raise NotImplementedError("slurmrestd carries no files")

    def names(self, folder: str) -> list[str]:
        """The markers that are known."""
        return list(self._found)

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The reports among these markers."""
        found = {path: self._found.get(path.rpartition("/")[2]) for path in paths}
        # Whether a task has begun cannot be seen from here; where it matters, it has.
        found |= {path: b"" for path in paths if path.endswith(CLAIM)}
        return {path: content for path, content in found.items() if content is not None}

    def remove(self, folder: str) -> None:
        """There is nothing to take away from here."""


class AskingForComments:
    """A transport whose records are also looked through for reports."""

    def __init__(self, files: CommentFiles, transport: Transport) -> None:
        self._files = files
        self._transport = transport

    def records(self, jobs: Sequence[int]) -> list[Record]:
        """What Slurm knows of these jobs."""
        return self._files.records(jobs)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


def report_in(comment: str) -> bytes | None:
    """The report in a comment, if it is one.

    >>> report_in(PREFIX + base64.b64encode(b"{}").decode()), report_in("headwater fit")
    (b'{}', None)
    """
    if not comment.startswith(PREFIX):
        return None
    try:
        return base64.b64decode(comment[len(PREFIX) :], validate=True)
    except (ValueError, binascii.Error):
        return None
