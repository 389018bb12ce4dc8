"""ConfigMaps, Secrets and claims that a pod names and that are not there (yet)."""

from __future__ import annotations

import re

from headwater_operator.diagnosis.verdicts import Waiting

_MISSING = re.compile(r'(configmap|secret|persistentvolumeclaim) "([^"]+)" not found', re.IGNORECASE)
_NO_KEY = re.compile(r"couldn't find key (\S+) in (ConfigMap|Secret) (\S+)")
_NO_KEY_IN_VOLUME = re.compile(
    r'volume "([^"]+)" : (?:references|\w+ references) non-existent \w+ key: (\S+)'
)
_KINDS = {"configmap": "ConfigMap", "secret": "Secret", "persistentvolumeclaim": "PersistentVolumeClaim"}


def missing(message: str) -> Waiting | None:
    """What a message says to be missing; None where it speaks of something else.

    >>> missing('configmap "code-3f2a91" not found').text
    "ConfigMap 'code-3f2a91' is missing: create it, or correct the name"
    """
    found = _MISSING.search(message)
    if found is not None:
        kind = _KINDS[found[1].lower()]
        return Waiting(f"{kind} {found[2]!r} is missing: create it, or correct the name", f"Missing{kind}")
    key = _NO_KEY.search(message)
    if key is not None:
        name = key[3].rpartition("/")[2]
        return Waiting(f"{key[2]} {name!r} has no key {key[1]!r}: add it, or correct the name", "MissingKey")
    key = _NO_KEY_IN_VOLUME.search(message)
    if key is not None:
        text = f"what volume {key[1]!r} mounts has no key {key[2]!r}: add it, or correct the name"
        return Waiting(text, "MissingKey")
    return None
