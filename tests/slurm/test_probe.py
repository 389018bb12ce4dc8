"""What a probe says of the real Slurm, by every transport, and of one that cannot be reached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from headwater.slurm.probe import probe

from tests.slurm.jobs import TRANSPORTS, cluster_by
from tests.slurm.places import Slot


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_cluster_that_answers_is_ready(slurm: Slot, tmp_path: Path, transport: str) -> None:
    cluster = cluster_by(transport, slurm, tmp_path, tmp_path)
    spec = {"transport": transport, "endpoint": cluster.endpoint, "workdir": str(tmp_path)}
    report = tmp_path / "termination-log"
    environment = {
        **os.environ,
        "HEADWATER_SLURM": json.dumps({"cluster": spec}),
        "HEADWATER_SLURM_SECRET": str(cluster.secret or tmp_path / "none"),
        "HEADWATER_TERMINATION_LOG": str(report),
    }
    subprocess.run(
        [sys.executable, "-m", "headwater.slurm.probe"], env=environment, check=True, capture_output=True
    )
    said = json.loads(report.read_text())
    assert (said["phase"], said["partitions"]) == ("Ready", ["debug", "high", "short"])
    assert said["version"].startswith("22.")


def test_no_secret_and_nobody_there_are_said(tmp_path: Path) -> None:
    spec = {"transport": "rest", "endpoint": "http://127.0.0.1:9", "workdir": "/w"}
    said = probe(spec)
    assert said["phase"] == "Unreachable"
    assert "the Secret of the SlurmCluster (`slurm.secret` in a config) lacks `user`" in said["message"]
    (tmp_path / "user").write_text("root")
    (tmp_path / "key").write_bytes(b"k")
    assert probe(spec, str(tmp_path))["message"].startswith("no answer from slurmrestd at http://127.0.0.1:9")
