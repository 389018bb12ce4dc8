"""The examples for Kubernetes give what they promise, on a real cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.fixtures import SMALL_IMAGE, Cluster
from tests.cluster.places import CHECKOUT
from tests.operator.process import running_operator

pytestmark = pytest.mark.timeout(600)
EXAMPLES = CHECKOUT / "examples" / "kubernetes"
FLOWCTL = Path(sys.executable).parent / "flowctl"


def submit(cluster: Cluster, namespace: str, folder: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [FLOWCTL, "submit", *words, "--wait", "-o", "json", "--namespace", namespace],
        cwd=folder,
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_examples_run_on_a_cluster(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    words = (EXAMPLES / "words.yaml").read_text(encoding="utf-8")
    (tmp_path / "words.yaml").write_text(words.replace("debian:bookworm", SMALL_IMAGE))
    with running_operator(cluster, namespace, tmp_path / "operator.log"):
        found = submit(cluster, namespace, tmp_path, str(EXAMPLES / "pi.py"), "-p", "batches=3")
        assert found["outputs"]["pi"] == pytest.approx(3.14, abs=0.02)
        assert found["nodes"]["map-workflow"]["items"]["succeeded"] == 3
        found = submit(cluster, namespace, tmp_path, "words.yaml", "-p", "text=to be or not to be to")
        assert found["outputs"] == {"count": 7, "word": "to"}


def test_the_python_example_runs_here_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [FLOWCTL, "run", EXAMPLES / "pi.py", "-o", "json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert json.loads(done.stdout)["outputs"]["pi"] == pytest.approx(3.14, abs=0.02)
