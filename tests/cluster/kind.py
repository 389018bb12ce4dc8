"""The same tests on kind: the cluster of pytest-kind, with the project's images built by the Docker that runs there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pytest_kind import KindCluster  # type: ignore[import-untyped]  # published without annotations

from tests.cluster import images
from tests.cluster.docker import Docker
from tests.cluster.places import KUBECONFIG, STATE, locked
from tests.cluster.report import step

NAME = "headwater"
LOADED = STATE / "kind.json"
BASE = "python:3.11-slim-bookworm"


def up() -> None:
    """Create the kind cluster, or use the one that is there, and load the images that changed."""
    with locked("kind.lock"):
        STATE.mkdir(exist_ok=True)
        with step("kind"):
            _cluster().create()
        _load_images()


def down() -> None:
    with locked("kind.lock"):
        _cluster().delete()
        shutil.rmtree(STATE, ignore_errors=True)


def _cluster() -> KindCluster:
    found, kubectl = shutil.which("kind"), shutil.which("kubectl")
    return KindCluster(
        NAME,
        kubeconfig=KUBECONFIG,
        kind_path=Path(found) if found else None,
        kubectl_path=Path(kubectl) if kubectl else None,
    )


def _load_images() -> None:
    loaded: dict[str, str] = json.loads(LOADED.read_text()) if LOADED.exists() else {}
    docker = Docker({})
    for image in images.project_images(BASE):
        if loaded.get(image.name) == image.key:
            continue
        with step(f"building and loading {image.used}"):
            image.make(docker, image.built)
            docker.run("tag", image.built, image.used)
            _cluster().load_docker_image(image.used)
        LOADED.write_text(json.dumps({**loaded, image.name: image.key}))
        loaded[image.name] = image.key
