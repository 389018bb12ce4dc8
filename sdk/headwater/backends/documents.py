"""A document as something that can be run: the same shape that compiling Python blocks gives."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Mapping
from typing import Any

from headwater.blocks.compile import Compiled
from headwater.errors import DocumentError, HeadwaterError


def compiled_document(document: Mapping[str, Any]) -> Compiled:
    """Make a validated Workflow document runnable; objects that it carries by value are unpickled.

    Raises:
        DocumentError: an object in `code.inline` cannot be read here.
    """
    spec = dict(document["spec"])
    objects: dict[str, object] = {}
    for ref, data in ((spec.get("code") or {}).get("inline") or {}).items():
        try:
            objects[ref] = pickle.loads(base64.b64decode(data))
        except HeadwaterError:
            raise
        except Exception as error:
            raise DocumentError(
                f"spec.code.inline: {ref!r} cannot be loaded: {error}",
                fix="Compile the workflow again with the Python version and packages of this machine.",
            ) from error
    name = (document.get("metadata") or {}).get("name") or spec.get("entrypoint") or "workflow"
    return Compiled.from_document(name=str(name), spec=spec, objects=objects, document=dict(document))
