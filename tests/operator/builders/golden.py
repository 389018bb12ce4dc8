"""Golden files: what the builders make, as YAML to read and review.

Written anew with `HEADWATER_UPDATE_GOLDEN=1 pytest tests/operator`; the difference is then in `git diff`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "golden"


class _Dumper(yaml.SafeDumper):
    """Without anchors: every object stands for itself."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def check(name: str, objects: Sequence[dict[str, Any]]) -> None:
    """Compare objects with the golden file of a name."""
    path = FOLDER / f"{name}.yaml"
    text = yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=110, explicit_start=True)
    if os.environ.get("HEADWATER_UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert list(yaml.safe_load_all(path.read_text())) == list(objects), f"{path.name} differs"
    assert path.read_text() == text, f"{path.name} is written differently"
