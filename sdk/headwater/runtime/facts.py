"""What an executor is told about the run that it carries out, before the first command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run: its id ("" when it is not recorded), its name, the compiled spec, and the run that it goes on with.

    `recompute`: somebody has asked for nodes to run again, so that results that lie about must not be used.
    """

    run_id: str = ""
    name: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)
    resumed_from: str = ""
    recompute: bool = False
