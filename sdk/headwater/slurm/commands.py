"""Slurm by its own commands (sbatch, squeue, scancel), on this host or through ssh."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from headwater.slurm.errors import SlurmAway, SlurmError, SlurmRefused
from headwater.slurm.records import Record, expand
from headwater.slurm.shell import Here, Said, Shell
from headwater.slurm.site import Partition, Site, merged
from headwater.slurm.transport import Job

_FIELDS = ("ArrayJobID", "ArrayTaskID", "State", "Reason", "exit_code", "NodeList", "RestartCnt", "Name")
_FORMAT = ",".join(f"{name}:|" for name in _FIELDS)
_AWAY = re.compile(
    r"Unable to contact slurm|Socket timed out|Connection (refused|reset|timed out|aborted)|Broken pipe|"
    r"No route to host|Network is (down|unreachable)|Interrupted system call|Unexpected message received|"
    r"Zero Bytes were transmitted|Protocol authentication"
    r"|slurm_receive_msg|communication (failure|error)|temporarily (unable|unavailable)|Resource temporarily|"
    r"Transport endpoint|backup controller|Slurm (?:temporarily|controller)|try again|Munge|cannot stat file|"
    r"Could not establish a configuration source",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"Invalid job id specified|already completing or completed", re.IGNORECASE)
_IS_OVER = re.compile(r"Job has already finished|Job is no longer pending", re.IGNORECASE)
MANY = 50


class CommandTransport:
    """Slurm's commands, run by a shell."""

    def __init__(self, shell: Shell | None = None) -> None:
        self._shell = shell or Here()
        self.name = "ssh" if shell is not None and not isinstance(shell, Here) else "local"

    def submit(self, job: Job) -> int:
        """sbatch, with the script on its standard input."""
        command = ["sbatch", "--parsable", "--no-requeue", f"--job-name={job.name}", f"--chdir={job.folder}"]
        command += [f"--output={job.output}", "--open-mode=append"]
        if job.comment:
            command.append(f"--comment={job.comment}")
        if job.array:
            command.append(f"--array={job.array_expression}")
        if job.after:
            command.append(f"--dependency=afterany:{':'.join(map(str, job.after))}")
        if job.environment is not None or self.name == "ssh":
            command.append("--export=NONE")
        script = job.script
        if job.environment:
            script = with_environment(script, job)
        said = self._run([*command, *job.directives.to_sbatch()], script.encode())
        if said.code:
            raise _error("sbatch", said)
        found = re.match(rb"(\d+)", said.out.strip().splitlines()[-1] if said.out.strip() else b"")
        if found is None:
            raise SlurmAway(f"sbatch gave no job id: {said.out[:200]!r}")
        return int(found[1])

    def find(self, name: str) -> list[int]:
        """squeue by name, whatever the state."""
        said = self._run(["squeue", "--noheader", "--states=all", f"--name={name}", "--format=%F"])
        if said.code:
            raise _error("squeue", said)
        return sorted({int(word) for word in said.out.split()})

    def records(self, jobs: Sequence[int]) -> list[Record]:
        """squeue; one call for all jobs."""
        if not jobs:
            return []
        command = ["squeue", "--noheader", "--states=all", f"--Format={_FORMAT}"]
        if len(jobs) <= MANY:
            command.append(f"--jobs={','.join(map(str, jobs))}")
        else:
            command.append("--me")
        # Otherwise the list of pending tasks is cut at 64 characters.
        said = self._run(["env", "SLURM_BITSTR_LEN=0", *command])
        if said.code and _UNKNOWN.search(said.errors):
            return []
        if said.code:
            raise _error("squeue", said)
        wanted = set(jobs)
        found = map(_record, said.out.decode(errors="replace").splitlines())
        return [record for record in found if record is not None and record.job in wanted]

    def cancel(self, jobs: Sequence[str]) -> None:
        """scancel."""
        if not jobs:
            return
        said = self._run(["scancel", *jobs])
        if said.code and not _UNKNOWN.search(said.errors):
            raise _error("scancel", said)

    def limit(self, job: int, tasks: int) -> None:
        """scontrol update."""
        said = self._run(["scontrol", "update", f"jobid={job}", f"arraytaskthrottle={tasks}"])
        if said.code and not _UNKNOWN.search(said.errors) and not _IS_OVER.search(said.errors):
            raise _error("scontrol", said)

    def site(self) -> Site:
        """sinfo, scontrol and, where there is accounting, sacctmgr."""
        sizes = self._text(["sinfo", "--noheader", "--exact", "--format=%R|%P|%l|%c|%m"])
        details = _details(self._text(["scontrol", "show", "partition", "--oneliner"]))
        settings = self._text(["scontrol", "show", "config"])
        found = []
        for line in sizes.splitlines():
            name, shown, limit, cpus, memory = line.split("|")
            known = details.get(name, {})
            found.append(
                Partition(
                    name, shown.endswith("*"), _limit(limit), _number(cpus), _number(memory),
                    _listed(known.get("AllowAccounts", "ALL")), _listed(known.get("AllowQos", "ALL")),
                )
            )  # fmt: skip
        largest = re.search(r"MaxArraySize\s*=\s*(\d+)", settings)
        version = re.search(r"SLURM_VERSION\s*=\s*(\S+)", settings)
        accounts = () if "accounting_storage/none" in settings else self._accounts()
        return Site(
            merged(found), int(largest[1]) if largest else 1001, accounts, version[1] if version else ""
        )

    def close(self) -> None:
        """There is nothing to let go of."""

    def _accounts(self) -> tuple[str, ...]:
        mine = ["sacctmgr", "--noheader", "--parsable2", "show", "assoc", "format=account"]
        said = self._run([*mine, f"user={os.environ.get('USER', '')}"])
        return () if said.code else tuple(sorted(set(said.out.decode().split())))

    def _text(self, command: Sequence[str]) -> str:
        said = self._run(command)
        if said.code:
            raise _error(command[0], said)
        return said.out.decode(errors="replace")

    def _run(self, command: Sequence[str], stdin: bytes = b"") -> Said:
        return self._shell.run(command, stdin)


def with_environment(script: str, job: Job) -> str:
    """The script, its environment written out after the first line."""
    import shlex

    first, _, rest = script.partition("\n")
    lines = [f"export {name}={shlex.quote(value)}" for name, value in (job.environment or {}).items()]
    return "\n".join([first, *lines, rest])


def _error(command: str, said: Said) -> SlurmError:
    lines = [line.strip() for line in said.errors.splitlines() if line.strip()]
    text = "; ".join(dict.fromkeys(line.partition("error: ")[2] or line for line in lines))[:400]
    if _AWAY.search(said.errors):
        return SlurmAway(f"{command}: {text}")
    if command == "sbatch":
        return SlurmRefused(f"sbatch refuses the job: {text or f'exit code {said.code}'}")
    return SlurmAway(f"{command} failed: {text or f'exit code {said.code}'}")


def _record(line: str) -> Record | None:
    parts = line.split("|")
    if len(parts) < len(_FIELDS):
        return None
    job, task, state, reason, code, node, restarts, name = (part.strip() for part in parts[: len(_FIELDS)])
    if not job.isdigit():
        return None
    status = int(code) if code.lstrip("-").isdigit() else 0
    single = task.isdigit()
    tasks = frozenset[int]() if single or task in ("N/A", "") else expand(task)
    return Record(
        int(job), int(task) if single else -1, state, reason, status >> 8, status & 0x7F, node,
        int(restarts) if restarts.isdigit() else 0, name, tasks,
    )  # fmt: skip


def _details(text: str) -> dict[str, dict[str, str]]:
    found = {}
    for line in text.splitlines():
        pairs = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "PartitionName" in pairs:
            found[pairs["PartitionName"]] = pairs
    return found


def _listed(text: str) -> tuple[str, ...]:
    return () if text in ("ALL", "", "(null)") else tuple(text.split(","))


def _limit(text: str) -> int | None:
    from headwater.slurm.directives import minutes

    return None if text in ("infinite", "n/a", "UNLIMITED") else minutes(text)


def _number(text: str) -> int | None:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else None
