"""Running a command where Slurm's own commands are: on this host, or on a login node through ssh."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from headwater.slurm.errors import NotAllowed, SlurmAway, SlurmError

PATIENCE_SECONDS = 20.0
SSH_FAILED = 255


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: bytes
    errors: str


class Shell(Protocol):
    """Runs commands somewhere."""

    @property
    def name(self) -> str:
        """How messages call the place."""

    def run(self, command: Sequence[str], stdin: bytes = b"") -> Said:
        """Run a command to its end.

        Raises:
            SlurmAway: it cannot be reached, or took too long: whether it ran is not known.
        """


class Here:
    """This host."""

    @property
    def name(self) -> str:
        """How messages call it."""
        return "this host"

    def run(self, command: Sequence[str], stdin: bytes = b"") -> Said:
        """Run a command; in a session of its own, so that a terminal's Ctrl-C does not cut it in half."""
        return _run(command, stdin, command[0])


@dataclass(frozen=True, slots=True)
class Ssh:
    """A login node, through the system's ssh client, whose configuration, keys and agent hold.

    `options` are further options of ssh. Host keys are always checked: a host that is not in `known_hosts` is
    refused. One connection is shared by all commands, and kept open for some seconds after the last.
    """

    host: str
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.host

    def command(self, words: Sequence[str]) -> list[str]:
        """The local command line."""
        # Not only the host: whoever comes with other keys must be checked, not let in by a connection that is open.
        login = hashlib.sha256("\0".join(self.options).encode()).hexdigest()[:8]
        path = f"ControlPath={_sockets()}/{login}-%C"
        shared = ["-o", "ControlMaster=auto", "-o", path, "-o", "ControlPersist=15"]
        strict = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10"]
        return ["ssh", *self.options, *strict, *shared, "--", self.host, shlex.join(words)]

    def run(self, command: Sequence[str], stdin: bytes = b"") -> Said:
        """Run a command on the login node."""
        said = _run(self.command(command), stdin, f"ssh {self.host}")
        if said.code != SSH_FAILED:
            return said
        text = said.errors.strip()
        if "Host key verification failed" in text:
            raise SlurmError(
                f"the host key of {self.host} is not known, or has changed",
                fix=f"Check it, then: ssh-keyscan {self.host} >> ~/.ssh/known_hosts (or the Secret's known_hosts).",
            )
        if "Permission denied" in text:
            raise NotAllowed(
                f"{self.host} does not let us in: {text.splitlines()[-1]}",
                fix=f"`ssh {self.host} true` must work without a password: use a key or an agent.",
            )
        raise SlurmAway(
            f"no connection to {self.host}: {text.splitlines()[-1] if text else 'ssh ended'}",
            fix=f"Does `ssh {self.host} true` work from here?",
        )


def _sockets() -> Path:
    """A short path (a socket's may have 100 characters) that is this user's alone."""
    import os
    import tempfile

    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime or tempfile.gettempdir()) / f"headwater-ssh-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise SlurmError(
            f"{folder} belongs to somebody else", fix="Set XDG_RUNTIME_DIR to a folder of yours."
        )
    return folder


def _run(command: Sequence[str], stdin: bytes, what: str) -> Said:
    try:
        done = subprocess.run(
            list(command), input=stdin, capture_output=True, timeout=PATIENCE_SECONDS, start_new_session=True
        )
    except FileNotFoundError:
        raise SlurmError(
            f"the command {command[0]!r} is not on this host",
            fix="Run on a login node of the cluster, or use the transport `ssh` or `rest`.",
        ) from None
    except subprocess.TimeoutExpired:
        raise SlurmAway(f"{what} did not answer within {PATIENCE_SECONDS:g} s") from None
    return Said(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


class Files(Protocol):
    """The files of jobs, in the folder that the nodes share."""

    def put(self, path: str, content: bytes) -> None:
        """Write a whole file by renaming it into place; its folder is made."""

    def names(self, folder: str) -> list[str]:
        """The names in a folder; nothing when it is not there."""

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The contents of those of the files that are there."""

    def remove(self, folder: str) -> None:
        """Take a folder away with everything in it."""


class LocalFiles:
    """A folder that this host shares with the nodes."""

    def put(self, path: str, content: bytes) -> None:
        """Write a file; it appears whole."""
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        hidden = file.with_name(f".{file.name}.part")
        hidden.write_bytes(content)
        hidden.rename(file)

    def names(self, folder: str) -> list[str]:
        """The names in a folder."""
        import os

        try:
            return os.listdir(folder)
        except FileNotFoundError:
            return []

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """What is in the files."""
        found = {}
        for path in paths:
            try:
                found[path] = Path(path).read_bytes()
            except FileNotFoundError:
                continue
        return found

    def remove(self, folder: str) -> None:
        """Take a folder away."""
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


_PUT = 'mkdir -p "$(dirname "$1")" && umask 077 && cat > "$1.part" && mv -f "$1.part" "$1"'
_GET = 'for file; do [ -f "$file" ] && wc -c < "$file" && printf "%s\\n" "$file" && cat "$file"; done; :'


@dataclass(frozen=True, slots=True)
class RemoteFiles:
    """A folder on the other side of a shell: one command for each call, however many files."""

    shell: Shell

    def put(self, path: str, content: bytes) -> None:
        """Write a file there."""
        self._run(["sh", "-c", _PUT, "sh", path], content)

    def names(self, folder: str) -> list[str]:
        """The names in a folder there."""
        found = self._run(["sh", "-c", 'ls -A "$1" 2>/dev/null; :', "sh", folder])
        return found.decode(errors="replace").splitlines()

    def get(self, paths: Sequence[str]) -> dict[str, bytes]:
        """What is in the files there."""
        found: dict[str, bytes] = {}
        if not paths:
            return found
        rest = self._run(["sh", "-c", _GET, "sh", *paths])
        while rest:
            size, _, rest = rest.partition(b"\n")
            path, _, rest = rest.partition(b"\n")
            length = int(size)
            found[path.decode()] = rest[:length]
            rest = rest[length:]
        return found

    def remove(self, folder: str) -> None:
        """Take a folder there away."""
        self._run(["rm", "-rf", "--", folder])

    def _run(self, command: Sequence[str], stdin: bytes = b"") -> bytes:
        said = self.shell.run(command, stdin)
        if said.code:
            raise SlurmError(f"`{command[0]}` failed on {self.shell.name}: {said.errors.strip()[:300]}")
        return said.out
