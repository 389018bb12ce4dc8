"""What a way to Slurm can do, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from headwater.slurm.directives import Directives
from headwater.slurm.records import Record
from headwater.slurm.site import Site


@dataclass(frozen=True, slots=True)
class Job:
    """A job to be submitted. Its `name` is its identity: what bears it already is this job.

    `array` are the indices of its tasks ("0-99"), "" for a job that is none; `parallelism` how many of them may run
    at once. `after` are jobs that have to end first. `environment`: None passes on that of this process (where the
    transport can), a mapping is all there is.
    """

    name: str
    script: str
    folder: str
    output: str
    directives: Directives = field(default_factory=Directives)
    array: str = ""
    parallelism: int | None = None
    after: tuple[int, ...] = ()
    comment: str = ""
    environment: Mapping[str, str] | None = None

    @property
    def array_expression(self) -> str:
        """The array as Slurm takes it: `0-99%8`."""
        return f"{self.array}%{self.parallelism}" if self.array and self.parallelism else self.array


class Transport(Protocol):
    """A way to Slurm. Every method raises `SlurmAway` when Slurm does not answer, for whatever passing reason."""

    name: str

    def submit(self, job: Job) -> int:
        """Submit a job; its id. Use `submit_once`, which does not submit twice.

        Raises:
            SlurmRefused: Slurm will not take it.
        """

    def find(self, name: str) -> list[int]:
        """The ids of the jobs that bear exactly this name and that Slurm still knows, the oldest first."""

    def records(self, jobs: Sequence[int]) -> list[Record]:
        """What Slurm knows of these jobs, ended ones included, in one question."""

    def cancel(self, jobs: Sequence[str]) -> None:
        """Cancel jobs (`17`) or tasks (`17_3`); those that are over are left alone."""

    def limit(self, job: int, tasks: int) -> None:
        """Let so many tasks of an array run at once, 0 for as many as can; those that run go on.

        An array that is over, or of which nothing waits any more, is left alone.
        """

    def site(self) -> Site:
        """What the cluster offers."""

    def close(self) -> None:
        """Let go of connections."""
