"""Every way to Slurm does the same: submit, find, tell, cancel; and says what a person can do about a failure."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from headwater.slurm.cluster import Cluster
from headwater.slurm.errors import NotAllowed, SlurmAway, SlurmError, SlurmRefused
from headwater.slurm.rest import RestTransport
from headwater.slurm.states import ACTIVE
from headwater.slurm.submitting import submit_once
from headwater.slurm.tokens import FromFile, mint, tokens_of
from headwater.slurm.transport import Transport

from tests.slurm.connections import CutConnection, Tunnel
from tests.slurm.jobs import TRANSPORTS, cluster_by, job, unique, until
from tests.slurm.login_node import login_node
from tests.slurm.places import STATE, Slot

DONE = "echo ok > $HEADWATER_SLURM_AT.done"


@pytest.fixture(params=TRANSPORTS)
def cluster(request: pytest.FixtureRequest, slurm: Slot, tmp_path: Path) -> Cluster:
    return cluster_by(request.param, slurm, tmp_path, tmp_path)


@pytest.fixture
def transport(cluster: Cluster) -> Iterator[Transport]:
    with closing(cluster.open()) as opened:
        yield opened


def _ended(transport: Transport, job: int) -> bool:
    return all(record.state not in ACTIVE for record in transport.records([job]))


def test_an_array_is_submitted_once_and_each_task_is_told_of(transport: Transport, tmp_path: Path) -> None:
    name = unique("array")
    wanted = job(tmp_path, name, DONE, "0-5", time=5, mem="100M")
    first = submit_once(transport, wanted, is_new=True)
    assert submit_once(transport, wanted) == first
    assert transport.find(name) == [first]
    until(lambda: _ended(transport, first))
    records = transport.records([first])
    assert {(record.task, record.state, record.name) for record in records} == {
        (index, "COMPLETED", name) for index in range(6)
    }
    assert {file.name for file in (tmp_path / "out").glob("*.done")} == {f"{name}.{i}.done" for i in range(6)}


def test_a_job_that_waits_is_cancelled_and_never_begins(transport: Transport, tmp_path: Path) -> None:
    blocker = transport.submit(job(tmp_path, unique("blocker"), "sleep 60"))
    name = unique("waits")
    waits = transport.submit(replace(job(tmp_path, name, DONE), after=(blocker,)))
    transport.cancel([str(waits), str(blocker)])
    until(lambda: _ended(transport, waits) and _ended(transport, blocker))
    assert [record.state for record in transport.records([waits])] == ["CANCELLED"]
    transport.cancel([str(waits)])  # it is over: nothing happens
    assert not (tmp_path / "out" / f"{name}.0.claim").exists()


def test_how_many_tasks_run_at_once_is_changed_while_they_do(transport: Transport, tmp_path: Path) -> None:
    wanted = replace(job(tmp_path, unique("limited"), "sleep 60", "0-5", mem="100M"), parallelism=1)
    submitted = transport.submit(wanted)
    for limit, shown in ((3, "%3"), (2, "%2"), (0, "")):
        transport.limit(submitted, limit)
        assert _throttle(submitted) == shown
    transport.cancel([str(submitted)])
    until(lambda: _ended(transport, submitted))
    transport.limit(submitted, 2)  # it is over: nothing happens
    transport.limit(99999999, 2)


def _throttle(job: int) -> str:
    shown = subprocess.run(["squeue", "-h", "-j", str(job), "-t", "pending", "-o", "%K"], capture_output=True)
    return "".join(shown.stdout.decode().partition("%")[1:]).strip()


def test_jobs_are_not_requeued(transport: Transport, tmp_path: Path) -> None:
    name = unique("requeue")
    submitted = transport.submit(job(tmp_path, name, "true"))
    shown = subprocess.run(["scontrol", "show", "job", str(submitted)], capture_output=True, text=True).stdout
    assert "Requeue=0" in shown


def test_what_slurm_does_not_know_is_nothing(transport: Transport) -> None:
    assert transport.records([99999999]) == []
    assert transport.find(unique("nobody")) == []
    transport.cancel(["99999999"])


def test_a_job_that_slurm_refuses_is_refused_with_its_words(transport: Transport, tmp_path: Path) -> None:
    with pytest.raises(SlurmRefused, match=r"(?i)partition"):
        transport.submit(job(tmp_path, unique("refused"), "true", partition="nowhere"))


def test_the_cluster_says_what_it_offers(transport: Transport) -> None:
    site = transport.site()
    assert sorted(site.partitions) == ["debug", "high", "short"]
    debug, short = site.partitions["debug"], site.partitions["short"]
    assert (debug.is_default, debug.cpus, debug.memory, short.max_minutes) == (True, 4, 4000, 1)


def test_files_come_back_as_they_were_put(cluster: Cluster, tmp_path: Path) -> None:
    files = cluster.files()
    content = {str(tmp_path / "in" / f"{i} file"): bytes(range(256)) * i for i in range(4)}
    for path, data in content.items():
        files.put(path, data)
    assert sorted(files.names(str(tmp_path / "in"))) == [f"{i} file" for i in range(4)]
    assert files.get([*content, str(tmp_path / "missing")]) == content
    assert files.names(str(tmp_path / "nowhere")) == []
    files.remove(str(tmp_path / "in"))
    assert not (tmp_path / "in").exists()


def test_a_host_whose_key_is_not_known_is_refused(slurm: Slot, tmp_path: Path) -> None:
    cluster = cluster_by("ssh", slurm, tmp_path, tmp_path)
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "id").write_bytes((STATE / "ssh" / "id").read_bytes())
    (strange / "known_hosts").write_text("")
    other = Cluster.parse({"transport": "ssh", "endpoint": cluster.endpoint, "secret": str(strange)})
    with pytest.raises(SlurmError, match=r"host key of .* is not known.*known_hosts"):
        other.open().records([1])


def test_an_expired_token_is_said_before_and_after_it_is_sent(slurm: Slot, tmp_path: Path) -> None:
    key = (STATE / "jwt.key").read_bytes()
    token = tmp_path / "token"
    token.write_text(mint(key, "root", int(time.time()) - 100, 50))
    rest = RestTransport(f"http://127.0.0.1:{slurm.rest}", FromFile("root", token), "v0.0.38")
    with pytest.raises(NotAllowed, match=r"ended at .*scontrol token"):
        rest.find("x")
    blind = RestTransport(
        f"http://127.0.0.1:{slurm.rest}", FromFile("root", token, clock=lambda: 0), "v0.0.38"
    )
    with pytest.raises(NotAllowed, match=r"does not accept the token of 'root'.*scontrol token"):
        blind.find("x")
    token.write_text(mint(key, "root", int(time.time()), 50))  # somebody has renewed the Secret
    assert rest.find(unique("x")) == []
    rest.close()
    blind.close()


def test_nobody_at_the_endpoint_is_slurm_away(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "user").write_text("root")
    (secret / "key").write_bytes(b"k")
    away = Cluster.parse({"transport": "rest", "endpoint": "http://127.0.0.1:9", "secret": str(secret)})
    with pytest.raises(SlurmAway, match=r"no answer from slurmrestd at http://127.0.0.1:9"):
        away.open().find("x")


def test_an_answer_that_is_lost_does_not_make_a_second_job(slurm: Slot, tmp_path: Path) -> None:
    """The connection is cut when slurmrestd has taken the job, before it has said so."""
    cluster = cluster_by("rest", slurm, tmp_path, tmp_path)
    name = unique("cut")
    wanted = job(tmp_path, name, DONE)
    with CutConnection(slurm.rest) as port:
        cut = RestTransport(f"http://127.0.0.1:{port}", tokens_of(_secret(cluster)), "v0.0.38")
        first = submit_once(cut, wanted, is_new=True)
        cut.close()
    with closing(cluster.open()) as transport:
        assert transport.find(name) == [first]
        assert submit_once(transport, wanted) == first


def test_an_ssh_connection_cut_in_the_middle_of_a_submission_does_not_make_a_second_job(
    slurm: Slot, tmp_path: Path
) -> None:
    """sbatch has submitted and is still there (it waits, as its environment says) when the connection is cut."""
    name = unique("cut-ssh")
    wanted = job(tmp_path, name, f"until [ -e {tmp_path}/cut ]; do sleep 0.1; done; {DONE}")
    here = cluster_by("local", slurm, tmp_path, tmp_path).open()
    with Tunnel(slurm.ssh) as tunnel, ThreadPoolExecutor() as pool:
        node = tunnel.login_node(login_node(slurm), tmp_path / "secret")
        written = {"transport": "ssh", "endpoint": node.endpoint, "secret": str(node.secret)}
        cut = Cluster.parse({**written, "ssh_options": ["-o", "SetEnv=SBATCH_WAIT=1"]}).open()
        submitted = pool.submit(submit_once, cut, wanted, is_new=True)
        until(lambda: here.find(name) != [])
        tunnel.cut()
        first = submitted.result(timeout=60)
        (tmp_path / "cut").touch()
        assert submit_once(cut, wanted) == first
    assert here.find(name) == [first]
    until(lambda: (tmp_path / "out" / f"{name}.0.done").exists())


def test_a_login_node_that_does_not_accept_the_key_is_waited_for(slurm: Slot, tmp_path: Path) -> None:
    """The key may have been renewed a moment ago; jobs that run go on meanwhile."""
    secret = tmp_path / "secret"
    shutil.copytree(login_node(slurm).secret, secret)
    (secret / "id").unlink()
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(secret / "id")]
    subprocess.run(command, check=True, input=b"y\n")
    endpoint = login_node(slurm).endpoint
    with pytest.raises(NotAllowed, match=r"does not let us in.*`ssh .* true` must work"):
        Cluster.parse({"transport": "ssh", "endpoint": endpoint, "secret": str(secret)}).open().find("x")


def _secret(cluster: Cluster) -> dict[str, bytes]:
    assert cluster.secret is not None
    return {file.name: file.read_bytes() for file in cluster.secret.iterdir()}
