"""Which cluster the tests run on: the one that KUBECONFIG names, kind where Docker and kind are, else our own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from tests.cluster.places import KUBECONFIG


class Kind(StrEnum):
    """Where a cluster comes from."""

    GIVEN = "given"  # by KUBECONFIG: we only use it
    KIND = "kind"
    OWN = "own"


def choose(environment: Mapping[str, str] = os.environ) -> Kind:
    """The kind of cluster to use.

    >>> choose({"KUBECONFIG": "/somewhere/config"}).value
    'given'
    """
    given = environment.get("KUBECONFIG")
    if given and Path(given) != KUBECONFIG:
        return Kind.GIVEN
    if shutil.which("kind") and _docker_runs():
        return Kind.KIND
    return Kind.OWN


def _docker_runs() -> bool:
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def obstacle() -> str:
    """What keeps our own cluster from running on this machine; empty if nothing does."""
    from tests.cluster.build import go_problem, missing_packages

    if sys.platform != "linux":
        return "it needs Linux; with Docker and kind the tests run on kind, with KUBECONFIG on any cluster"
    if os.geteuid() != 0:
        return "it needs root; with Docker and kind the tests run on kind, with KUBECONFIG on any cluster"
    if missing_packages() and not shutil.which("apt-get"):
        return f"it needs {', '.join(missing_packages())}; please install them"
    return go_problem()
