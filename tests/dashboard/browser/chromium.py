"""The Chromium of the system, which the browser tests drive: found, or installed where that may be done."""

from __future__ import annotations

import os
import shutil
import subprocess

PACKAGES = ("chromium", "fonts-dejavu-core")
NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """Where it is; None when there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def obstacle() -> str | None:
    """Why it cannot be installed here; None when it can."""
    if shutil.which("apt-get") is None:
        return "install Chromium with this system's package manager"
    if os.geteuid() != 0:
        return f"install it as root: apt-get install {' '.join(PACKAGES)}"
    return None


def install() -> None:
    """Install it.

    Raises:
        RuntimeError: apt-get says no.
    """
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-qq", "--no-install-recommends", *PACKAGES]
    for attempt in (command, ["apt-get", "update", "-qq"], command):
        said = subprocess.run(attempt, env=quiet, capture_output=True, text=True)
        if attempt is command and said.returncode == 0:
            return
    raise RuntimeError(f"`{' '.join(command)}` failed:\n{said.stderr[-1500:]}")
