"""What jobs, partitions and numbers look like in the versions of slurmrestd, read in any of them.

From 0.0.39 on a number is `{"set": …, "infinite": …, "number": …}`, from 0.0.40 on a state is a list: the state and its
flags. Version 0.0.38 takes sbatch's own names, later ones the fields of Slurm's job description.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from headwater.slurm.directives import Directives
from headwater.slurm.errors import SlurmRefused
from headwater.slurm.records import Record, expand
from headwater.slurm.site import Partition
from headwater.slurm.states import ACTIVE


def fields(directives: Directives, *, new: bool) -> dict[str, Any]:
    """What a job asks for.

    Raises:
        SlurmRefused: there are options that only sbatch knows.

    >>> fields(Directives(time=5), new=False), fields(Directives(time=5), new=True)
    ({'time_limit': 5}, {'time_limit': {'set': True, 'number': 5}})
    """
    if directives.sbatch:
        raise SlurmRefused(
            f"sbatch options ({' '.join(directives.sbatch)}) cannot be passed on by slurmrestd",
            fix="Use named directives, or the transport `local` or `ssh`.",
        )
    names = {
        "partition": "partition", "account": "account", "qos": "qos", "time": "time_limit",
        "mem": "memory_per_node", "mem_per_cpu": "memory_per_cpu", "cpus_per_task": "cpus_per_task",
        "nodes": "nodes", "ntasks": "tasks", "gres": "tres_per_node" if new else "gres",
        "constraint": "constraints", "exclude": "excluded_nodes", "reservation": "reservation", "nice": "nice",
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, field in names.items():
        value = getattr(directives, name)
        if value is not None:
            found[field] = f"gres:{value}" if name == "gres" and new else value
    for field in ("memory_per_node", "memory_per_cpu", "time_limit"):
        if new and field in found:
            found[field] = {"set": True, "number": found[field]}
    if new and "nodes" in found:
        found["nodes"] = str(found["nodes"])
    return found


def number(value: Any) -> int | None:
    """A number in either form; None where there is none, or no limit.

    >>> number(3), number({"set": True, "infinite": False, "number": 3}), number({"set": True, "infinite": True})
    (3, 3, None)
    """
    if isinstance(value, Mapping):  # 0.0.39 and newer
        return int(value.get("number") or 0) if value.get("set") and not value.get("infinite") else None
    return int(value) if isinstance(value, int) else None


def record_of(written: Mapping[str, Any]) -> Record:
    """A job as slurmrestd writes it, in any version."""
    code = written.get("exit_code") or 0
    if isinstance(code, Mapping):
        status = number(code.get("return_code")) or 0
        signal = (
            number((code.get("signal") or {}).get("id") or (code.get("signal") or {}).get("signal_id")) or 0
        )
    else:
        status, signal = os.WEXITSTATUS(code), os.WTERMSIG(code)
    state = state_of(written.get("job_state") or "")
    task = number(written.get("array_task_id"))
    expression = written.get("array_task_string") or ""
    parent = number(written.get("array_job_id"))
    tasks: frozenset[int] | None = frozenset()
    if task is None and expression:
        tasks = expand(expression)
    elif task is None and parent and state == "PENDING":
        tasks = None  # 0.0.38 leaves the list out: it may be any of them
    return Record(
        parent or int(written["job_id"]), -1 if task is None else task, state,
        str(written.get("state_reason") or ""), status, signal, str(written.get("nodes") or ""),
        number(written.get("restart_cnt")) or 0, str(written.get("name") or ""), tasks,
        comment_of(written.get("comment")),
    )  # fmt: skip


def state_of(written: Any) -> str:
    """The state of a job; a flag by which it has not ended yet counts for more than the state that it will have.

    >>> state_of("RUNNING"), state_of(["FAILED", "COMPLETING"]), state_of(["CANCELLED"]), state_of([])
    ('RUNNING', 'COMPLETING', 'CANCELLED', '')
    """
    if isinstance(written, str):
        return written
    found = [str(each) for each in written]
    return next((each for each in found[1:] if each in ACTIVE), found[0] if found else "")


def comment_of(written: Any) -> str:
    """The comment of a job, which some versions keep beside those of others."""
    if isinstance(written, Mapping):  # 0.0.39 and newer: administrator, job, system
        return str(written.get("job") or "")
    return str(written or "")


def partition_of(written: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> Partition:
    """A partition and the largest of its nodes; from 0.0.39 on it is not told which one is the default."""
    name = str(written["name"])
    limit = number(written.get("max_time_limit", ((written.get("maximums") or {}).get("time"))))
    own = [node for node in nodes if name in (node.get("partitions") or ())]
    flags = [str(flag).lower() for flag in written.get("flags") or ()]
    flags += [str(flag).lower() for flag in (written.get("partition") or {}).get("flags", ())]
    accounts = str(written.get("allowed_accounts") or (written.get("accounts") or {}).get("allowed") or "")
    return Partition(
        name, "default" in flags, limit,
        max((int(node.get("cpus") or 0) for node in own), default=0) or None,
        max((int(node.get("real_memory") or 0) for node in own), default=0) or None,
        tuple(filter(None, accounts.split(","))),
    )  # fmt: skip
