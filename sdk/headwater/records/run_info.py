"""What a recorder is told of a run when it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What is known of a run when it starts.

    `document` may be a function; the recorder's thread calls it. `inputs` are encoded values by name,
    `config` is masked already, `code` maps refs to digests. Host, process and user are this process's own.
    """

    run_id: str
    name: str
    backend: str
    target: str = ""
    document: Json | Callable[[], Json] | None = None
    inputs: Json = field(default_factory=dict)
    config: Json = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    started_at: float = 0.0
    resumed_from: str | None = None
