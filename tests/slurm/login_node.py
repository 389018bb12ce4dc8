"""A login node of the test cluster: an sshd of our own, with keys of our own, where `SLURM_CONF` is set."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.slurm import daemons
from tests.slurm.places import STATE, Slot, SlurmTestError, host_address

FOLDER = STATE / "ssh"

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
ListenAddress {address}
HostKey {folder}/host
AuthorizedKeysFile {folder}/id.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv SLURM_CONF={state}/slurm.conf
AcceptEnv SBATCH_*
"""


@dataclass(frozen=True, slots=True)
class LoginNode:
    """Where it listens, and the folder with `id` and `known_hosts`, as a Secret has them."""

    endpoint: str
    secret: Path


def login_node(slot: Slot) -> LoginNode:
    """Start it, unless it runs."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    for name in ("host", "id"):
        if not (FOLDER / name).exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(FOLDER / name)]
            subprocess.run(command, check=True)
    words = (FOLDER / "host.pub").read_text().split()
    address = host_address()
    known = "".join(f"[{each}]:{slot.ssh} {words[0]} {words[1]}\n" for each in ("127.0.0.1", address))
    (FOLDER / "known_hosts").write_text(known)
    settings = CONFIG.format(port=slot.ssh, folder=FOLDER, state=STATE, address=address)
    (FOLDER / "sshd_config").write_text(settings)
    Path("/run/sshd").mkdir(exist_ok=True)
    if daemons.find("sshd") is None:
        daemons.start("sshd", ["sshd", "-D", "-e", "-f", str(FOLDER / "sshd_config")])
    if not daemons.wait_until(lambda: _greets(slot.ssh), 10):
        raise SlurmTestError(f"sshd does not answer: {daemons.last_words('sshd')}")
    return LoginNode(f"root@127.0.0.1:{slot.ssh}", FOLDER)


def _greets(port: int) -> bool:
    import socket

    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
