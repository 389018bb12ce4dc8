"""Images that cannot be had, in the registry's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from headwater_operator.diagnosis.reading import one_line
from headwater_operator.diagnosis.verdicts import Waiting

_PULLS = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "SignatureValidationFailed")
_WRAPPERS = (
    re.compile(r'^Back-off pulling image "[^"]*"(?:: )?'),
    re.compile(r'^Failed to pull image "[^"]*": '),
    re.compile(r"^(?:ErrImagePull|ImagePullBackOff): "),
    re.compile(r"^rpc error: code = \w+ desc = "),
    re.compile(r'^failed to pull and unpack image "[^"]*": '),
    re.compile(r'^failed to (?:resolve (?:image|reference)|do request)(?: "[^"]*")?: '),
    re.compile(r'^Error response from daemon: '),
)  # fmt: skip


def image_trouble(
    reason: str, message: str, image: str, events: Sequence[Mapping[str, Any]]
) -> Waiting | None:
    """What is wrong with a container's image; None where the container waits for something else.

    >>> said = 'rpc error: code = NotFound desc = failed to pull and unpack image "r/a:1": failed to resolve '
    >>> image_trouble("ErrImagePull", said + 'reference "r/a:1": r/a:1: not found', "r/a:1", []).text
    "image 'r/a:1' cannot be pulled (r/a:1: not found): check its name and tag"
    """
    if reason == "InvalidImageName":
        text = f"image {image!r} is not a name of an image: correct it"
        return Waiting(text, reason, hopeless=True)
    if reason == "ErrImageNeverPull":
        text = f"image {image!r} is not on the node, and its pull policy is Never: load it there, or let it be pulled"
        return Waiting(text, reason)
    if reason == "ImageInspectError":
        return Waiting(f"the node cannot read image {image!r}: {one_line(message)}", reason)
    if reason not in _PULLS:
        return None
    words = registry_words(message) or _from_events(events)
    said = f" ({one_line(words, 300)})" if words else ""
    return Waiting(f"image {image!r} cannot be pulled{said}: {_fix(words)}", "ImagePull")


def registry_words(message: str) -> str:
    """What the registry said, without what kubelet and container runtime put around it.

    >>> registry_words('Back-off pulling image "a": ErrImagePull: pull access denied')
    'pull access denied'
    """
    found, before = message.strip(), ""
    while found != before:
        before = found
        for wrapper in _WRAPPERS:
            found = wrapper.sub("", found)
    return found.strip()


def _from_events(events: Sequence[Mapping[str, Any]]) -> str:
    for event in reversed(events):
        said = event.get("message") or ""
        if event.get("reason") == "Failed" and said.startswith("Failed to pull image"):
            return registry_words(said)
    return ""


def _fix(words: str) -> str:
    lower = words.lower()
    if any(sign in lower for sign in ("unauthorized", "denied", "forbidden", "401", "403", "no basic auth")):
        return "check its name, and give imagePullSecrets if it is private"
    if any(sign in lower for sign in ("no such host", "dial tcp", "timeout", "connection refused", "i/o")):
        return "check its name; the node cannot reach that registry"
    if "x509" in lower or "certificate" in lower:
        return "the node does not trust that registry's certificate"
    if "toomanyrequests" in lower or "too many requests" in lower or "429" in lower:
        return "the registry limits pulls; wait, or give imagePullSecrets"
    if "no match for platform" in lower or "no matching manifest" in lower:
        return "it is not built for this node's kind of machine; choose nodes with nodeSelector"
    return "check its name and tag"
