"""Where and how to submit: the `slurm` section of the config, or the spec of a SlurmCluster resource."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from headwater.errors import ConfigError
from headwater.slurm.commands import CommandTransport
from headwater.slurm.directives import Directives
from headwater.slurm.rest import RestTransport
from headwater.slurm.shell import Files, LocalFiles, RemoteFiles, Ssh
from headwater.slurm.tokens import tokens_of
from headwater.slurm.transport import Transport

TRANSPORTS = ("local", "ssh", "rest")
_NAMES = {
    "transport": "transport", "endpoint": "endpoint", "secretRef": "secret", "secret": "secret",
    "workdir": "workdir", "defaults": "defaults", "python": "python", "before": "before", "setup": "before",
    "maxJobs": "max_jobs", "max_jobs": "max_jobs", "pollSeconds": "poll_seconds", "poll_seconds": "poll_seconds",
    "version": "version", "graceSeconds": "grace_seconds", "grace_seconds": "grace_seconds",
    "sshOptions": "ssh_options", "ssh_options": "ssh_options",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Slurm cluster as it is reached from here.

    `workdir` is a folder that the nodes share; `python` the interpreter there; `before` shell text that each job runs
    first. `max_jobs` limits how many units are under way at once. `poll_seconds` is the longest time between two looks
    at the queue, `grace_seconds` how long a result may take to appear on a shared file system.
    """

    transport: str = "local"
    endpoint: str = ""
    secret: Path | None = None
    workdir: str = ""
    defaults: Directives = field(default_factory=Directives)
    python: str = ""
    before: str = ""
    max_jobs: int | None = None
    poll_seconds: float = 15.0
    grace_seconds: float = 30.0
    version: str = ""
    ssh_options: tuple[str, ...] = ()

    @classmethod
    def parse(cls, written: Mapping[str, Any], where: str = "`slurm` in the config") -> Cluster:
        """Read a section of a config or a spec.

        Raises:
            ConfigError: something in it is unknown or wrong; the message says what is right.

        >>> Cluster.parse({"workdir": "/scratch/ana", "defaults": {"partition": "short"}}).defaults.partition
        'short'
        >>> Cluster.parse({"workdri": "/scratch"})
        Traceback (most recent call last):
        headwater.errors.ConfigError: `slurm` in the config has no setting 'workdri'. Did you mean 'workdir'?
        """
        found: dict[str, Any] = {}
        for name, value in written.items():
            if name not in _NAMES:
                close = get_close_matches(name, _NAMES, 1)
                hint = f"Did you mean {close[0]!r}?" if close else f"It has: {', '.join(sorted(_NAMES))}."
                raise ConfigError(f"{where} has no setting {name!r}", fix=hint)
            if value is not None:
                found[_NAMES[name]] = value
        transport = found.get("transport", "local")
        if transport not in TRANSPORTS:
            raise ConfigError(
                f"{where}: unknown transport {transport!r}", fix=f"One of: {', '.join(TRANSPORTS)}."
            )
        if transport != "local" and not found.get("endpoint"):
            raise ConfigError(
                f"{where}: the transport {transport!r} needs an `endpoint`",
                fix="user@login-node for ssh, http://host:6820 for rest.",
            )
        found["defaults"] = Directives.parse(found.get("defaults") or {}, f"{where}, defaults")
        for name, kind in (("max_jobs", int), ("poll_seconds", float), ("grace_seconds", float)):
            if name in found:
                found[name] = _positive(found[name], kind, f"{where}: {name}")
        if "secret" in found:
            found["secret"] = Path(str(found["secret"])).expanduser()
        if isinstance(options := found.get("ssh_options"), str):
            found["ssh_options"] = tuple(shlex.split(options))
        elif options is not None:
            found["ssh_options"] = tuple(map(str, options))
        return cls(**found)

    def open(self) -> Transport:
        """The way to this cluster.

        Raises:
            ConfigError: the Secret cannot be read.
        """
        if self.transport == "rest":
            return RestTransport(self.endpoint, tokens_of(self._secret(), self.secret), self.version)
        return CommandTransport(self._ssh() if self.transport == "ssh" else None)

    def files(self) -> Files:
        """The files of its jobs: through ssh where that is the way, else a folder of this host."""
        return RemoteFiles(self._ssh()) if self.transport == "ssh" else LocalFiles()

    def _ssh(self) -> Ssh:
        options = list(self.ssh_options)
        host, _, port = self.endpoint.removeprefix("ssh://").partition(":")
        if port:
            options += ["-p", port]
        if self.secret is not None:
            key, hosts = self.secret / "id", self.secret / "known_hosts"
            if key.exists():
                options += ["-i", str(private(key)), "-o", "IdentitiesOnly=yes"]
            if hosts.exists():
                options += ["-o", f"UserKnownHostsFile={hosts}"]
        return Ssh(host, tuple(options))

    def _secret(self) -> dict[str, bytes]:
        if self.secret is None:
            token, user = os.environ.get("SLURM_JWT"), os.environ.get("USER", "")
            return {"user": user.encode(), "token": token.encode()} if token else {}
        try:
            return {file.name: file.read_bytes() for file in self.secret.iterdir() if file.is_file()}
        except OSError as error:
            raise ConfigError(
                f"the Secret of the Slurm cluster cannot be read: {error}",
                fix="`secret` names a folder with the files `user` and `token` (or `key`).",
            ) from error


def private(key: Path) -> Path:
    """A key that ssh accepts: a copy where the mounted file can be read by others, which ssh refuses."""
    if not stat.S_IMODE(key.stat().st_mode) & 0o077:
        return key
    import tempfile

    copy = Path(tempfile.mkdtemp(prefix="headwater-ssh-")) / "id"
    copy.touch(mode=0o600)
    copy.write_bytes(key.read_bytes())
    return copy


def _positive(value: object, kind: type, where: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ConfigError(f"{where} must be a positive number; got {value!r}")
    return kind(value)
