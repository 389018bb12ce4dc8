"""How many tasks of a map's arrays run at once, changed while they do: `spec.parallelism` of a run is no constant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headwater.slurm.errors import SlurmError
from headwater.slurm.transport import Transport


def read_limit(file: Path, otherwise: int) -> int:
    """What the operator says now, 0 for no limit; `otherwise` where there is nobody who says anything."""
    try:
        text = file.read_text().strip()
    except OSError:
        return otherwise
    return int(text) if text.isdigit() else 0


@dataclass(slots=True)
class Limits:
    """The limit that each array has been given; one that an earlier bridge has submitted may have any."""

    transport: Transport
    say: Callable[[str], None]
    one_by_one: bool
    """Whether the arrays of the map run one after the other: then each may use the whole limit."""
    _given: dict[int, int | None] = field(default_factory=dict)
    _said: str = ""

    def submitted(self, job: int, limit: int | None) -> None:
        """An array is there; `limit` is what it was submitted with, None where that was by somebody else."""
        self._given[job] = limit

    def keep(self, wanted: int, jobs: Sequence[int]) -> None:
        """Have these arrays, which go on, run `wanted` tasks at once together; 0 for as many as can.

        What Slurm does not do now is tried again at the next call, and said once.
        """
        share = wanted if self.one_by_one or not wanted else max(wanted // max(len(jobs), 1), 1)
        for job in jobs:
            if self._given.get(job, share) == share:
                continue
            try:
                self.transport.limit(job, share)
            except SlurmError as error:
                self._tell(f"Slurm job {job} keeps its limit for now: {error}")
                return
            self._given[job] = share
            self._tell(f"Slurm job {job}: {share or 'as many tasks as can'} at once from now on")

    def _tell(self, message: str) -> None:
        if message != self._said:
            self._said = message
            self.say(message)
