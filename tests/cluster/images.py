"""The images of the tests: the project's own, built from its Dockerfiles, and the two that they stand on.

What is built stays in the store of our Docker daemon, so another checkout with the same files imports it at once.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from tests.cluster import build
from tests.cluster.cached import digest, made
from tests.cluster.docker import Docker, docker, store
from tests.cluster.machine import inside
from tests.cluster.places import CHECKOUT, STATE
from tests.cluster.report import ClusterError, step
from tests.cluster.shell import run
from tests.cluster.transfer import Blob, Layout

RUNTIME = "localhost/headwater-runtime"
OPERATOR = "localhost/headwater-operator"
DEBIAN = "localhost/debian"
PAUSE = "localhost/pause"
TAGS = {RUNTIME: "dev", OPERATOR: "dev", DEBIAN: build.DEBIAN, PAUSE: "1"}
EXTRA = ("numpy",)  # what the tests' workflows use beyond Headwater's own dependencies
SOURCES = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "migrations",
    "crds",
    "operator",
    "sdk",
    "dashboard/headwater_dashboard",
)  # what is installed
LOCK = CHECKOUT / "images" / "requirements.lock"
PYTHON = "3.11"  # Debian's, which the wheels must fit
IMPORTED = STATE / "images.json"
KEPT = 4  # builds of an image that stay in the store


@dataclass(frozen=True, slots=True)
class Image:
    """An image, how it is made, and a key that changes when what it is made from does."""

    name: str
    key: str
    make: Callable[[Docker, str], None]

    @property
    def built(self) -> str:
        return f"{self.name}:{self.key}"

    @property
    def used(self) -> str:
        return f"{self.name}:{TAGS[self.name]}"


def images() -> list[Image]:
    """All images of our own cluster."""
    tar, pause = build.debian(), build.pause()
    debian = Image(DEBIAN, digest(tar.parent.name), lambda docker, tag: _import(docker, tar, tag))
    return [
        debian,
        Image(PAUSE, digest(pause.parent.name), lambda docker, tag: _make_pause(docker, pause, tag)),
        *project_images(debian.built),
    ]


def project_images(base: str) -> list[Image]:
    """The project's own images, upon the image `base`."""
    wheels = _wheels()
    paths = [str(path.relative_to(CHECKOUT)) for path in _sources()]
    runtime = digest(base, wheels.name, *EXTRA, _dockerfile("runtime"), *paths, *_sources())
    operator = digest(runtime, _dockerfile("operator"))
    return [
        Image(RUNTIME, runtime, lambda docker, tag: _build_runtime(docker, base, wheels, tag)),
        Image(OPERATOR, operator, lambda docker, tag: _build_operator(docker, f"{RUNTIME}:{runtime}", tag)),
    ]


def current() -> bool:
    """Whether the node has all images as the files of this checkout make them."""
    imported = json.loads(IMPORTED.read_text())["images"] if IMPORTED.exists() else {}
    return all(imported.get(image.name) == image.key for image in images())


def import_images() -> None:
    """Bring the images that changed into the cluster's node, built anew where nobody has built them yet."""
    record = json.loads(IMPORTED.read_text()) if IMPORTED.exists() else {"images": {}, "layers": {}}
    changed = [image for image in images() if record["images"].get(image.name) != image.key]
    if not changed:
        return
    names = ", ".join(image.used for image in changed)
    with step(f"importing {names}"), docker() as daemon:
        for image in changed:
            _provide(daemon, image)
        present = {name: Blob(**blob) for name, blob in record["layers"].items()}
        try:
            layers = _transfer(daemon, changed, present)
        except ClusterError:
            if not present:
                raise
            layers = _transfer(daemon, changed, {})  # the node lost layers that it had
    imported = {**record["images"], **{image.name: image.key for image in changed}}
    blobs = {name: asdict(blob) for name, blob in layers.items()}
    IMPORTED.write_text(json.dumps({"images": imported, "layers": blobs}))


def _transfer(daemon: Docker, changed: Iterable[Image], present: Mapping[str, Blob]) -> dict[str, Blob]:
    with tempfile.TemporaryFile(dir=store().parent) as file:
        layout = Layout(store(), file, present)
        for image in changed:
            layout.add(daemon.id_of(image.built), image.used)
        layout.close()
        file.seek(0)
        containerd = ["ctr", "--address=/run/containerd/containerd.sock", "--namespace=k8s.io"]
        run(inside([*containerd, "images", "import", "-"]), stdin=file)
    return layout.layers


def _provide(daemon: Docker, image: Image) -> None:
    if not daemon.has(image.built):
        with step(f"building {image.used}"):
            image.make(daemon, image.built)
        _remove_old(daemon, image)


def _remove_old(daemon: Docker, image: Image) -> None:
    tags = daemon.run("image", "ls", "--format={{.Tag}}", image.name).split()  # the newest first
    for tag in [tag for tag in tags if tag != TAGS[image.name]][KEPT:]:
        daemon.run("image", "rm", f"{image.name}:{tag}")
    daemon.run(
        "image", "prune", "--force", "--filter=until=24h"
    )  # stages of builds that no later build stands on


def _import(daemon: Docker, tar: Path, tag: str, *changes: str) -> None:
    with tar.open("rb") as file:
        daemon.run("import", *(f"--change={change}" for change in changes), "-", tag, stdin=file)


def _make_pause(daemon: Docker, binary: Path, tag: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tar = Path(folder) / "pause.tar"
        with tarfile.open(tar, "w") as archive:
            archive.add(binary, "pause")
        _import(daemon, tar, tag, 'ENTRYPOINT ["/pause"]')


def _build_runtime(daemon: Docker, base: str, wheels: Path, tag: str) -> None:
    arguments = {"BASE": base, "PIP_NO_INDEX": "1", "EXTRA_PACKAGES": " ".join(EXTRA)}
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    with _context([*_sources(), LOCK, _dockerfile("runtime")], wheels) as context:
        options = ["--network=host", *options, "--file=images/runtime/Dockerfile"]
        daemon.run("build", *options, f"--tag={tag}", "-", stdin=context)


def _build_operator(daemon: Docker, runtime: str, tag: str) -> None:
    with _context([_dockerfile("operator")]) as context:
        options = [f"--build-arg=RUNTIME={runtime}", "--file=images/operator/Dockerfile"]
        daemon.run("build", *options, f"--tag={tag}", "-", stdin=context)


def _dockerfile(image: str) -> Path:
    return CHECKOUT / "images" / image / "Dockerfile"


def _sources() -> list[Path]:
    found: list[Path] = []
    for name in SOURCES:
        place = CHECKOUT / name
        found += [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
    return sorted(path for path in found if "__pycache__" not in path.parts)


@contextmanager
def _context(files: Iterable[Path], wheels: Path | None = None) -> Iterator[IO[bytes]]:
    """A build context as a tar: files of the checkout, and the wheels where the Dockerfile looks for them."""
    with tempfile.TemporaryFile() as file:
        # Docker tells a tar from a Dockerfile by its first block, which PAX would fill with a long header.
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in files:
                archive.add(path, str(path.relative_to(CHECKOUT)))
            for name in SOURCES:
                if (CHECKOUT / name).is_dir():  # also when nothing is in it
                    archive.add(CHECKOUT / name, name, recursive=False)
            if wheels:
                archive.add(wheels, "images/wheels")
        file.seek(0)
        yield file


def _wheels() -> Path:
    return made("wheels", digest(LOCK, PYTHON, *EXTRA), _download_wheels, expect="20 s")


def _download_wheels(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    fitting = [f"--python-version={PYTHON}", "--only-binary=:all:", f"--dest={folder}"]
    run([*pip, *fitting, "--require-hashes", "--no-deps", "--requirement", LOCK])
    locked = (CHECKOUT / "requirements-dev.lock").read_text()
    pins = re.findall(r"^[\w.-]+==[^\\\n]+", locked, re.MULTILINE)  # with their markers, without hashes
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(pins))
    run([*pip, *fitting, f"--constraint={constraints}", "hatchling", *EXTRA])
    constraints.unlink()
