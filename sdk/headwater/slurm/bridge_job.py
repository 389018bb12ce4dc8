"""A unit as a Slurm job: the script carries the unit and the code, so that nothing has to be copied beforehand."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from headwater.document.unit import ENVIRONMENT, UnitSpec, write_unit
from headwater.engine import IntervalSet
from headwater.errors import UsageError
from headwater.slurm.cluster import Cluster
from headwater.slurm.comments import TELL
from headwater.slurm.directives import Directives, from_resources
from headwater.slurm.script import NO_RESULT_WRITTEN, script
from headwater.slurm.transport import Job

LARGEST_SCRIPT = 3 << 20
KEPT_DAYS = 7
WRITING_SECONDS = 120
"""How long a result is tried to be written where the disk is full."""

_RUNTIME = (
    f'HEADWATER_REPORT_SECONDS={WRITING_SECONDS} HEADWATER_TERMINATION_LOG="$HEADWATER_SLURM_AT.part" '
    'JOB_COMPLETION_INDEX="$((HEADWATER_SLURM_INDEX + HEADWATER_FIRST_SHARE))" "$0" '
    '-m headwater.runtime; code=$?; if [ "$code" -le 1 ]; then { [ -s "$HEADWATER_SLURM_AT.part" ] && '
    'mv -f "$HEADWATER_SLURM_AT.part" "$HEADWATER_SLURM_AT.done"; } || '
    f'code={NO_RESULT_WRITTEN}; fi; exit "$code"'
)


@dataclass(frozen=True, slots=True)
class Part:
    """One job of a unit: its array has the tasks from `first` on, `size` of them."""

    name: str
    first: int
    size: int


@dataclass(frozen=True, slots=True)
class Order:
    """What a bridge is told: a unit, the cluster, the name of the job (its identity) and what it asks for.

    `tasks` is how many tasks the job's array has; 1 for a unit that is no map. `carried` are files that the job
    brings along, by their path on the cluster.
    """

    unit: UnitSpec
    cluster: Cluster
    name: str
    directives: Directives = field(default_factory=Directives)
    parallelism: int | None = None
    bundle: bytes = b""
    carried: Mapping[str, bytes] = field(default_factory=dict)
    tasks: int = 1

    @classmethod
    def parse(
        cls, unit: UnitSpec, written: Mapping[str, Any], bundle: bytes = b"", secret: str = ""
    ) -> Order:
        """From the unit and the mapping in `HEADWATER_SLURM`: `cluster` (the spec of the SlurmCluster), `name`,
        and perhaps `slurm`, `resources`, `parallelism` and, where the unit does not tell, `tasks`.

        Raises:
            ConfigError, DefinitionError: something in it is wrong.
        """
        spec = {**written["cluster"], **({"secretRef": secret} if secret else {})}
        cluster = Cluster.parse(spec, "the SlurmCluster")
        if not cluster.workdir:
            raise UsageError("the SlurmCluster has no `workdir`", fix="Name a folder that its nodes share.")
        asked = {name: value for name, value in (written.get("slurm") or {}).items() if name != "cluster"}
        directives = Directives.parse(asked, f"node {unit.path!r}")
        directives = directives.over(from_resources(written.get("resources") or {})).over(cluster.defaults)
        tasks = int(written.get("tasks", 1))
        if unit.does == "items":
            tasks = -(-len(IntervalSet.parse(unit.items)) // max(unit.per_pod, 1))
        limit = written.get("parallelism")
        return cls(unit, cluster, str(written["name"]), directives, limit, bundle, tasks=tasks)

    def parts(self, largest: int) -> list[Part]:
        """The jobs of the unit: one, or as many as the largest array of the site makes it.

        >>> order = Order(UnitSpec("u", "r", "m", 1, "items", {}), Cluster(workdir="/w"), "job", tasks=2500)
        >>> [(part.name, part.first, part.size) for part in order.parts(1000)]
        [('job', 0, 1000), ('job-p1', 1000, 1000), ('job-p2', 2000, 500)]
        """
        starts = range(0, self.tasks, largest)
        return [
            Part(f"{self.name}-p{number}" if number else self.name, first, min(largest, self.tasks - first))
            for number, first in enumerate(starts)
        ]

    @property
    def folder(self) -> str:
        """The folder of the job on the cluster."""
        return str(PurePosixPath(self.cluster.workdir) / "bridge" / self.name)

    @property
    def out(self) -> str:
        """Where its markers appear."""
        return f"{self.folder}/out"

    def job(self, part: Part, suffix: str = "", after: tuple[int, ...] = ()) -> Job:
        """The job of a part; with a suffix, one that only tells again what the first one has left.

        Raises:
            UsageError: unit and code together are too large to travel in a script.
        """
        array = f"0-{part.size - 1}" if self.unit.does == "items" else ""
        text = self._script(part)
        if len(text) > LARGEST_SCRIPT:
            raise UsageError(
                f"the unit and its code have {len(text) >> 20} MB; a batch script takes {LARGEST_SCRIPT >> 20} MB",
                fix="Install the code in the Python environment of the cluster, or give the run a store by URL.",
            )
        limit = self.parallelism if array else None
        return Job(
            part.name + suffix, text, self.cluster.workdir, "/dev/null", self.directives, array, limit, after,
            comment=f"headwater {self.unit.path}", environment={},
        )  # fmt: skip

    def _script(self, part: Part) -> str:
        lines = [
            f"export {ENVIRONMENT}={shlex.quote(write_unit(self.unit))} HEADWATER_FIRST_SHARE={part.first}"
        ]
        lines += [_written(path, content) for path, content in self.carried.items()]
        if self.bundle:
            lines += [
                f"code={shlex.quote(self.folder)}/code.$SLURM_JOB_ID.zip",
                f"base64 -d > \"$code\" <<'END'\n{_wrapped(self.bundle)}\nEND",
                "export HEADWATER_CODE=$code",
            ]
        if self.cluster.before:
            lines.append(self.cluster.before)
        workdir = shlex.quote(f"{self.cluster.workdir}/bridge")
        prelude = (
            f'umask 077; mkdir -p "$(dirname "$all")" && exec >> "$at.out" 2>&1\n'
            f"find {workdir} -mindepth 1 -maxdepth 1 -mtime +{KEPT_DAYS} -exec rm -rf {{}} + 2>/dev/null"
        )
        command = ["sh", "-c", _RUNTIME, self.cluster.python or "python3"]
        tell = TELL if self.cluster.transport == "rest" else ""
        return script(part.name, self.out, command, "\n".join(lines), prelude=prelude, tell=tell)


def _written(path: str, content: bytes) -> str:
    """Shell text that writes a file, in one step, where it is not there yet."""
    place = shlex.quote(path)
    folder = shlex.quote(str(PurePosixPath(path).parent))
    return (
        f"if ! [ -e {place} ]; then mkdir -p {folder}; new={place}.$SLURM_JOB_ID\n"
        f'base64 -d > "$new" <<\'END\' && mv -f "$new" {place}\n{_wrapped(content)}\nEND\nfi'
    )


def _wrapped(content: bytes) -> str:
    text = base64.b64encode(content).decode()
    return "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
