"""Documents and configurations: kept once each, under the digest of what they say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_last: tuple[object, str, str] = (None, "", "")


def digested(content: Mapping[str, Any]) -> tuple[str, str]:
    """The JSON of a document or configuration, and its digest; done once for runs of one workflow.

    >>> digested({"b": 1, "a": 2})[0]
    '{"a":2,"b":1}'
    """
    global _last
    last = _last
    if content and last[0] is content:
        return last[1], last[2]
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, default=str)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    if len(text) > 1000:
        _last = (content, text, digest)
    return text, digest


def without_secrets(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Workflow document in which the passwords, tokens and keys among its parameters are replaced by `***`.

    >>> without_secrets({"spec": {"parameters": {"db": {"password": "x"}}}})
    {'spec': {'parameters': {'db': {'password': '***'}}}}
    """
    parameters = document.get("spec", {}).get("parameters")
    if not parameters:
        return document
    from headwater.configuration.masking import masked

    return {**document, "spec": {**document["spec"], "parameters": masked(parameters)}}
