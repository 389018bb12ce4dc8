"""Names that Kubernetes takes: of resources, labels, annotations, environment variables, images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from headwater.document.problems import Found, Path
from headwater.document.types import shortened, wrong

RESERVED = "headwater.dev/"
"""Labels and annotations that begin so are the operator's own."""

_RESOURCE = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
_LABEL = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$")
_VARIABLE = re.compile(r"^[A-Za-z_.-][A-Za-z0-9_.-]*$")
_IMAGE = re.compile(r"^[A-Za-z0-9\[][A-Za-z0-9._:/@+\[\]-]*$")


def resource_problem(name: Any) -> str:
    """How a text is not the name of a resource; nothing when it is.

    >>> resource_problem("gpu-jobs"), resource_problem("GPU")[:5]
    ('', "'GPU'")
    """
    if not isinstance(name, str):
        return str(wrong("the name of a resource", name))
    if _RESOURCE.fullmatch(name) and len(name) <= 253:
        return ""
    return (
        f"{shortened(name)} is not the name of a resource: small letters, digits, '-' and '.', at most 253, "
        "beginning and ending with a letter or digit"
    )


def image_problem(image: Any) -> str:
    """How a text is not the name of an image.

    >>> image_problem("my image")
    "'my image' is not the name of an image: it has a space"
    """
    if not isinstance(image, str):
        return str(wrong("the name of an image", image))
    if "://" in image:
        return f"{shortened(image)} is not the name of an image: it begins like a URL"
    if re.search(r"\s", image):
        return f"{shortened(image)} is not the name of an image: it has a space"
    if not _IMAGE.fullmatch(image):
        return f"{shortened(image)} is not the name of an image, such as registry.example.org/team/tool:1.2"
    repository = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return (
        ""
        if repository == repository.lower()
        else f"{shortened(image)} is not the name of an image: {repository!r} must be in small letters"
    )


def _key_problem(key: str, own: bool) -> str:
    prefix, slash, name = key.rpartition("/")
    if (slash and resource_problem(prefix)) or not name or len(name) > 63 or not _LABEL.fullmatch(name):
        return (
            f"{shortened(key)} is not a key: [PREFIX/]NAME with letters, digits, '-', '_' and '.', at most 63"
        )
    if own and key.startswith(RESERVED):
        return f"{key!r} is reserved: the operator sets what begins with {RESERVED}"
    return ""


def label_problems(path: Path, labels: Any, *, values: bool = True, own: bool = True) -> Iterator[Found]:
    """What is wrong with labels, or with annotations (`values=False`: theirs may be any text).

    `own`: they are put on what Headwater makes, where its own prefix is reserved.

    >>> [found[1] for found in label_problems(("labels",), {"team": "a b"})]
    ["'a b' is not the value of a label: letters, digits, '-', '_' and '.', at most 63"]
    """
    if not isinstance(labels, dict):
        yield path, str(wrong("an object of texts", labels)), ""
        return
    for key, value in labels.items():
        if problem := _key_problem(key, own):
            yield (*path, key), problem, "Choose another key, such as example.org/team."
        if not isinstance(value, str):
            yield (*path, key), str(wrong("a text", value)), "Put it in quotes."
        elif values and (len(value) > 63 or not _LABEL.fullmatch(value)):
            said = f"{shortened(value)} is not the value of a label: letters, digits, '-', '_' and '.', at most 63"
            yield (*path, key), said, "Shorten it, or make it an annotation."


def variable_problem(name: Any) -> str:
    """How a text is not the name of an environment variable that may be set.

    >>> variable_problem("A B"), variable_problem("PATH")
    ("'A B' is not the name of an environment variable", '')
    """
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        return f"{shortened(name)} is not the name of an environment variable"
    if name == "JOB_COMPLETION_INDEX":
        return f"{name!r} is reserved: Kubernetes sets it, and by it a pod of a map knows its items"
    if name.startswith("HEADWATER_"):
        return f"{name!r} is reserved: what begins with HEADWATER_ is set by the operator"
    return ""
