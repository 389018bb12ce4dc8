"""What a cluster offers, and whether a job's directives can ever be satisfied there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headwater.errors import DefinitionError
from headwater.slurm.directives import Directives


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition: its limits for one job, its largest node, and who may use it. None is no limit."""

    name: str
    is_default: bool = False
    max_minutes: int | None = None
    cpus: int | None = None
    memory: int | None = None
    accounts: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster as its own configuration describes it; `accounts` only where there is accounting."""

    partitions: Mapping[str, Partition] = field(default_factory=dict)
    max_array: int = 1001
    accounts: tuple[str, ...] = ()
    version: str = ""

    def check(self, wanted: Directives, where: str) -> None:
        """Refuse what this cluster can never give.

        Raises:
            DefinitionError: says what is valid here.

        >>> site = Site({"short": Partition("short", True, max_minutes=60)})
        >>> site.check(Directives(partition="long"), "fit")
        Traceback (most recent call last):
        headwater.errors.DefinitionError: fit: the cluster has no partition 'long'. It has: short (up to 1:00:00).
        """
        if not self.partitions:
            return
        named = wanted.partition.split(",") if wanted.partition else []
        unknown = [name for name in named if name not in self.partitions]
        if unknown:
            raise DefinitionError(
                f"{where}: the cluster has no partition {unknown[0]!r}", fix=f"It has: {self._listed()}."
            )
        chosen = [self.partitions[name] for name in named]
        chosen = chosen or [each for each in self.partitions.values() if each.is_default]
        if wanted.account and self.accounts and wanted.account not in self.accounts:
            listed = ", ".join(self.accounts)
            raise DefinitionError(
                f"{where}: you have no account {wanted.account!r} here", fix=f"Your accounts: {listed}."
            )
        problems = [problem for each in chosen if (problem := _problem(each, wanted))]
        if chosen and len(problems) == len(chosen):  # one that fits is enough
            raise DefinitionError(f"{where}: {problems[0]}", fix=f"The cluster has: {self._listed()}.")

    def _listed(self) -> str:
        return ", ".join(map(_shown, self.partitions.values()))


def _problem(partition: Partition, wanted: Directives) -> str:
    name = partition.name
    limit = partition.max_minutes
    if wanted.time is not None and limit is not None and wanted.time > limit:
        return f"a time limit of {clock(wanted.time)} is above the {clock(limit)} of partition {name!r}"
    if wanted.mem is not None and partition.memory is not None and wanted.mem > partition.memory:
        return f"{wanted.mem} MB of memory are more than a node of partition {name!r} has ({partition.memory} MB)"
    if (
        wanted.cpus_per_task is not None
        and partition.cpus is not None
        and wanted.cpus_per_task > partition.cpus
    ):
        return (
            f"{wanted.cpus_per_task} CPUs are more than a node of partition {name!r} has ({partition.cpus})"
        )
    if wanted.account and partition.accounts and wanted.account not in partition.accounts:
        return (
            f"partition {name!r} takes the accounts {', '.join(partition.accounts)}, not {wanted.account!r}"
        )
    if wanted.qos and partition.qos and wanted.qos not in partition.qos:
        return f"partition {name!r} takes the QOS {', '.join(partition.qos)}, not {wanted.qos!r}"
    return ""


def clock(minutes: int) -> str:
    """Minutes as Slurm writes them.

    >>> clock(90), clock(1500)
    ('1:30:00', '1-01:00:00')
    """
    days, rest = divmod(minutes, 1440)
    text = f"{rest // 60}:{rest % 60:02}:00"
    return f"{days}-{rest // 60:02}:{rest % 60:02}:00" if days else text


def _shown(partition: Partition) -> str:
    limits: list[str] = []
    if partition.max_minutes is not None:
        limits.append(f"up to {clock(partition.max_minutes)}")
    size = [f"{partition.cpus} CPUs"] if partition.cpus else []
    size += [f"{partition.memory} MB"] if partition.memory else []
    if size:
        limits.append(f"{' and '.join(size)} a node")
    return f"{partition.name} ({', '.join(limits)})" if limits else partition.name


def merged(found: Sequence[Partition]) -> dict[str, Partition]:
    """Partitions by name; the largest node of each counts (Slurm lists one line for each kind of node)."""
    by_name: dict[str, Partition] = {}
    for each in found:
        known = by_name.get(each.name)
        if known is None:
            by_name[each.name] = each
            continue
        by_name[each.name] = Partition(
            each.name, known.is_default or each.is_default, each.max_minutes,
            max(known.cpus or 0, each.cpus or 0) or None, max(known.memory or 0, each.memory or 0) or None,
            each.accounts or known.accounts, each.qos or known.qos,
        )  # fmt: skip
    return by_name
