"""The files of the cluster: slurm.conf, keys, what a shell and what Kubernetes need to know."""

from __future__ import annotations

import base64
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

from tests.slurm.places import ENV, LOGS, RESOURCE, STATE, WORK, Slot, host_address

NODES = 2
CPUS = 4
MEMORY = 4000
CGROUP = Path("/sys/fs/cgroup")

SLURM_CONF = """\
ClusterName=headwater
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={slot.controller}
SlurmUser=root
SlurmdUser=root
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket={state}/munge.sock,cred_expire=5
CredType=cred/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={state}/jwt.key
StateSaveLocation={state}/state
SlurmdSpoolDir={state}/spool/%n
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd-%n.pid
SlurmctldLogFile={logs}/slurmctld.log
SlurmdLogFile={logs}/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin={task_plugin}
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=200
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,sched_interval=2,bf_interval=5,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
MinJobAge=300
MaxArraySize=1001
MaxJobCount=20000
KillWait=2
SlurmdTimeout=10
SlurmctldTimeout=10
AccountingStorageType=accounting_storage/none
{nodes}
PartitionName=debug Nodes=ALL Default=YES DefaultTime=01:00:00 MaxTime=1-00:00:00 State=UP PriorityTier=1
PartitionName=high  Nodes=ALL MaxTime=1-00:00:00 State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=short Nodes=ALL MaxTime=00:01:00 State=UP PriorityTier=1
"""

RESOURCE_YAML = """\
apiVersion: v1
kind: Secret
metadata: {{name: slurm-local}}
type: Opaque
data:
  user: {user}
  key: {key}
---
apiVersion: headwater.dev/v1alpha1
kind: SlurmCluster
metadata: {{name: local}}
spec:
  transport: rest
  endpoint: http://{address}:{port}
  secretRef: {{name: slurm-local}}
  workdir: {work}
  python: {python}
  defaults: {{partition: debug}}
"""


def memory_is_limited() -> bool:
    """Whether the kernel lets Slurm limit memory here."""
    return (CGROUP / "memory").is_dir() or (CGROUP / "cgroup.controllers").exists()


def write_all(slot: Slot) -> None:
    """Write every file that the daemons read, keys only where there are none yet."""
    for folder in (STATE / "state", STATE / "spool", LOGS, STATE / "sock"):
        folder.mkdir(parents=True, exist_ok=True)
    WORK.mkdir(exist_ok=True)
    (STATE / "sock").chmod(0o1777)
    _key(STATE / "munge.key", 1024)
    _key(STATE / "jwt.key", 32)
    _write_conf(slot)
    _write_cgroup()
    write_private(ENV, "".join(f"export {name}={value}\n" for name, value in environment(slot).items()))
    write_private(RESOURCE, _resource(slot))


def environment(slot: Slot) -> Mapping[str, str]:
    """What a shell needs to use the cluster."""
    return {
        "SLURM_CONF": f"{STATE}/slurm.conf",
        "SLURM_REST_URL": f"http://127.0.0.1:{slot.rest}",
        "SLURM_JWT_KEY": f"{STATE}/jwt.key",
    }


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    file.touch(mode=0o600)
    file.write_text(text)


def _key(file: Path, size: int) -> None:
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(secrets.token_bytes(size))


def _write_conf(slot: Slot) -> None:
    host = socket.gethostname().partition(".")[0]
    nodes = "\n".join(
        f"NodeName={slot.node(index)} NodeHostname={host} NodeAddr=127.0.0.1 Port={slot.node_port(index)} "
        f"CPUs={CPUS} RealMemory={MEMORY} State=UNKNOWN"
        for index in range(1, NODES + 1)
    )
    limited = "task/cgroup" if memory_is_limited() else "task/none"
    values = {"host": host, "slot": slot, "state": STATE, "logs": LOGS, "task_plugin": limited}
    (STATE / "slurm.conf").write_text(SLURM_CONF.format(nodes=nodes, **values))


def _write_cgroup() -> None:
    version = "v1" if (CGROUP / "memory").is_dir() else "v2"
    lines = [f"CgroupPlugin=cgroup/{version}", f"CgroupMountpoint={CGROUP}", "ConstrainRAMSpace=yes"]
    lines.append("ConstrainSwapSpace=yes" if version == "v1" else "IgnoreSystemd=yes")
    (STATE / "cgroup.conf").write_text("\n".join(lines) + "\n")


def _resource(slot: Slot) -> str:
    def secret(value: bytes) -> str:
        return base64.b64encode(value).decode()

    python = STATE.parent / ".venv" / "bin" / "python"
    return RESOURCE_YAML.format(
        user=secret(_user().encode()),
        key=secret((STATE / "jwt.key").read_bytes()),
        address=host_address(),
        port=slot.rest,
        work=WORK,
        python=python,
    )


def _user() -> str:
    return os.environ.get("USER") or "root"
