"""What a job asks of the cluster, typed: from `slurm={...}` of a task to sbatch's options or slurmrestd's fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from headwater.errors import DefinitionError

_UNITS = {"": 1.0, "M": 1.0, "K": 1 / 1024, "G": 1024.0, "T": 1024.0 * 1024.0}
_ALIASES = {"cpu_per_task": "cpus_per_task", "memory": "mem", "cpus": "cpus_per_task", "time_limit": "time"}


def minutes(value: object) -> int:
    """A time limit in whole minutes: Slurm's notations, `90m`, `2h`, `1d`, or a number of minutes.

    >>> minutes(30), minutes("01:30:00"), minutes("2-12"), minutes("90s"), minutes("2h"), minutes("10:00")
    (30, 90, 3600, 2, 120, 10)
    """
    if isinstance(value, bool):
        raise ValueError("must be a time, such as 01:30:00 or 90m")
    if isinstance(value, int | float):
        return _up(float(value))
    text = str(value).strip()
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text):
        return _up(float(found[1]) * {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}[found[2]])
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if found is None:
        raise ValueError(f"must be a time, such as 01:30:00, 1-12 or 90m; got {text!r}")
    days, a, b, c = (int(part) if part else None for part in found.groups())
    if days is not None:
        return days * 1440 + (a or 0) * 60 + (b or 0) + _up((c or 0) / 60)
    if c is not None:
        return (a or 0) * 60 + (b or 0) + _up(c / 60)
    return (a or 0) + _up((b or 0) / 60)


def _up(value: float) -> int:
    return max(int(-(-value // 1)), 0)


def megabytes(value: object) -> int:
    """Memory in MB: a number of MB, or with a unit as sbatch and Kubernetes write it.

    >>> megabytes(500), megabytes("2G"), megabytes("512Mi"), megabytes("1.5Gi")
    (500, 2048, 512, 1536)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", str(value).strip(), re.IGNORECASE)
    if found is None or isinstance(value, bool):
        raise ValueError(f"must be an amount of memory, such as 500M or 2G; got {value!r}")
    return max(_up(float(found[1]) * _UNITS[found[2].upper()]), 1)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\d+", str(value)) or int(str(value)) < 1:
        raise ValueError(f"must be a whole number from 1; got {value!r}")
    return int(str(value))


def _text(value: object) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
        raise ValueError(f"must be text; got {value!r}")
    if re.search(r"[\n\r\0]", str(value)):
        raise ValueError("must be one line")
    return str(value).strip()


def _options(value: object) -> tuple[str, ...]:
    found = value.split() if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(each, str) for each in found):
        raise ValueError("must be a list of sbatch options, such as ['--exclusive']")
    for option in found:
        if not option.startswith("-"):
            raise ValueError(f"must be sbatch options, written --name=value; got {option!r}")
        if option.partition("=")[0] in _OURS:
            raise ValueError(f"{option.partition('=')[0]} is set by Headwater: leave it out")
    return tuple(found)


_OURS = frozenset({
    "--array", "-a", "--job-name", "-J", "--output", "-o", "--error", "-e", "--chdir", "-D", "--requeue",
    "--wait", "-W", "--wrap", "--parsable", "--dependency", "-d",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Directives:
    """What one job, or each task of an array, asks for. `time` in minutes, memory in MB."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time: int | None = None
    mem: int | None = None
    mem_per_cpu: int | None = None
    cpus_per_task: int | None = None
    nodes: int | None = None
    ntasks: int | None = None
    gres: str | None = None
    constraint: str | None = None
    exclude: str | None = None
    reservation: str | None = None
    nice: int | None = None
    sbatch: tuple[str, ...] = ()

    @classmethod
    def parse(cls, written: Mapping[str, Any], where: str = "slurm") -> Directives:
        """Read what an author has written.

        Raises:
            DefinitionError: a name is unknown, or a value is not what it must be.

        >>> Directives.parse({"partition": "short", "time": "10m", "mem": "2G"}).to_sbatch()
        ['--partition=short', '--time=10', '--mem=2048M']
        >>> Directives.parse({"partion": "short"}, "task 'fit'")
        Traceback (most recent call last):
        headwater.errors.DefinitionError: task 'fit': Slurm knows no directive 'partion'. Did you mean 'partition'?
        """
        found: dict[str, Any] = {}
        for given, value in written.items():
            name = given.lstrip("-").replace("-", "_")
            name = _ALIASES.get(name, name)
            if name not in _READERS:
                raise DefinitionError(f"{where}: Slurm knows no directive {given!r}", fix=_hint(name))
            if value is None:
                continue
            try:
                found[name] = _READERS[name](value)
            except ValueError as error:
                raise DefinitionError(f"{where}: the Slurm directive {given!r} {error}") from None
        if found.get("mem") and found.get("mem_per_cpu"):
            raise DefinitionError(f"{where}: give `mem` or `mem_per_cpu`, not both")
        return cls(**found)

    def over(self, other: Directives) -> Directives:
        """These, and `other`'s where these say nothing."""
        own = {name: getattr(self, name) for name in _NAMES if getattr(self, name) not in (None, ())}
        if "mem" in own or "mem_per_cpu" in own:
            other = replace(other, mem=None, mem_per_cpu=None)
        return replace(other, **own)

    def to_sbatch(self) -> list[str]:
        """As options of sbatch."""
        written = []
        for name in _NAMES[:-1]:
            value = getattr(self, name)
            if value is not None:
                unit = "M" if name in ("mem", "mem_per_cpu") else ""
                written.append(f"--{name.replace('_', '-')}={value}{unit}")
        return [*written, *self.sbatch]


_READERS: dict[str, Any] = {
    "partition": _text, "account": _text, "qos": _text, "time": minutes, "mem": megabytes,
    "mem_per_cpu": megabytes, "cpus_per_task": _whole, "nodes": _whole, "ntasks": _whole, "gres": _text,
    "constraint": _text, "exclude": _text, "reservation": _text, "nice": int, "sbatch": _options,
}  # fmt: skip
_NAMES = tuple(each.name for each in fields(Directives))


def _hint(name: str) -> str:
    close = get_close_matches(name, _READERS, 1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"It knows {', '.join(_READERS)}; any other option goes into `sbatch: [--name=value]`."


def from_resources(resources: Mapping[str, Any]) -> Directives:
    """What Kubernetes' `resources` of a node ask for, in Slurm's terms.

    >>> from_resources({"requests": {"cpu": "1500m", "memory": "2Gi"}}).to_sbatch()
    ['--mem=2048M', '--cpus-per-task=2']
    """
    wanted = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
    found: dict[str, Any] = {}
    if "memory" in wanted:
        found["mem"] = wanted["memory"]
    if "cpu" in wanted:
        cpu = str(wanted["cpu"])
        found["cpus_per_task"] = _up(float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)) or 1
    if "nvidia.com/gpu" in wanted:
        found["gres"] = f"gpu:{wanted['nvidia.com/gpu']}"
    return Directives.parse(found, "resources")
