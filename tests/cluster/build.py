"""What the cluster is built from: Debian packages, Kubernetes compiled from its Go module, kwok, a Debian to run in."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from tests.cluster.cached import digest, made
from tests.cluster.places import ROOM
from tests.cluster.report import ClusterError, step
from tests.cluster.shell import run

KUBERNETES = "v1.34.4"
KWOK = "v0.7.0"
GO = (1, 24)
PACKAGES = {  # Debian's package -> a file that shows it is there
    "containerd": "/usr/bin/containerd",
    "runc": "/usr/sbin/runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "/usr/sbin/iptables",
    "iproute2": "/sbin/ip",
    "docker.io": "/usr/sbin/dockerd",
    "mmdebstrap": "/usr/bin/mmdebstrap",
    "faketime": "/usr/bin/faketime",  # for tests with operators whose clocks are wrong
}
DEBIAN = "bookworm"
DEBIAN_PACKAGES = "python3,python3-venv,ca-certificates,openssh-client"
# How often the kubelet looks at its containers: it sees a pod start and end that much sooner.
RELIST = (
    "genericPlegRelistPeriod    = time.Second * 1",
    "genericPlegRelistPeriod    = time.Millisecond * 200",
)
STATIC = {"CGO_ENABLED": "0"}
SLIM = ["doc/*", "man/*", "locale/*", "info/*"]


def missing_packages() -> list[str]:
    return [package for package, file in PACKAGES.items() if not Path(file).exists()]


def install_packages() -> None:
    """Install what is missing with apt; on other systems say what is."""
    missing = missing_packages()
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise ClusterError(
            f"missing: {', '.join(PACKAGES[name] for name in missing)}; install them, then try again"
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"installing {' '.join(missing)}", "30 s"):
        run(["apt-get", "-q", "update"], environment=quiet)
        run(["apt-get", "-q", "install", "-y", "--no-install-recommends", *missing], environment=quiet)


def go_problem() -> str:
    """Why Go cannot build the cluster, or an empty text."""
    wanted = ".".join(map(str, GO))
    if not shutil.which("go"):
        return f"Go {wanted} or newer is not installed"
    found = re.search(r"go(\d+)\.(\d+)", run(["go", "version"]))
    if found and (int(found[1]), int(found[2])) < GO:
        return f"Go {wanted} or newer is needed; `go` is {found[0]}"
    return ""


def kube() -> Path:
    """The binary that is every component of Kubernetes."""
    sources = sorted(path for path in (ROOM / "kube").rglob("*") if path.suffix in {".go", ".mod", ".sum"})
    names = [str(path.relative_to(ROOM)) for path in sources]
    return made("kube", digest(KUBERNETES, *RELIST, *names, *sources), _build_kube, expect="5 min") / "kube"


def _build_kube(folder: Path) -> None:
    module = ROOM / "kube"
    major, minor = KUBERNETES.lstrip("v").split(".")[:2]
    version = "k8s.io/component-base/version"
    values = {
        "gitVersion": KUBERNETES,
        "gitMajor": major,
        "gitMinor": minor,
    }  # without them kubectl refuses the server
    flags = " ".join(["-s", "-w", *(f"-X {version}.{name}={value}" for name, value in values.items())])
    with tempfile.TemporaryDirectory(dir=folder) as sources:
        modules = _with_quicker_kubelet(Path(sources))
        build = [
            "go",
            "build",
            "-trimpath",
            "-buildvcs=false",
            f"-modfile={modules}",
            "-ldflags",
            flags,
            "-o",
        ]
        run([*build, folder / "kube", "."], folder=module, environment=STATIC)
        run([*build, folder / "pause", "./pause"], folder=module, environment=STATIC)


def _with_quicker_kubelet(folder: Path) -> Path:
    """A go.mod that takes Kubernetes from a copy in which one constant of the kubelet differs: no flag sets it."""
    run(["go", "mod", "download", "k8s.io/kubernetes"], folder=ROOM / "kube")
    place = run(["go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"], folder=ROOM / "kube").strip()
    unneeded = shutil.ignore_patterns("*_test.go", "testdata", "test", "vendor")
    copy = shutil.copytree(place, folder / "kubernetes", ignore=unneeded, copy_function=shutil.copyfile)
    for path in [copy, *copy.rglob("*/")]:  # folders in Go's cache are read-only
        path.chmod(0o755)
    kubelet = copy / "pkg" / "kubelet" / "kubelet.go"
    text = kubelet.read_text()
    if RELIST[0] not in text:
        raise ClusterError(
            f"{kubelet.name} of Kubernetes {KUBERNETES} has no `{RELIST[0]}`: mend RELIST in {__file__}"
        )
    kubelet.write_text(text.replace(*RELIST))
    for kind in ("mod", "sum"):
        shutil.copy(ROOM / "kube" / f"go.{kind}", folder / f"quick.{kind}")
    run(["go", "mod", "edit", f"-replace=k8s.io/kubernetes={copy}", folder / "quick.mod"])
    return folder / "quick.mod"


def pause() -> Path:
    return kube().parent / "pause"


def kwok() -> Path:
    """The binary that plays the kubelet of fake nodes."""
    return made("kwok", digest(KWOK), _build_kwok, expect="90 s") / "kwok"


def _build_kwok(folder: Path) -> None:
    package = f"sigs.k8s.io/kwok/cmd/kwok@{KWOK}"
    run(
        ["go", "install", "-trimpath", "-ldflags", "-s -w", package],
        environment={**STATIC, "GOBIN": str(folder)},
    )


def debian() -> Path:
    """A tar of a small Debian with Python, made from the packages of this machine's own sources."""
    key = digest(DEBIAN, DEBIAN_PACKAGES, *SLIM)
    return made("debian", key, _build_debian, expect="45 s") / "debian.tar"


def _build_debian(folder: Path) -> None:
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{what}" for what in SLIM]
    command = ["mmdebstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}", *left_out]
    run([*command, DEBIAN, folder / "debian.tar"])
