"""The test cluster itself: real limits, both doors open, idempotent, and nothing left of it."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.slurm import cluster, daemons
from tests.slurm.places import ENV, RESOURCE, Slot, host_address


def _batch(tmp_path: Path, body: str, *options: str) -> str:
    """Run a batch script to its end; its state."""
    script = tmp_path / "job.sh"
    script.write_text(f"#!/bin/sh\n{body}\n")
    submit = ["sbatch", "--parsable", f"--output={tmp_path}/out", *options, str(script)]
    job = subprocess.run(submit, capture_output=True, text=True, check=True).stdout.strip()
    show = ["squeue", "-h", "-t", "all", "-j", job, "-o", "%T"]
    states: list[str] = []

    def ended() -> bool:
        states[:] = subprocess.run(show, capture_output=True, text=True).stdout.split()
        return bool(states) and states[0] not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING")

    assert daemons.wait_until(ended, 60)
    return states[0]


def test_a_job_runs_and_its_output_is_there(slurm: Slot, tmp_path: Path) -> None:
    assert _batch(tmp_path, "echo from $SLURMD_NODENAME") == "COMPLETED"
    assert (tmp_path / "out").read_text().startswith("from hw")


def test_memory_is_limited_for_real(slurm: Slot, tmp_path: Path) -> None:
    greedy = "exec python3 -c 'x = bytearray(300_000_000)'"
    assert _batch(tmp_path, greedy, "--mem=50") == "OUT_OF_MEMORY"


def test_starting_it_twice_changes_nothing(slurm: Slot) -> None:
    before = {daemon.name: daemon.pid for daemon in daemons.every()}
    assert cluster.up() == slurm
    assert {daemon.name: daemon.pid for daemon in daemons.every()} == before


def test_pods_and_this_host_reach_slurmrestd_which_asks_for_a_token(slurm: Slot) -> None:
    for address in ("127.0.0.1", host_address()):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{address}:{slurm.rest}/slurm/v0.0.38/ping", timeout=10)
        refused.value.close()
        assert refused.value.code in (401, 500)


def test_it_says_how_shells_and_kubernetes_find_it(slurm: Slot) -> None:
    assert "SLURM_CONF=" in ENV.read_text()
    secret, resource = yaml.safe_load_all(RESOURCE.read_text())
    assert resource["kind"] == "SlurmCluster"
    assert resource["metadata"]["name"] == "local"
    assert resource["spec"]["secretRef"] == {"name": secret["metadata"]["name"]}
    assert resource["spec"]["endpoint"] == f"http://{host_address()}:{slurm.rest}"
    assert ENV.stat().st_mode & 0o077 == RESOURCE.stat().st_mode & 0o077 == 0
