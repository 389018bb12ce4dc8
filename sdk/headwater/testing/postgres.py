"""A PostgreSQL server for tests, started from the machine's own programs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headwater.errors import UsageError

SERVER_VARIABLE = "HEADWATER_TEST_POSTGRES"
START_SECONDS = 60


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, or None."""
    found = shutil.which("pg_ctl")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return versions[-1].parent if versions else None


class Server:
    """A running server: `address` is HOST:PORT, `superuser` is LOGIN or LOGIN:PASSWORD."""

    def __init__(self, address: str, superuser: str) -> None:
        self.address = address
        self.superuser = superuser

    def execute(self, sql: str, database: str = "postgres") -> None:
        """Execute a statement as the superuser, outside of a transaction."""
        import sqlalchemy

        url = f"postgresql+psycopg2://{self.superuser}@{self.address}/{database}"
        engine = sqlalchemy.create_engine(
            url, poolclass=sqlalchemy.pool.NullPool, isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(sql)
        engine.dispose()

    @contextmanager
    def database(self) -> Iterator[Mapping[str, Any]]:
        """A new database with an owner and a plain user, as a section of the config; dropped at the end."""
        name = f"test_{uuid.uuid4().hex[:10]}"
        admin, user = f"{name}_admin", f"{name}_user"
        for login in (admin, user):
            self.execute(f"CREATE USER \"{login}\" PASSWORD 'secret' NOSUPERUSER")
        self.execute(f'CREATE DATABASE "{name}" OWNER "{admin}"')
        try:
            yield {
                "dialect": "postgresql",
                "address": self.address,
                "admin": f"{admin}:secret",
                "user": f"{user}:secret",
                "database": name,
            }
        finally:
            self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            for login in (admin, user):
                self.execute(f'DROP USER "{login}"')


@contextmanager
def server() -> Iterator[Server]:
    """The server that `HEADWATER_TEST_POSTGRES` names, else one of our own that ends with the `with`.

    Raises:
        UsageError: PostgreSQL is not on this machine.
    """
    given = os.environ.get(SERVER_VARIABLE)
    if given:
        login, _, address = given.partition("://")[2].partition("/")[0].rpartition("@")
        yield Server(address, login)
        return
    folder = programs()
    if folder is None:
        raise UsageError(
            "PostgreSQL is not on this machine",
            fix=f"Install it (Debian: apt install postgresql), or set {SERVER_VARIABLE} to a server's URL.",
        )
    base = Path(tempfile.mkdtemp(prefix="headwater-postgres-"))
    base.chmod(0o755)
    try:
        yield from _started(folder, base)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _started(folder: Path, base: Path) -> Iterator[Server]:
    data = base / "data"
    data.mkdir(mode=0o700)
    as_user = _unprivileged(base, data)
    _run(
        [
            *as_user,
            str(folder / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
            "--locale=C",
        ]
    )
    port = _free_port()
    options = f"-h 127.0.0.1 -p {port} -k {base} -c fsync=off -c max_connections=100"
    control = [*as_user, str(folder / "pg_ctl"), "-D", str(data), "-w", "-t", str(START_SECONDS)]
    _run([*control, "-l", str(base / "log"), "-o", options, "start"])
    try:
        yield Server(f"127.0.0.1:{port}", "postgres")
    finally:
        _run([*control, "-m", "immediate", "stop"])


def _unprivileged(base: Path, data: Path) -> list[str]:
    """How to call a program as somebody who is not root: the server refuses to run as root."""
    if os.geteuid() != 0:
        return []
    import pwd

    name = next((user for user in ("postgres", "nobody") if _exists(user)), None)
    if name is None:
        raise UsageError("PostgreSQL does not run as root", fix="Make a user `postgres`.")
    person = pwd.getpwnam(name)
    for path in (base, data):
        os.chown(path, person.pw_uid, person.pw_gid)
    return ["setpriv", f"--reuid={person.pw_uid}", f"--regid={person.pw_gid}", "--clear-groups"]


def _exists(user: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/", check=False
    )
    if done.returncode:
        raise UsageError(f"`{' '.join(command)}` failed: {done.stderr.strip()}", fix="Look at the message.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
