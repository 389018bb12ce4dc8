"""The daemons: started one by one, found again by pid and start time, ended only when they are still the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.slurm.places import LOGS, STATE, SlurmTestError

RECORDS = STATE / "processes"


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process that this tool started, and when the kernel says that it began."""

    name: str
    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether it is still that process."""
        return bool(self.started) and _began(self.pid) == self.started

    def end(self, how: signal.Signals = signal.SIGTERM, patience: float = 10.0) -> None:
        """Send it the signal; kill it when it is still there after `patience` seconds."""
        for each, seconds in ((how, patience), (signal.SIGKILL, 10.0)):
            if not self.alive:
                break
            with suppress(ProcessLookupError):
                os.kill(self.pid, each)
            wait_until(lambda: not self.alive, seconds)
        (RECORDS / f"{self.name}.json").unlink(missing_ok=True)


def _began(pid: int) -> str:
    """When the kernel started the process: empty when it is dead or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    if fields[0] in "ZX":
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return ""
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}:{fields[19]}"


def find(name: str) -> Daemon | None:
    """The daemon of that name, if it runs."""
    try:
        daemon = Daemon(**json.loads((RECORDS / f"{name}.json").read_text()))
    except FileNotFoundError:
        return None
    return daemon if daemon.alive else None


def steps_on(node: str) -> list[int]:
    """The processes of jobs on a node of this cluster, and what keeps them (slurmstepd)."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            environment = (folder / "environ").read_bytes().split(b"\0")
            ours = f"SLURM_CONF={STATE}/slurm.conf".encode() in environment
            if ours and f"SLURMD_NODENAME={node}".encode() in environment:
                found.append(int(folder.name))
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                if "slurmstepd" in Path(f"/proc/{parent}/comm").read_text():
                    found.append(int(parent))
    return found


def every() -> list[Daemon]:
    """All daemons that run."""
    names = sorted(path.stem for path in RECORDS.glob("*.json"))
    return [daemon for name in names if (daemon := find(name)) is not None]


def start(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Daemon:
    """Start a process in the foreground of a session of its own, its output in `.slurm/log`."""
    LOGS.mkdir(parents=True, exist_ok=True)
    RECORDS.mkdir(parents=True, exist_ok=True)
    executable = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if executable is None:
        raise SlurmTestError(f"{command[0]} is not installed")
    # An orphan of a shell: nobody has to reap it, and it does not end with us.
    script = 'echo $$; exec "$0" "$@" >>"$LOG" 2>&1 </dev/null'
    said = subprocess.run(
        ["setsid", "--fork", "sh", "-c", script, executable, *command[1:]],
        env={**os.environ, **(environment or {}), "LOG": str(LOGS / f"{name}.out")},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    pid = int(said.stdout)
    daemon = Daemon(name, pid, _began(pid))
    (RECORDS / f"{name}.json").write_text(json.dumps({"name": name, "pid": pid, "started": daemon.started}))
    return daemon


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds; False when the time is over."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def last_words(name: str, lines: int = 12) -> str:
    """The end of a daemon's output and log."""
    found: list[str] = []
    for file in sorted(LOGS.glob(f"{name}*")):
        with suppress(OSError):
            found += file.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(found)
