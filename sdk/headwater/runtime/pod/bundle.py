"""The code of a unit: from a zip that is mounted or fetched, unpacked and put on the path; else from the image.

A bundle is unpacked, not imported as a zip: data files beside a module are found by its `__file__`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from headwater.errors import StoreError

PLACE = "/headwater/code/bundle.zip"
PLACE_VARIABLE = "HEADWATER_CODE"


def settle(code: Mapping[str, Any], *, stays: bool = False) -> str:
    """Make the code importable and its folder the current one; that folder, "" where the code is the image's.

    With `stays` it is the same folder for every process that the first one of a container starts.

    Raises:
        StoreError: the bundle is not there, or not the one that was named.
    """
    if code.get("configMap"):
        place = os.environ.get(PLACE_VARIABLE, PLACE)
        said = f"the bundle of ConfigMap {code['configMap']!r}"
    elif code.get("url"):
        place = str(code["url"])
        said = f"the bundle {place}"
    else:
        return ""
    content = _read(place, said)
    _verify(content, code.get("digest"), said)
    folder = _unpacked(content, said, os.getppid() if stays else os.getpid())
    sys.path.insert(0, folder)
    os.chdir(folder)
    return folder


def _read(place: str, said: str) -> bytes:
    try:
        if "://" in place and not place.startswith("file://"):
            import fsspec

            with fsspec.open(place, "rb") as remote:
                content: bytes = remote.read()
                return content
        with open(place.removeprefix("file://"), "rb") as file:
            return file.read()
    except (OSError, ImportError, ValueError) as error:
        raise StoreError(
            f"{said} cannot be read: {error}", fix="Submit the workflow again; that uploads its code."
        ) from error


def _verify(content: bytes, digest: object, said: str) -> None:
    if not digest:
        return
    from hashlib import sha256

    found = f"sha256:{sha256(content).hexdigest()}"
    if found != digest:
        raise StoreError(
            f"{said} is not the one that was submitted: it has {found} instead of {digest}",
            fix="Submit the workflow again; that uploads its code under its own digest.",
        )


def _unpacked(content: bytes, said: str, owner: int) -> str:
    import io
    import zipfile

    base = os.environ.get("TMPDIR", "/tmp")
    folder = os.path.join(base, f"headwater-code-{owner}")
    try:
        os.makedirs(folder, exist_ok=True)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise StoreError(
            f"{said} cannot be unpacked into {folder}: {error}",
            fix="The pod needs an emptyDir at /tmp with room for the code.",
        ) from error
    return folder


def listing(folder: str) -> str:
    """What lies at the top of an unpacked bundle, for messages.

    >>> listing("/nowhere")
    ''
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return ""
    shown = [name + "/" if os.path.isdir(os.path.join(folder, name)) else name for name in names]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "")
