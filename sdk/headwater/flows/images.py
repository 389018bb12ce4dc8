"""The image of a composition: its base image and the project's code."""

from __future__ import annotations

import logging
from pathlib import Path

from headwater.configuration import state_dir
from headwater.errors import HeadwaterError
from headwater.flows.errors import FlowDefinitionError

logger = logging.getLogger("headwater")

DOCKERFILE = """\
# Made by FlowOfFlows.compose(); build it with: docker build -t {image} -f {path} {folder}
FROM {base}
COPY . /opt/project
RUN if [ -f /opt/project/requirements.txt ]; then pip install --no-cache-dir -r /opt/project/requirements.txt; fi
ENV PYTHONPATH=/opt/project
WORKDIR /opt/project
"""


class ImageBuildError(HeadwaterError):
    """The image of a composition could not be built."""

    code = "HW040"


def build_image(base: str | None, name: str, tag: str, folder: Path | None = None) -> Path:
    """Build `name:tag` from `base` and a folder of code with the Docker engine; the path of the Dockerfile.

    Without an engine the Dockerfile is written all the same, and a warning says so.

    Raises:
        FlowError: there is no base image.
        ImageBuildError: the engine refused to build it.
    """
    if not base:
        raise FlowDefinitionError(
            "a composition needs a base image", fix="FlowOfFlows(..., image='registry/base:tag')"
        )
    code = (folder or Path.cwd()).resolve()
    path = state_dir() / "images" / name.replace("/", "_") / "Dockerfile"
    path.parent.mkdir(parents=True, exist_ok=True)
    image = f"{name}:{tag}"
    path.write_text(DOCKERFILE.format(base=base, image=image, path=path, folder=code), encoding="utf-8")
    try:
        import docker
    except ModuleNotFoundError:
        return _told(path, image, code, "the package `docker` is not installed")
    try:
        engine = docker.from_env()
        engine.ping()
    except docker.errors.DockerException as error:
        return _told(path, image, code, f"no Docker engine answers ({error})")
    try:
        engine.images.build(path=str(code), dockerfile=str(path), tag=image, rm=True)
    except docker.errors.DockerException as error:
        raise ImageBuildError(f"the image {image} could not be built: {error}", fix=f"See {path}.") from error
    return path


def _told(path: Path, image: str, code: Path, why: str) -> Path:
    logger.warning(
        "the image %s is not built: %s. Build it with: docker build -t %s -f %s %s",
        image,
        why,
        image,
        path,
        code,
    )
    return path
