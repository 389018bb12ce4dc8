"""What a real cluster said: the files that `capture.py` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SEEN = Path(__file__).parent / "seen"


def seen(case: str) -> dict[str, Any]:
    """A case: `pod` (or `job`) and `events`, or `status` and `body` of a refusal."""
    found: dict[str, Any] = json.loads((SEEN / f"{case}.json").read_text())
    return found


def nodes() -> list[dict[str, Any]]:
    """The nodes of the cluster that it was: one real one, and some that are tainted."""
    found: list[dict[str, Any]] = seen("nodes")["nodes"]
    return found
