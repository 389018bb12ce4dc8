"""`flowctl ui` as a person starts it: a real process that says where it is and ends with Ctrl-C."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.dashboard.conftest import reduce

MAIN = "from headwater.cli.main import main; main()"


@contextmanager
def started(*words: str, before: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the address that it prints; `before` is done in it first."""
    command = [sys.executable, "-c", f"{before}\n{MAIN}", "ui", "--no-open", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.communicate()


def ended(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, "ui", "--no-open", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_shows_the_runs_of_this_machine_until_ctrl_c() -> None:
    reduce.run(check=False)
    with started() as (process, address):
        assert address.startswith("http://127.0.0.1:")
        assert address.endswith("/")
        assert httpx.get(f"{address}healthz").json() == {"status": "ok"}
        (run,) = httpx.get(f"{address}api/v1/runs").json()["items"]
        assert run["name"] == "reduce"
        with httpx.stream("GET", f"{address}api/v1/stream", timeout=20) as page:
            assert next(page.iter_lines()) == "event: ping"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors == ""


def test_ctrl_c_ends_it_though_threads_wait_for_ever() -> None:
    reduce.run(check=False)
    hangs = (
        "import threading\nfrom headwater_dashboard import runs, store, server\nserver.LAST_SECONDS = 1\n"
        "forever = lambda *_, **__: threading.Event().wait()\nruns.page_of_runs = store.find_run = forever"
    )
    with started(before=hangs) as (process, address), ExitStack() as opened:
        port = int(address.split(":")[-1].strip("/"))
        for path in ("runs", "runs/r1/logs/stream"):
            waits = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            waits.sendall(f"GET /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert httpx.get(f"{address}healthz").json() == {"status": "ok"}
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert said.endswith("ended; what still hung was left\n")


def test_health_is_said_while_all_threads_wait_for_the_database() -> None:
    reduce.run(check=False)
    hangs = (
        "import threading\nfrom headwater_dashboard import runs, server\nserver.LAST_SECONDS = 1\n"
        "runs.page_of_runs = lambda *_, **__: threading.Event().wait()"
    )
    with started(before=hangs) as (_, address), ExitStack() as opened:
        port = int(address.split(":")[-1].strip("/"))
        for _ in range(60):
            waits = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            waits.sendall(b"GET /api/v1/runs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert httpx.get(f"{address}healthz", timeout=20).status_code == 200


def test_half_requests_do_not_keep_others_out() -> None:
    before = "from headwater_dashboard import server\nserver.REQUEST_SECONDS = 0.0\nserver.MOST_FILES = 200"
    with started(before=before) as (_, address), ExitStack() as opened:
        port = int(address.split(":")[-1].strip("/"))
        connections = (socket.create_connection(("127.0.0.1", port)) for _ in range(250))
        halves = [opened.enter_context(each) for each in connections]
        for half in halves:
            with suppress(OSError):  # cut already
                half.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-a:")
        for half in halves:
            half.settimeout(20)
            with suppress(ConnectionResetError):
                assert half.recv(1) == b""
        assert httpx.get(f"{address}healthz").json() == {"status": "ok"}


def test_a_token_is_asked_for() -> None:
    with started("--host", "0.0.0.0", "--token", "abcdefgh") as (_, address):
        address = address.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{address}api/v1/runs").status_code == 401
        found = httpx.get(f"{address}api/v1/runs", headers={"Authorization": "Bearer abcdefgh"})
        assert found.status_code == 200


def test_another_database_is_named_by_its_url(tmp_path: Path) -> None:
    reduce.run(check=False)
    with started("--database", f"sqlite:///{tmp_path}/other.db") as (_, address):
        assert httpx.get(f"{address}api/v1/runs").json() == {"items": [], "next": None}


def test_a_port_that_is_taken_is_said_with_the_fix() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = ended("--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "is taken" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--host", "0.0.0.0"), "--token"),
        (("--host", "203.0.113.7", "--token", "abcdefgh"), "no address of this machine"),
    ],
)
def test_an_address_that_will_not_do_is_refused(words: tuple[str, ...], said: str) -> None:
    done = ended(*words)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("url", ["postgresql://ada:byron@127.0.0.1:1/runs", "nonsense"])
def test_a_database_that_cannot_be_read_is_said_at_once_without_its_password(url: str) -> None:
    done = ended("--database", url)
    assert done.returncode == 1
    assert "error: the " in done.stderr
    assert "byron" not in done.stderr


def test_help_loads_no_server() -> None:
    code = (
        "import sys; sys.argv = ['flowctl', 'ui', '--help']\nfrom headwater.cli.main import main\n"
        "try:\n    main()\nfinally:\n"
        "    print(sorted({'fastapi', 'uvicorn', 'headwater_dashboard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("[]\n")
